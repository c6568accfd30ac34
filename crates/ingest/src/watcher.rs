//! One task per account: finds its mailboxes, shares them out over few connections, and keeps each of these
//! at work. Trouble with a provider never ends the process.

mod accounts;
mod corrected;
mod lane;
mod patience;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use vigie_archive::{MailboxState, Round};
use vigie_common::clock;
use vigie_common::document::MailboxSource;

pub use self::accounts::{Accounts, Changed};
use self::corrected::Corrected;
use self::lane::{Lane, Left};
use self::patience::Patience;
use crate::beat::Beat;
use crate::board::{ALL, AccountFacts, MailboxFacts};
use crate::error::{Error, Result};
use crate::mailbox::{Mailbox, Shared};
use crate::session::{CONNECTING, Session, connect};
use crate::settings::Account;
use crate::transport::Dialer;

/// Connections of all accounts together, as long as there are no more accounts than that.
const ALL_CONNECTIONS: usize = 60;
/// First and longest wait after trouble.
const TROUBLE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(5));
/// Share of a wait that chance may take off.
const JITTER: f64 = 0.5;

/// Watches `account` until it is told to stop.
pub async fn watch(shared: Shared, dialer: Dialer, account: Arc<Account>) {
    let mut patience = Patience::new(shared.connections.min(account.quirks.connections));
    shared.board.account(&account.id, |_| ());
    if let Err(error) = recall(&shared, &account).await {
        tracing::debug!(account = account.id, %error, "what is known of the account cannot be read yet");
    }
    loop {
        let before = Corrected::since_now(&account);
        let error = match looked_after(&shared, &dialer, &account, patience.connections).await {
            Ok(Left::Stopped) | Err(Error::Stopped) => return stop(&shared, &account).await,
            Ok(Left::Changed) => {
                tracing::info!(
                    account = account.id,
                    "the list of mailboxes changed: looking at all of them again"
                );
                continue;
            }
            Err(error) => error,
        };
        // That it lets us in is not enough: whatever ends us then would have us log in again without pause.
        if shared.board.of_account(&account.id, |known| known.all_well) == Some(true) {
            patience.reset();
        }
        let rest = patience.rest(&error, rand::random());
        let now = clock::now();
        let next_try = now.checked_add(rest.wait).unwrap_or(Timestamp::MAX);
        let next_step = rest.next_step(&account, next_try);
        match &error {
            error if error.is_refusal() => {
                tracing::error!(account = account.id, %error, next_step, "credentials refused: this account stands still");
            }
            Error::Throttled { .. } => {
                tracing::warn!(account = account.id, %error, next_step, connections = patience.connections, "the account rests: its provider asks for less");
            }
            _ => tracing::warn!(account = account.id, %error, next_step, "cannot look at the account"),
        }
        shared.board.account(&account.id, |known| {
            known.met(ALL, &error, rest.wait, now);
            if rest.state == MailboxState::Throttled {
                known.rested += rest.wait;
            }
            for mailbox in known.mailboxes.values_mut() {
                mailbox.stand(rest.state, Some(error.to_string()), Some(next_step.clone()), now);
            }
        });
        record(&shared, &account).await;
        let beat = shared.beats.begin(&account.id);
        tokio::select! {
            corrected = rest.take(&account, before, &dialer.tokens, &beat) => if corrected {
                tracing::info!(account = account.id, "what it logs in by was changed: trying again");
                patience.reset();
            },
            () = shared.shutdown.cancelled() => return stop(&shared, &account).await,
        }
    }
}

/// Puts on the board what the catalog knows of the account: people want to know how its mailboxes stand, also of a
/// server that was never reached.
async fn recall(shared: &Shared, account: &Account) -> Result<()> {
    recall_budget(shared, account).await?;
    for id in shared.store.mailboxes(&account.id).await? {
        let source = shared.store.view(id).await?.mailbox;
        if account.mailboxes.includes(&source) {
            let now = clock::now();
            shared.board.account(&account.id, |known| {
                known.watch(crate::error::quoted(&source.name), now).id = Some(id)
            });
        }
    }
    Ok(())
}

/// What was received within the last day counts, whoever received it. If that cannot be read, what comes from now on
/// counts.
///
/// # Errors
/// [`Error::Archive`].
pub async fn recall_budget(shared: &Shared, account: &Account) -> Result<()> {
    let (received, read) = match shared.store.received(&account.id).await {
        Ok(received) => (received, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    shared.board.account(&account.id, |known| known.budget.recall(account.daily_bytes, received));
    read
}

/// How its mailboxes stand goes from the board to the catalog. When the archive cannot take it, that is told elsewhere.
async fn record(shared: &Shared, account: &Account) {
    let changes = shared.board.of_account(&account.id, AccountFacts::unrecorded).unwrap_or_default();
    if changes.is_empty() {
        return;
    }
    if let Err(error) = shared.store.commit(Round { changes, ..Round::default() }).await {
        tracing::debug!(account = account.id, %error, "state not recorded");
        shared.board.account(&account.id, |known| {
            known.mailboxes.values_mut().for_each(MailboxFacts::record_again);
        });
    }
}

/// Nobody watches the account from now on.
async fn stop(shared: &Shared, account: &Account) {
    shared.board.account(&account.id, |known| {
        for mailbox in known.mailboxes.values_mut() {
            mailbox.stand(MailboxState::Stopped, None, None, clock::now());
        }
    });
    record(shared, account).await;
}

/// [`lanes`] in a task of its own: should it fail by a fault of ours, that is told, and tried again.
async fn looked_after(
    shared: &Shared,
    dialer: &Dialer,
    account: &Arc<Account>,
    connections: usize,
) -> Result<Left> {
    let (shared, dialer, account) = (shared.clone(), dialer.clone(), Arc::clone(account));
    let mut task = JoinSet::new();
    task.spawn(async move { lanes(&shared, &dialer, &account, connections).await });
    match task.join_next().await {
        Some(left) => left.map_err(|e| Error::Internal(e.to_string()))?,
        None => Ok(Left::Stopped),
    }
}

/// Connects once to find the mailboxes, then runs one lane a connection until one of them has a reason to leave.
async fn lanes(shared: &Shared, dialer: &Dialer, account: &Arc<Account>, connections: usize) -> Result<Left> {
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
    shared.board.account(&account.id, |known| known.let_in());
    let mut first = Some(session);
    let mut running = JoinSet::new();
    let mut watched = BTreeSet::new();
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
    shared.board.account(&account.id, |known| {
        for (_, mailbox) in known.mailboxes.iter_mut().filter(|(shown, _)| !watched.contains(*shown)) {
            let reason = "the server lists it no more".to_owned();
            mailbox.stand(MailboxState::Stopped, Some(reason), None, clock::now());
        }
    });
    record(shared, account).await;
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
    let found = session.mailboxes_named(|source| account.mailboxes.includes(source)).await?;
    let sources: Vec<_> = found.into_iter().map(|f| f.source).collect();
    for name in account.mailboxes.unmatched(&sources) {
        tracing::warn!(
            account = account.id,
            mailbox = name,
            "the server has no such mailbox; `vigie-ingest check` lists those it has"
        );
    }
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
