//! `login`: what a person does once, so that an account gets access tokens by itself from then on. A running ingest
//! notices the new login.

use std::io::{BufRead, IsTerminal};

use secrecy::SecretString;
use tokio::sync::mpsc;
use vigie_common::config::Flow;
use vigie_common::exit::Exit;

use super::{Failure, Outcome, exit_for, runtime, say};
use crate::error::Error;
use crate::oauth::{Client, by_device, by_loopback};
use crate::session::connect;
use crate::settings::{Account, Settings};
use crate::transport::Dialer;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Id of the account
    account: String,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Outcome {
    let account = account(settings, &arguments.account)?;
    let failed = |error: Error| Failure::new(exit_for(&error), format!("account {}: {error}", account.id));
    runtime()?.block_on(async {
        match Client::of(account) {
            Some(client) if client.settings().flow.needs_login() => {
                log_in(&client).await.map_err(failed)?;
                say(&format!("logged in; kept in {}", client.settings().kept.display()))?;
            }
            _ => say(&format!("account {} needs no login: trying it", account.id))?,
        }
        let session = connect(&Dialer::default(), account).await.map_err(failed)?;
        session.logout().await;
        say(&format!("account {}: good; {} let {} in", account.id, account.host, account.user))?;
        Ok(Exit::Done)
    })
}

async fn log_in(client: &Client) -> crate::error::Result<()> {
    // Who reads has gone away: the login can still be finished in the browser.
    let show = |line: &str| {
        let _ = say(line);
    };
    let grant = match client.settings().flow {
        Flow::Device => by_device(client, show).await?,
        Flow::Loopback => by_loopback(client, show, lines()).await?,
        _ => {
            if std::io::stdin().is_terminal() {
                show("Paste the refresh token, then press Enter:");
            }
            let token = lines().recv().await.map(|line| line.trim().to_owned()).unwrap_or_default();
            if token.is_empty() {
                return Err(Error::Unsuitable("no refresh token came: send it on stdin".into()));
            }
            return client.log_in_by(SecretString::from(token)).await;
        }
    };
    client.logged_in(&grant).await
}

/// Lines of stdin, read by a thread that ends with the process: nothing else can wait for them.
fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The account of this id.
pub(super) fn account<'a>(settings: &'a Settings, id: &str) -> Result<&'a Account, Failure> {
    settings.accounts.iter().find(|account| account.id == id).ok_or_else(|| {
        let known: Vec<_> = settings.accounts.iter().map(|a| a.id.as_str()).collect();
        let id = vigie_common::text::inert(id, 40);
        Failure::new(
            Exit::Usage,
            format!("no account {id} in the configuration; there are: {}", known.join(", ")),
        )
    })
}
