//! From nothing to an authenticated session: TCP, TLS or STARTTLS, capabilities, login.

use std::time::Duration;

use async_imap::Client;
use async_imap::imap_proto::{Response, Status};
use tokio::time::timeout;
use vigie_common::config::Tls;

use super::{Capabilities, Session, auth};
use crate::error::{Error, Result, quoted};
use crate::guard::Mode;
use crate::reason::Reason;
use crate::settings::Account;
use crate::transport::{Dialer, Pin, Wire, guarded};

/// From nothing to the login takes no longer than this.
pub const CONNECTING: Duration = Duration::from_secs(90);

/// Connects to `account` and logs in.
///
/// # Errors
/// Anything but [`Error::Archive`] and [`Error::Conflict`]. No credential is sent before the connection is
/// protected as the account asks, nor after a greeting that is not what it should be.
pub async fn connect(dialer: &Dialer, account: &Account) -> Result<Session> {
    timeout(CONNECTING, steps(dialer, account)).await.map_err(|_| slow(account))?
}

fn slow(account: &Account) -> Error {
    Error::Unreachable {
        host: account.host.clone(),
        port: account.port,
        cause: format!("no login within {} s", CONNECTING.as_secs()),
    }
}

/// The fingerprint of the certificate that `account`'s server presents, trusted or not. Nobody logs in.
///
/// # Errors
/// As [`connect`].
pub async fn presented(dialer: &Dialer, account: &Account) -> Result<Pin> {
    let look = async {
        let stream = Box::new(dialer.tcp(account).await?);
        match account.tls {
            Tls::Starttls => {
                let plain = starttls(greeted(guarded(stream)).await?).await?;
                dialer.presented(account, plain).await
            }
            Tls::Implicit | Tls::None => dialer.presented(account, stream).await,
        }
    };
    timeout(CONNECTING, look).await.map_err(|_| slow(account))?
}

/// Connects to `account` as [`connect`] does, up to the login: what the server offers before it.
///
/// # Errors
/// As [`connect`], but for the credentials.
pub async fn greet(dialer: &Dialer, account: &Account) -> Result<Capabilities> {
    /// A person waits.
    const WAIT: Duration = Duration::from_secs(20);
    let slow = || Error::Unreachable {
        host: account.host.clone(),
        port: account.port,
        cause: format!("no greeting within {} s", WAIT.as_secs()),
    };
    let (_, offered) = timeout(WAIT, protected(dialer, account)).await.map_err(|_| slow())??;
    Ok(offered)
}

/// Up to the login, and what is offered there.
async fn protected(dialer: &Dialer, account: &Account) -> Result<(Client<Wire>, Capabilities)> {
    let stream = Box::new(dialer.tcp(account).await?);
    let mut client = match account.tls {
        Tls::Implicit => greeted(guarded(dialer.tls(account, stream).await?)).await?,
        Tls::None => greeted(guarded(stream)).await?,
        Tls::Starttls => {
            let plain = starttls(greeted(guarded(stream)).await?).await?;
            Client::new(guarded(dialer.tls(account, plain).await?))
        }
    };
    let offered = capabilities(&mut client).await?;
    Ok((client, offered))
}

