//! AUTHENTICATE by an access token: XOAUTH2 and OAUTHBEARER (RFC 7628).
//!
//! Where both are offered it is XOAUTH2: that is what Google and Microsoft document for IMAP (Exchange Online knows no other),
//! so it is the one that servers are tried with. OAUTHBEARER is for those that have only the standard.

use async_imap::Client;
use async_imap::error::Error as Imap;
use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::timeout;
use vigie_common::config::{Flow, Provider};

use super::{Capabilities, refused};
use crate::command::{Channel, SILENCE};
use crate::error::{Error, Result};
use crate::oauth::{Access, Tokens, scrubbed};
use crate::settings::{Account, SignIn};
use crate::transport::Wire;

/// Octets of an error challenge that are looked at.
const CHALLENGE: usize = 4 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    XOAuth2,
    OAuthBearer,
}

impl Mechanism {
    fn of(offered: &Capabilities) -> Result<Self> {
        if offered.has("AUTH=XOAUTH2") {
            Ok(Self::XOAuth2)
        } else if offered.has("AUTH=OAUTHBEARER") {
            Ok(Self::OAuthBearer)
        } else {
            Err(Error::Unsuitable(
                "the server takes no access tokens (neither AUTH=XOAUTH2 nor AUTH=OAUTHBEARER); check `host`, or use a password".into(),
            ))
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    fn response(self, account: &Account, token: &SecretString) -> SecretString {
        let token = token.expose_secret();
        match self {
            Self::XOAuth2 => format!("user={}\x01auth=Bearer {token}\x01\x01", account.user).into(),
            Self::OAuthBearer => {
                let user = account.user.replace('=', "=3D").replace(',', "=2C");
                let (host, port) = (&account.host, account.port);
                format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01").into()
            }
        }
    }
}

/// Answers challenges: the first by the token (unless that went along with the command), the second, which tells of a
/// refusal, by what makes the server say NO.
struct Bearer {
    response: Option<SecretString>,
    mechanism: Mechanism,
    told: Option<Vec<u8>>,
}

impl async_imap::Authenticator for &mut Bearer {
    type Response = String;

    fn process(&mut self, challenge: &[u8]) -> String {
        if let Some(response) = self.response.take() {
            return response.expose_secret().to_owned();
        }
        self.told = Some(challenge.iter().copied().take(CHALLENGE).collect());
        match self.mechanism {
            Mechanism::XOAuth2 => String::new(),
            Mechanism::OAuthBearer => "\x01".into(),
        }
    }
}

/// The error challenge (RFC 7628 section 3.2.2).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Challenge {
    status: String,
    scope: String,
}

/// Logs in by `access`. A token that was good before may have been revoked, so another one is tried once.
pub(super) async fn login(
    client: Client<Wire>,
    offered: &Capabilities,
    account: &Account,
    tokens: &Tokens,
    access: Access,
) -> Result<Channel> {
    let mechanism = Mechanism::of(offered)?;
    let initial = offered.has("SASL-IR");
    let mut token = access.token;
    let mut done = once(client, mechanism, initial, account, &token).await;
    done = match done {
        Err((error, Some(client))) if error.is_refusal() && access.accepted => {
            tracing::debug!(account = account.id, %error, "token refused: getting another one");
            token = tokens.access(account, Some(&token)).await?.token;
            once(client, mechanism, initial, account, &token).await
        }
        done => done,
    };
    match done {
        Ok(channel) => {
            tokens.accepted(&account.id, &token).await;
            Ok(channel)
        }
        Err((error, _)) => {
            if error.is_refusal() {
                // What a person corrects now may show in the next token alone.
                tokens.forget(&account.id).await;
            }
            Err(error)
        }
    }
}

async fn once(
    client: Client<Wire>,
    mechanism: Mechanism,
    initial: bool,
    account: &Account,
    token: &SecretString,
) -> std::result::Result<Channel, (Error, Option<Client<Wire>>)> {
    let response = mechanism.response(account, token);
    let encoded = SecretString::from(BASE64.encode(response.expose_secret().as_bytes()));
    let name = mechanism.name();
    let command = if initial { format!("{name} {}", encoded.expose_secret()) } else { name.to_owned() };
    let mut bearer = Bearer { response: (!initial).then_some(response), mechanism, told: None };
    match timeout(SILENCE, client.authenticate(command, &mut bearer)).await {
        Ok(Ok(session)) => Ok(Channel::new(session)),
        Ok(Err((error, client))) => {
            let error = explained(error, account, bearer.told.as_deref(), &[token, &encoded]);
            Err((error, Some(client)))
        }
        Err(_) => Err((Error::Lost { during: "login", cause: "no answer".into() }, None)),
    }
}

fn explained(error: Imap, account: &Account, told: Option<&[u8]>, secrets: &[&SecretString]) -> Error {
    let told: Challenge = told.and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_default();
    let mut advice = advice(account).to_owned();
    if !told.status.is_empty() {
        advice = format!("the server told status {}; {advice}", scrubbed(&told.status, secrets));
    }
    if !told.scope.is_empty() {
        advice = format!("it wants the scope {}; {advice}", scrubbed(&told.scope, secrets));
    }
    refused(error, account, &advice, secrets)
}

/// What a person looks at when a token that was just got is refused.
fn advice(account: &Account) -> &'static str {
    match &account.sign_in {
        SignIn::OAuth2(settings) => match (settings.provider, settings.flow) {
            (Provider::Microsoft, Flow::ClientCredentials) => {
                "check that `user` is the mailbox, that IMAP is on for it, and that the application's service principal is registered in Exchange and has FullAccess to it"
            }
            (_, Flow::ServiceAccount) => "check that `user` has a mailbox, and that IMAP is on for it",
            _ => "check that `user` is a mailbox of whoever logged in, and that IMAP is on for it",
        },
        _ => "check `user` and the token command",
    }
}
