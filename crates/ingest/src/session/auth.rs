//! AUTHENTICATE PLAIN (RFC 4616), or LOGIN where the server has nothing better; by an access token where the account has
//! one.

mod bearer;

use async_imap::Client;
use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::Capabilities;
use crate::command::{Channel, SILENCE};
use crate::error::{Error, Result, quoted};
use crate::guard::Mode;
use crate::oauth::{Access, Tokens, scrubbed};
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
    let response = SecretString::from(format!("\0{}\0{}", account.user, password.expose_secret()));
    let encoded = SecretString::from(BASE64.encode(response.expose_secret().as_bytes()));
    let answered = if offered.has("AUTH=PLAIN") {
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
            let advice = format!("check `user` and the {}", account.sign_in.place());
            let repeated = repeated(password);
            let secrets: Vec<_> = repeated.iter().chain([&encoded]).collect();
            Err(refused(error, account, &advice, &secrets))
        }
        Err(_) => Err(Error::Lost { during: "login", cause: "no answer".into() }),
    }
}

/// How a server may repeat `password`: as it is and as a string in quotes, each of them also as async-imap's errors show it.
fn repeated(password: &SecretString) -> [SecretString; 4] {
    let plain = password.expose_secret();
    let escape = |text: &str| text.replace('\\', r"\\").replace('"', r#"\""#);
    let quotes = escape(plain);
    let debug = |text: &str| {
        let text = format!("{text:?}");
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
    };
    [debug(plain).into(), debug(&quotes).into(), plain.into(), quotes.into()]
}

/// What the server says of a login, without our `secrets`.
fn refused(
    error: async_imap::error::Error,
    account: &Account,
    advice: &str,
    secrets: &[&SecretString],
) -> Error {
    use async_imap::error::Error as Imap;
    match error {
        Imap::Io(error) => Error::lost("login", &error),
        Imap::ConnectionLost => {
            Error::Lost { during: "login", cause: "the server closed the connection".into() }
        }
        Imap::Validate(_) => Error::Unsuitable("user or password holds a line end".into()),
        error => {
            let is_no = matches!(error, Imap::No(_));
            let text = error.to_string();
            let told = scrubbed(words(&text), secrets);
            Reason::refused_login(&account.user, is_no, &reason(&error), told, advice)
        }
    }
}

/// The server's words in an error of async-imap.
pub(super) fn reason(error: &async_imap::error::Error) -> String {
    quoted(words(&error.to_string()))
}

/// The server's words in the text of an error of async-imap, which wraps them as `code: .., info: Some("..")`.
fn words(text: &str) -> &str {
    text.split_once("info: Some(\"").and_then(|(_, rest)| rest.strip_suffix("\")")).unwrap_or(text)
}