async fn steps(dialer: &Dialer, account: &Account) -> Result<Session> {
    // Before anything is asked of the server: a password that cannot be read is no reason to knock.
    let credential = auth::credential(account, &dialer.tokens).await?;
    let (client, offered) = protected(dialer, account).await?;
    let mut channel = auth::login(client, &offered, account, &dialer.tokens, credential).await?;
    let mut capabilities = Capabilities::default();
    channel
        .run("CAPABILITY", "CAPABILITY", |response| {
            if let Response::Capabilities(list) = response {
                capabilities.add(list);
            }
        })
        .await?;
    if capabilities.has("ID") {
        // Some providers (163.com) serve nobody who does not say who they are. The answer does not matter.
        let command = format!("ID (\"name\" \"vigie\" \"version\" \"{}\")", env!("CARGO_PKG_VERSION"));
        match channel.run("ID", &command, |_| ()).await {
            Ok(()) | Err(Error::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if account.compress && capabilities.has("COMPRESS=DEFLATE") {
        let compressed = channel.compress().await?;
        tracing::debug!(account = account.id, compressed, "COMPRESS");
    }
    Ok(Session::new(channel, capabilities))
}

/// Reads the greeting. PREAUTH is refused: nobody asked for it, and it is how STARTTLS is stripped.
async fn greeted(wire: Wire) -> Result<Client<Wire>> {
    const DURING: &str = "the greeting";
    let mut client = Client::new(wire);
    let greeting = timeout(crate::command::SILENCE, client.read_response())
        .await
        .map_err(|_| Error::Lost {
            during: DURING,
            cause: "the server said nothing; is `tls` right for this port?".into(),
        })?
        .map_err(|e| Error::lost(DURING, &e))?;
    let Some(greeting) = greeting else {
        return Err(Error::Lost { during: DURING, cause: "the server closed the connection".into() });
    };
    match greeting.parsed() {
        Response::Data { status: Status::Ok, .. } => {}
        Response::Data { status: Status::PreAuth, .. } => {
            return Err(Error::Unsuitable("the server says that we are logged in already (PREAUTH), which we did not ask for; somebody may be interfering with the connection".into()));
        }
        Response::Data { status: Status::Bye, outcome } => {
            return Err(Reason::farewell(
                DURING,
                &quoted(outcome.information.as_deref().unwrap_or_default()),
            ));
        }
        _ => return Err(Error::Unsuitable("what answers there is no IMAP server".into())),
    }
    Ok(client)
}

/// Asks for encryption (RFC 3501 section 6.2.1), and gives back the stream on which it begins.
async fn starttls(mut client: Client<Wire>) -> Result<Box<dyn crate::transport::Transport>> {
    const NAME: &str = "STARTTLS";
    client.get_mut().set_mode(Mode::Switching);
    match timeout(crate::command::SILENCE, client.run_command_and_check_ok(NAME, None)).await {
        Ok(Ok(())) => {}
        Ok(Err(async_imap::error::Error::Io(error))) => return Err(Error::lost(NAME, &error)),
        Ok(Err(error)) => {
            return Err(Error::Unsuitable(format!(
                "the server does not begin encryption ({}); no password is sent without it, use tls = \"implicit\" if the server offers that",
                auth::reason(&error)
            )));
        }
        Err(_) => return Err(Error::Lost { during: NAME, cause: "no answer".into() }),
    }
    let buffered = client
        .into_inner()
        .into_inner()
        .map_err(|violation| Error::Lost { during: NAME, cause: violation.to_string() })?;
    Ok(buffered.into_inner())
}

/// CAPABILITY before login.
async fn capabilities(client: &mut Client<Wire>) -> Result<Capabilities> {
    const NAME: &str = "CAPABILITY";
    // More than a few untagged answers are no answer to this; they are dropped.
    let (sender, told) = async_channel::bounded(16);
    match timeout(crate::command::SILENCE, client.run_command_and_check_ok(NAME, Some(sender))).await {
        Ok(Ok(())) => {}
        Ok(Err(async_imap::error::Error::Io(error))) => return Err(Error::lost(NAME, &error)),
        Ok(Err(error)) => return Err(Reason::refusal(NAME, auth::reason(&error))),
        Err(_) => return Err(Error::Lost { during: NAME, cause: "no answer".into() }),
    }
    let mut capabilities = Capabilities::default();
    while let Ok(response) = told.try_recv() {
        if let async_imap::types::UnsolicitedResponse::Other(data) = response
            && let Response::Capabilities(list) = data.parsed()
        {
            capabilities.add(list);
        }
    }
    Ok(capabilities)
}
