//! One task per account: finds its mailboxes, shares them out over few connections, and keeps each of these
//! at work. Trouble with a provider never ends the process.

mod accounts;
mod corrected;
mod lane;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use vigie_archive::{Change, MailboxState, Round};
use vigie_common::backoff::Backoff;
use vigie_common::clock;
use vigie_common::document::MailboxSource;

pub use self::accounts::{Accounts, Changed};
use self::corrected::Corrected;
use self::lane::{Lane, Left};
use crate::beat::Beat;
use crate::error::{Error, Result};
use crate::mailbox::{Mailbox, Shared};
use crate::session::{CONNECTING, Session, connect};
use crate::settings::Account;
use crate::transport::Dialer;

/// Connections of all accounts together, as long as there are no more accounts than that.
const ALL_CONNECTIONS: usize = 60;
/// First and longest wait after trouble.
const TROUBLE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(5));
/// The same after credentials were refused: providers lock accounts out that knock too often.
const REFUSED: (Duration, Duration) = (Duration::from_mins(15), Duration::from_hours(4));
/// Number of all connections of an account together, in its troubles: each alone has one from 1.
const ALL: usize = 0;
/// Share of a wait that chance may take off.
const JITTER: f64 = 0.5;

/// Watches `account` until it is told to stop.
pub async fn watch(shared: Shared, dialer: Dialer, account: Arc<Account>) {
    let mut trouble = Backoff::new(TROUBLE.0, TROUBLE.1, JITTER);
    let mut refused = Backoff::new(REFUSED.0, REFUSED.1, JITTER);
    shared.board.account(&account.id, |_| ());
    loop {
        let before = Corrected::since_now(&account);
        let (error, wait) = match looked_after(&shared, &dialer, &account).await {
            Ok(Left::Stopped) | Err(Error::Stopped) => return,
            Ok(Left::Changed) => {
                tracing::info!(
                    account = account.id,
                    "the list of mailboxes changed: looking at all of them again"
                );
                trouble.reset();
                continue;
            }
            Err(error) if error.is_refusal() => {
                set_state(&shared, &account, MailboxState::Refused, &error).await;
                let wait = refused.next(rand::random());
                tracing::error!(account = account.id, %error, next_try_s = wait.as_secs(), "credentials refused: this account stands still until a person has acted");
                (error, wait)
            }
            Err(error) => {
                set_state(&shared, &account, MailboxState::BackingOff, &error).await;
                let wait = trouble.next(rand::random());
                tracing::warn!(account = account.id, %error, next_try_s = wait.as_secs(), "cannot look at the account");
                (error, wait)
            }
        };
        shared.board.account(&account.id, |known| known.met(ALL, &error, wait, clock::now()));
        let beat = shared.beats.begin(&account.id);
        tokio::select! {
            () = beat.during(wait, sleep(wait)) => {}
            () = before.changed(&dialer.tokens, &account), if error.is_refusal() => {
                tracing::info!(account = account.id, "what it logs in by was changed: trying again");
                refused.reset();
            }
            () = shared.shutdown.cancelled() => return,
        }
    }
}

/// [`lanes`] in a task of its own: should it fail by a fault of ours, that is told, and tried again.
async fn looked_after(shared: &Shared, dialer: &Dialer, account: &Arc<Account>) -> Result<Left> {
    let (shared, dialer, account) = (shared.clone(), dialer.clone(), Arc::clone(account));
    let mut task = JoinSet::new();
    task.spawn(async move { lanes(&shared, &dialer, &account).await });
    match task.join_next().await {
        Some(left) => left.map_err(|e| Error::Internal(e.to_string()))?,
        None => Ok(Left::Stopped),
    }
}

/// For people: how all mailboxes of an account stand that could not even be looked at.
async fn set_state(shared: &Shared, account: &Account, state: MailboxState, error: &Error) {
    let reason = error.to_string();
    shared.board.account(&account.id, |known| {
        for mailbox in known.mailboxes.values_mut() {
            (mailbox.state, mailbox.reason) = (state, Some(reason.clone()));
        }
    });
    let mailboxes = shared.store.mailboxes(&account.id).await.unwrap_or_default();
    let change = |mailbox| Change::State {
        mailbox,
        state,
        since: clock::now(),
        reason: Some(reason.clone()),
        next_step: None,
    };
    let changes = mailboxes.into_iter().map(change).collect();
    if let Err(error) = shared.store.commit(Round { changes, ..Round::default() }).await {
        tracing::debug!(account = account.id, %error, "state not recorded");
    }
}

