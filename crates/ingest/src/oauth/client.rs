//! Asks an authorisation server for tokens, and keeps what the next ones are got by.

use std::sync::Arc;

use axum::http::Uri;
use secrecy::{ExposeSecret, SecretString};
use vigie_common::clock;
use vigie_common::config::Flow;
use vigie_common::secret::Secret;

use super::answer::{self, Answer, Grant, Refusal};
use super::assertion::assertion;
use super::http::{self, Form};
use super::kept::{self, Kept};
use super::{scrubbed, words};
use crate::error::{Error, Result};
use crate::settings::{Account, OAuth2, SignIn};
use crate::transport::Proxy;

/// An account, as its authorisation server knows it.
#[derive(Debug, Clone)]
pub struct Client {
    account: String,
    user: String,
    settings: Arc<OAuth2>,
    proxy: Option<Proxy>,
}

/// What came of asking.
pub(super) enum Told {
    Granted(Grant),
    /// With the words for it.
    Refused(Refusal, Error),
}

impl Client {
    /// Of an account with `[account.oauth2]`.
    #[must_use]
    pub fn of(account: &Account) -> Option<Self> {
        let SignIn::OAuth2(settings) = &account.sign_in else { return None };
        let settings = Arc::clone(settings);
        let (user, proxy) = (account.user.clone(), account.proxy.clone());
        Some(Self { account: account.id.clone(), user, settings, proxy })
    }

