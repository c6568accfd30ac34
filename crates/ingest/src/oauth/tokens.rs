//! The access tokens of all accounts, in memory alone: got when first needed, shared by an account's connections, got anew
//! before they end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::Instant;

use super::answer::{self, Grant};
use super::client::Client;
use super::kept::{Kept, Stamp};
use crate::board::{Board, TokenFacts};
use crate::error::{Error, Result};
use crate::settings::{Account, SignIn};

/// A token that ends sooner than this is not begun with.
const AHEAD: Duration = Duration::from_mins(5);

/// Shared by all who connect. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    accounts: Arc<Mutex<HashMap<String, Arc<Turn<Slot>>>>>,
    board: Board,
}

/// Of one account.
#[derive(Debug, Default)]
struct Slot {
    token: Option<SecretString>,
    /// When it is to be got anew.
    until: Option<Instant>,
    /// What the disk did not take.
    unsaved: Option<Kept>,
    /// Of the file that the login is kept in, as we saw or left it.
    seen: Option<Stamp>,
}

/// An access token.
#[derive(Debug)]
pub struct Access {
    /// What the mail server is shown.
    pub token: SecretString,
    /// It was got just now: if it is refused, another one will be, too.
    pub fresh: bool,
}

impl Tokens {
    /// Tokens whose ways are told on `board`.
    #[must_use]
    pub fn told_on(board: Board) -> Self {
        Self { accounts: Arc::default(), board }
    }

    /// An access token for `account`; not `refused`, which the mail server does not take.
    ///
    /// # Errors
    /// [`Error::Token`] until a person acts; others are to be tried again.
    pub async fn access(&self, account: &Account, refused: Option<&SecretString>) -> Result<Access> {
        let mut slot = self.slot(&account.id).lock_owned().await;
        if let Some(token) = slot.usable(refused) {
            return Ok(Access { token, fresh: false });
        }
        slot.token = None;
        let (tokens, account) = (self.clone(), account.clone());
        // In a task of its own: who waits may go away, but what the server has given out must be kept.
        let renewed = tokio::spawn(async move { tokens.renew(slot, &account).await });
        let token = renewed.await.map_err(|e| Error::Internal(e.to_string()))??;
        Ok(Access { token, fresh: true })
    }

    /// The mail server ended a session because of its token, whatever was said of how long it lasts.
    pub async fn forget(&self, account: &str) {
        self.slot(account).lock_owned().await.token = None;
    }

    /// The file that the login of `account` is kept in, as this process saw or left it.
    pub async fn seen(&self, account: &str) -> Option<Stamp> {
        self.slot(account).lock_owned().await.seen
    }

    fn slot(&self, account: &str) -> Arc<Turn<Slot>> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(account.to_owned()).or_default())
    }

    async fn renew(&self, mut slot: OwnedMutexGuard<Slot>, account: &Account) -> Result<SecretString> {
        let got = match (&account.sign_in, Client::of(account)) {
            (SignIn::TokenCommand(command), _) => {
                let text = command.text("token").await.map_err(|e| Error::Secret(e.into()))?;
                let grant = answer::printed(text.expose_secret());
                grant.map(|grant| (grant, None)).map_err(|fault| Error::Token {
                    user: account.user.clone(),
                    text: format!("{}: {fault}", account.sign_in.place()),
                })
            }
            (_, Some(client)) => {
                slot.seen = Stamp::of(&client.settings().kept);
                let got = client.renew(&mut slot.unsaved).await;
                if got.is_ok() {
                    slot.seen = Stamp::of(&client.settings().kept);
                }
                got
            }
            (SignIn::Password(_) | SignIn::OAuth2(_), None) => {
                Err(Error::Internal("this account signs in by a password".into()))
            }
        };
        self.board.account(&account.id, |known| {
            let facts = known.token.get_or_insert_with(TokenFacts::default);
            match &got {
                Ok((_, kept)) => {
                    facts.granted += 1;
                    facts.kept = kept.as_ref().map(|k| (k.logged_in_at, k.renewed_at, k.expires_at));
                }
                Err(Error::Token { .. }) => facts.refused += 1,
                Err(_) => facts.failed += 1,
            }
        });
        let (grant, _) = got?;
        tracing::debug!(account = account.id, lasts_s = grant.lifetime.as_secs(), "a new access token");
        slot.take(&grant, Instant::now());
        Ok(grant.access)
    }
}

impl Slot {
    fn usable(&self, refused: Option<&SecretString>) -> Option<SecretString> {
        let token = self.token.as_ref()?;
        let is_refused = refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret());
        (!is_refused && self.until? > Instant::now()).then(|| token.clone())
    }

    fn take(&mut self, grant: &Grant, now: Instant) {
        let ahead = AHEAD.min(grant.lifetime / 2);
        self.until = now.checked_add(grant.lifetime.saturating_sub(ahead));
        self.token = Some(grant.access.clone());
    }
}