/// Connects once to find the mailboxes, then runs one lane a connection until one of them has a reason to leave.
async fn lanes(shared: &Shared, dialer: &Dialer, account: &Arc<Account>) -> Result<Left> {
    let beat = shared.beats.begin(&account.id);
    let (session, sources) = tokio::select! {
        looked = look(dialer, account, &beat) => looked?,
        () = shared.shutdown.cancelled() => return Ok(Left::Stopped),
    };
    if sources.is_empty() {
        session.logout().await;
        return Err(Error::Unsuitable(format!(
            "no mailbox of account {} is watched: see `mailboxes`",
            account.id
        )));
    }
    let names: Arc<[String]> = sources.iter().map(|s| s.raw_name.clone()).collect();
    tracing::info!(account = account.id, mailboxes = sources.len(), "watching");
    shared.board.account(&account.id, |known| known.troubles.clear());
    let mut first = Some(session);
    let mut running = JoinSet::new();
    let mut watched = BTreeSet::new();
    let connections = shared.connections.min(account.quirks.connections);
    for (number, share) in (1..).zip(share_out(sources, connections)) {
        let mut mailboxes = Vec::with_capacity(share.len());
        for source in share {
            let mailbox = Mailbox::open(shared, account, source).await?;
            mailbox.served_by(number);
            watched.insert(mailbox.shown());
            mailboxes.push(mailbox);
        }
        // The first lane sees to it that new mailboxes are noticed.
        let names = first.is_some().then(|| Arc::clone(&names));
        let lane = Lane::new(shared.clone(), dialer.clone(), Arc::clone(account), number, mailboxes, names);
        running.spawn(lane.run(first.take()));
    }
    // Mailboxes that are watched no more.
    shared.board.account(&account.id, |known| known.mailboxes.retain(|shown, _| watched.contains(shown)));
    // From here on the lanes answer for themselves.
    drop(beat);
    let left = running.join_next().await.unwrap_or(Ok(Ok(Left::Stopped)));
    if shared.shutdown.is_cancelled() {
        // Each says good-bye; whoever takes too long is ended with the process.
        while running.join_next().await.is_some() {}
    }
    // Else the first to leave takes the others along: dropping the set ends them where they stand, and what is not
    // committed is fetched again.
    left.map_err(|e| Error::Internal(e.to_string()))?
}

/// Connects and finds the mailboxes that are watched; waits are published by `beat`.
///
/// # Errors
/// As [`connect`] and [`watched`].
pub async fn look(dialer: &Dialer, account: &Account, beat: &Beat) -> Result<(Session, Vec<MailboxSource>)> {
    let mut session = beat.during(CONNECTING, connect(dialer, account)).await?;
    session.set_beat(beat.clone());
    let sources = watched(&mut session, account).await?;
    Ok((session, sources))
}

/// The mailboxes of the account that its patterns include. A name that is asked for and not there is told.
///
/// # Errors
/// The connection is lost, or LIST refused.
pub async fn watched(session: &mut Session, account: &Account) -> Result<Vec<MailboxSource>> {
    let mut sources: Vec<_> = session.mailboxes().await?.into_iter().map(|f| f.source).collect();
    for name in account.mailboxes.unmatched(&sources) {
        tracing::warn!(
            account = account.id,
            mailbox = name,
            "the server has no such mailbox; `vigie-ingest check` lists those it has"
        );
    }
    sources.retain(|source| account.mailboxes.includes(source));
    Ok(sources)
}

/// Connections of one account at most, when there are so many of these.
#[must_use]
pub fn connections_each(accounts: usize) -> usize {
    (ALL_CONNECTIONS / accounts.max(1)).max(1)
}

/// Mailboxes to at most so many connections: one each while there are enough, then the last takes all others. INBOX
/// comes first.
#[must_use]
pub fn share_out<T>(mut mailboxes: Vec<T>, connections: usize) -> Vec<Vec<T>> {
    let alone = if mailboxes.len() <= connections { mailboxes.len() } else { connections.saturating_sub(1) };
    let rest = mailboxes.split_off(alone);
    let mut shares: Vec<Vec<T>> = mailboxes.into_iter().map(|m| vec![m]).collect();
    if !rest.is_empty() {
        shares.push(rest);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::{connections_each, share_out};

    #[test]
    fn no_more_connections_than_are_allowed() {
        assert_eq!(share_out::<u8>(vec![], 3), Vec::<Vec<u8>>::new());
        assert_eq!(share_out(vec![1, 2, 3], 3), [vec![1], vec![2], vec![3]]);
        assert_eq!(share_out(vec![1, 2, 3, 4, 5], 3), [vec![1], vec![2], vec![3, 4, 5]]);
        assert_eq!(share_out(vec![1, 2, 3], 1), [vec![1, 2, 3]]);
        assert_eq!([0, 1, 20, 21, 40, 500].map(connections_each), [60, 60, 3, 2, 1, 1]);
    }
}
