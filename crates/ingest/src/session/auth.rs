//! AUTHENTICATE PLAIN (RFC 4616), or LOGIN where the server has nothing better; by an access token where the account has
//! one.

mod bearer;

use async_imap::Client;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::Capabilities;
use crate::command::{Channel, SILENCE};
use crate::error::{Error, Result, quoted};
use crate::guard::Mode;
use crate::oauth::{Access, Tokens};
use crate::reason::Reason;
use crate::settings::{Account, SignIn};
use crate::transport::Wire;

/// Answers the one challenge of PLAIN.
struct Plain(SecretString);

impl async_imap::Authenticator for Plain {
    type Response = String;

    fn process(&mut self, _challenge: &[u8]) -> String {
        self.0.expose_secret().to_owned()
    }
}

/// What an account shows.
pub(super) enum Credential {
    Password(SecretString),
    Token(Access),
}

/// What `account` shows.
///
/// # Errors
/// It cannot be had.
pub(super) async fn credential(account: &Account, tokens: &Tokens) -> Result<Credential> {
    match &account.sign_in {
        SignIn::Password(secret) => {
            let password = secret.read("password").await.map_err(|e| Error::Secret(e.into()))?;
            Ok(Credential::Password(password))
        }
        _ => tokens.access(account, None).await.map(Credential::Token),
    }
}

pub(super) async fn login(
    mut client: Client<Wire>,
    offered: &Capabilities,
    account: &Account,
    tokens: &Tokens,
    credential: Credential,
) -> Result<Channel> {
    client.get_mut().set_mode(Mode::Authenticating);
    match credential {
        Credential::Password(password) => by_password(client, offered, account, &password).await,
        Credential::Token(access) => bearer::login(client, offered, account, tokens, access).await,
    }
}

async fn by_password(
    client: Client<Wire>,
    offered: &Capabilities,
    account: &Account,
    password: &SecretString,
) -> Result<Channel> {
    let answered = if offered.has("AUTH=PLAIN") {
        let response = SecretString::from(format!("\0{}\0{}", account.user, password.expose_secret()));
        timeout(SILENCE, client.authenticate("PLAIN", Plain(response))).await
    } else if offered.has("LOGINDISABLED") {
        return Err(Error::Unsuitable(
            "the server takes no password on this connection (LOGINDISABLED); use tls = \"implicit\" or \"starttls\"".into(),
        ));
    } else {
        timeout(SILENCE, client.login(&account.user, password.expose_secret())).await
    };
    match answered {
        Ok(Ok(session)) => Ok(Channel::new(session)),
        Ok(Err((error, _))) => {
            Err(refused(error, account, &format!("check `user` and the {}", account.sign_in.place())))
        }
        Err(_) => Err(Error::Lost { during: "login", cause: "no answer".into() }),
    }
}

/// A refusal means the credentials, unless the server says that it is itself not well (RFC 5530).
fn refused(error: async_imap::error::Error, account: &Account, advice: &str) -> Error {
    use async_imap::error::Error as Imap;
    match error {
        Imap::Io(error) => Error::lost("login", &error),
        Imap::ConnectionLost => {
            Error::Lost { during: "login", cause: "the server closed the connection".into() }
        }
        Imap::No(_) => {
            let text = reason(&error);
            match Reason::of(&text) {
                Reason::Credentials | Reason::Other => {
                    Error::Credentials { user: account.user.clone(), text: format!("{text}; {advice}") }
                }
                _ => Reason::refusal("login", text),
            }
        }
        Imap::Validate(_) => Error::Unsuitable("user or password holds a line end".into()),
        error => Reason::refusal("login", reason(&error)),
    }
}

/// The server's words in an error of async-imap, which wraps them as `code: .., info: Some("..")`.
pub(super) fn reason(error: &async_imap::error::Error) -> String {
    let text = error.to_string();
    let words = text
        .split_once("info: Some(\"")
        .and_then(|(_, rest)| rest.strip_suffix("\")"))
        .map_or(text.as_str(), |words| words);
    quoted(words)
}