    /// What it goes by.
    #[must_use]
    pub fn settings(&self) -> &OAuth2 {
        &self.settings
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// A new access token. What the server puts in place of the refresh token is durable before this returns; if the disk
    /// does not take it, it stays in `unsaved`, which the next call is given. Second: what is kept now.
    ///
    /// # Errors
    /// [`Error::Token`] until a person acts; others are to be tried again.
    pub(super) async fn renew(&self, unsaved: &mut Option<Kept>) -> Result<(Grant, Option<Kept>)> {
        let settings = &self.settings;
        if !settings.flow.needs_login() {
            let form = match settings.flow {
                Flow::ServiceAccount => self.stated().await?,
                _ => vec![
                    ("grant_type", "client_credentials".into()),
                    ("scope", settings.scope.as_str().into()),
                ],
            };
            return Ok((self.token(form).await?, None));
        }
        let turn = self.turn().await?;
        if let Some(late) = unsaved.as_ref() {
            self.keep(late)?;
            *unsaved = None;
        }
        let path = &settings.kept;
        let kept = Kept::read(path)
            .map_err(|e| self.no_token(format!("{}: {e}; {}", path.display(), self.log_in())))?;
        let kept =
            kept.ok_or_else(|| self.no_token(format!("nobody has logged in yet; {}", self.log_in())))?;
        if kept.client_id != settings.client_id {
            return Err(
                self.no_token(format!("the login was made with another client_id; {}", self.log_in()))
            );
        }
        let mut form =
            vec![("grant_type", "refresh_token".into()), ("refresh_token", kept.refresh_token.clone())];
        if !settings.scope.is_empty() {
            form.push(("scope", settings.scope.as_str().into()));
        }
        let grant = self.token(form).await?;
        let after = self.after(&grant, Some(&kept));
        if let Some(after) = &after
            && let Err(error) = self.keep(after)
        {
            *unsaved = Some(after.clone());
            return Err(error);
        }
        drop(turn);
        Ok((grant, after))
    }

    /// Keeps what a login gave.
    ///
    /// # Errors
    /// There is nothing to keep, or the disk does not take it.
    pub async fn logged_in(&self, grant: &Grant) -> Result<()> {
        let kept = self.after(grant, None).ok_or_else(|| {
            self.no_token("the provider gave no refresh token, so nobody could stay logged in; ask for one by `scope` (often \"offline_access\")".into())
        })?;
        let _turn = self.turn().await?;
        self.keep(&kept)
    }

    /// A login by a refresh token that was got elsewhere.
    ///
    /// # Errors
    /// As [`logged_in`](Self::logged_in); the token is first tried when it is used.
    pub async fn log_in_by(&self, refresh_token: SecretString) -> Result<()> {
        let now = clock::now();
        let settings = &self.settings;
        let kept = Kept {
            refresh_token,
            client_id: settings.client_id.clone(),
            scope: None,
            logged_in_at: now,
            renewed_at: now,
            expires_at: None,
        };
        let _turn = self.turn().await?;
        self.keep(&kept)
    }

    /// Asks the token address.
    pub(super) async fn token(&self, form: Form) -> Result<Grant> {
        match self.ask(form).await? {
            Told::Granted(grant) => Ok(grant),
            Told::Refused(_, error) => Err(error),
        }
    }

    pub(super) async fn ask(&self, form: Form) -> Result<Told> {
        let url = &self.settings.token_url;
        let (status, body, secrets) = self.post(url, form).await?;
        match answer::read(status, &body) {
            Answer::Granted(grant) => Ok(Told::Granted(grant)),
            Answer::Refused(refusal) => {
                let error = self.refused(&refusal, &secrets);
                Ok(Told::Refused(refusal, error))
            }
            Answer::Unclear(cause) => Err(http::unreachable(url, cause)),
        }
    }

    /// Sends `form` together with who we are. Third: what the answer must not be quoted with.
    pub(super) async fn post(
        &self,
        url: &Uri,
        mut form: Form,
    ) -> Result<(u16, bytes::Bytes, Vec<SecretString>)> {
        if !self.settings.client_id.is_empty() {
            form.push(("client_id", self.settings.client_id.as_str().into()));
        }
        if let Some(secret) = &self.settings.client_secret {
            let secret = secret.read("client secret").await.map_err(|e| Error::Secret(e.into()))?;
            form.push(("client_secret", secret));
        }
        let (status, body) = http::post(url, &form, self.proxy.as_ref()).await?;
        let public = ["grant_type", "scope", "client_id", "redirect_uri"];
        let secrets = form.into_iter().filter(|(name, _)| !public.contains(name)).map(|(_, value)| value);
        Ok((status, body, secrets.collect()))
    }

    pub(super) fn refused(&self, refusal: &Refusal, secrets: &[SecretString]) -> Error {
        let secrets: Vec<_> = secrets.iter().collect();
        let told = match refusal.description.as_str() {
            "" => refusal.error.clone(),
            description => format!("{}: {description}", refusal.error),
        };
        let settings = &self.settings;
        let advice = words::advice(refusal, settings.provider, settings.flow, &self.account);
        let host = settings.token_url.host().unwrap_or_default();
        self.no_token(format!("{host} refused ({}); {advice}", scrubbed(&told, &secrets)))
    }

    fn no_token(&self, text: String) -> Error {
        Error::Token { user: self.user.clone(), text }
    }

    fn log_in(&self) -> String {
        format!("run `vigie-ingest login {}`", self.account)
    }

    /// The form of a service account.
    async fn stated(&self) -> Result<Form> {
        let settings = &self.settings;
        let file = Secret::File(settings.key_file.clone().unwrap_or_default());
        let text = file.text("key").await.map_err(|e| Error::Secret(e.into()))?;
        let audience = settings.token_url.to_string();
        let stated = assertion(text.expose_secret(), &self.user, &settings.scope, &audience, clock::now())
            .map_err(|fault| self.no_token(format!("{}: {fault}", file.place("key"))))?;
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        Ok(vec![("grant_type", grant.into()), ("assertion", stated)])
    }

    fn after(&self, grant: &Grant, before: Option<&Kept>) -> Option<Kept> {
        Kept::after(grant, before, &self.settings.client_id, self.settings.provider, clock::now())
    }

    /// Waits for its turn with what is kept: see [`kept::lock`].
    async fn turn(&self) -> Result<std::fs::File> {
        let path = self.settings.kept.clone();
        let locked = tokio::task::spawn_blocking(move || kept::lock(&path)).await;
        locked.map_err(|e| Error::Internal(e.to_string()))?.map_err(|e| self.cannot_keep(&e))
    }

    fn keep(&self, kept: &Kept) -> Result<()> {
        kept.write(&self.settings.kept).map_err(|e| self.cannot_keep(&e))
    }

    fn cannot_keep(&self, error: &std::io::Error) -> Error {
        let path = self.settings.kept.display();
        Error::Unsuitable(format!(
            "cannot keep the login of {} in {path}: {error}; no token is used before what follows it is safe",
            self.user
        ))
    }
}
