//! `check`: the configuration, the passwords, the archive's folder and every server, without changing anything.

use std::path::Path;
use std::sync::Arc;

use rustix::fs::Access;
use tokio::task::JoinSet;
use vigie_common::document::MailboxSource;
use vigie_common::exit::Exit;

use super::{Failure, Outcome, exit_for, runtime, say};
use crate::error::{Error, Result, quoted};
use crate::session::{connect, presented};
use crate::settings::{Account, Settings};
use crate::transport::{Dialer, Pin};

pub(super) fn run(settings: &Settings) -> Outcome {
    say("configuration: good")?;
    let mut worst = Exit::Done;
    match writable(&settings.archive.root) {
        Ok(()) => {
            say(&format!("archive {}: good", settings.archive.root.display()))?;
        }
        Err(fault) => {
            worst = Exit::CannotWrite;
            say(&format!("archive {}: {fault}", settings.archive.root.display()))?;
        }
    }
    let runtime = runtime()?;
    let mut found = runtime.block_on(async {
        let dialer = Dialer::default();
        let mut accounts = JoinSet::new();
        for account in &settings.accounts {
            let (dialer, account) = (dialer.clone(), Arc::new(account.clone()));
            accounts.spawn(async move {
                let looked = look(&dialer, &account).await;
                let pin = pin(&dialer, &account, &looked).await;
                (account.id.clone(), looked, pin)
            });
        }
        let mut found = Vec::new();
        while let Some(looked) = accounts.join_next().await {
            found.push(looked.map_err(|e| Failure::new(Exit::Internal, e))?);
        }
        Ok::<_, Failure>(found)
    })?;
    found.sort_by(|a, b| a.0.cmp(&b.0));
    for (account, looked, pin) in found {
        match looked {
            Ok((watched, others, collections)) => {
                let shown = |names: &[String]| names.iter().map(|n| quoted(n)).collect::<Vec<_>>().join(", ");
                say(&format!(
                    "account {account}: good; watched: {}",
                    if watched.is_empty() { "none, see `mailboxes`".into() } else { shown(&watched) }
                ))?;
                if !others.is_empty() {
                    say(&format!("account {account}: not watched: {}", shown(&others)))?;
                }
                for collection in collections {
                    say(&format!(
                        "account {account}: {} shows messages of other mailboxes again, and is watched when `mailboxes` names it (\"\\\\All\" and the like)",
                        quoted(&collection)
                    ))?;
                }
                if watched.is_empty() && worst == Exit::Done {
                    worst = Exit::Config;
                }
            }
            Err(error) => {
                say(&format!("account {account}: {error}"))?;
                if let Some(pin) = pin {
                    say(&format!(
                        "account {account}: the certificate presented has the fingerprint {pin}; if the server's operator tells the same, trust it alone by pin = \"{pin}\""
                    ))?;
                }
                let exit = exit_for(&error);
                worst = if worst == Exit::Done || exit == Exit::Refused { exit } else { worst };
            }
        }
    }
    Ok(worst)
}

/// Names of the mailboxes that are watched, of the others, and of the collections that a wildcard left out.
async fn look(dialer: &Dialer, account: &Account) -> Result<(Vec<String>, Vec<String>, Vec<String>)> {
    let mut session = connect(dialer, account).await?;
    let found = session.mailboxes().await?;
    session.logout().await;
    let found: Vec<_> = found.into_iter().map(|f| f.source).collect();
    let left_out = account.mailboxes.left_out(&found).map(|source| source.name.clone()).collect();
    let (watched, others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|source| account.mailboxes.includes(source));
    let names = |sources: Vec<MailboxSource>| sources.into_iter().map(|source| source.name).collect();
    Ok((names(watched), names(others), left_out))
}

/// Where the certificate is not trusted: what it is, for those who can tell that it is the right one. Of an account
/// that pins one the error has told.
async fn pin<T>(dialer: &Dialer, account: &Account, looked: &Result<T>) -> Option<Pin> {
    if account.pins.is_empty() && matches!(looked, Err(Error::Tls { .. })) {
        presented(dialer, account).await.ok()
    } else {
        None
    }
}

/// Whether the folder, or the nearest one above it that exists, may be written to.
fn writable(root: &Path) -> std::result::Result<(), String> {
    let absolute = std::path::absolute(root).map_err(|e| e.to_string())?;
    let existing = absolute.ancestors().find(|p| p.exists()).ok_or("no such folder")?;
    if !existing.is_dir() {
        return Err(format!("{} is no folder", existing.display()));
    }
    rustix::fs::access(existing, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|e| format!("cannot write to {}: {e}; check owner and mode", existing.display()))
}
