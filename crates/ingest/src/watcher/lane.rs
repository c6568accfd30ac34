//! One connection of an account and the mailboxes that it serves: a state is a method that returns why it
//! was left.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};
use vigie_archive::{MailboxState, is_stale};
use vigie_common::backoff::Backoff;
use vigie_common::clock;

use super::{JITTER, TROUBLE, watched};
use crate::beat::Beat;
use crate::command::BEGINNING;
use crate::error::{Error, Result};
use crate::mailbox::{Mailbox, Pass, Shared};
use crate::providers::Quirks;
use crate::session::{CONNECTING, Session, Told, connect};
use crate::settings::Account;
use crate::transport::Dialer;

/// A server that tells of messages which are not there is asked at least this often.
const SLOW: Duration = Duration::from_mins(1);
/// Share of the times between two looks that chance may take off, so that not all ask at once.
const SPREAD: f64 = 0.1;
/// The mailbox of a lane that the server tells of.
const HOME: usize = 0;
/// So many connections in a row are lost at the beginning of IDLE before it is done without (GMX),
const LOST: u32 = 2;
/// for so long.
const NO_IDLE: Duration = Duration::from_hours(1);
/// A connection that lives for so long is no sign of trouble any more.
const LASTS: Duration = Duration::from_mins(1);
/// Nor is it begun again when so many connections in a row were lost so soon after it began (Rambler).
const DEADLY: (Duration, u32) = (Duration::from_secs(90), 3);
/// Every so manieth poll is a whole pass, whatever STATUS says, and new mailboxes are looked for.
const WHOLE: u32 = 5;
/// So many times in a row may a server tell of messages that are not there before it is asked more slowly.
const IN_VAIN: u32 = 3;

/// Why a lane ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The process ends.
    Stopped,
    /// The account has other mailboxes than before.
    Changed,
}

#[derive(Debug)]
pub(super) struct Lane {
    shared: Shared,
    dialer: Dialer,
    account: Arc<Account>,
    /// Of the account's lanes, from 1.
    number: usize,
    mailboxes: Vec<Mailbox>,
    beat: Beat,
    /// Names of all mailboxes of the account, where this lane looks for new ones.
    names: Option<Arc<[String]>>,
    backoff: Backoff,
    last_success: Timestamp,
    /// The mailbox that is open, and was looked at.
    open: Option<usize>,
    /// Whether the server tells of the first mailbox.
    idles: bool,
    /// Not before this is it asked to once more.
    no_idle_until: Option<Instant>,
    /// Connections in a row that were lost at the beginning of IDLE.
    idle_lost: u32,
    /// Connections in a row that were lost soon after it began.
    deaths: u32,
    /// When the present connection was made.
    connected: Instant,
    /// Times in a row that it told of messages which were not there.
    in_vain: u32,
}

impl Lane {
    pub(super) fn new(
        shared: Shared,
        dialer: Dialer,
        account: Arc<Account>,
        number: usize,
        mailboxes: Vec<Mailbox>,
        names: Option<Arc<[String]>>,
    ) -> Self {
        let backoff = Backoff::new(TROUBLE.0, TROUBLE.1, JITTER);
        let first = mailboxes.first().map(Mailbox::shown).unwrap_or_default();
        let others = match mailboxes.len() {
            0 | 1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        let beat = shared.beats.begin(format!("{}/{first}{others}", account.id));
        let last_success = clock::now();
        Self {
            shared,
            dialer,
            account,
            number,
            mailboxes,
            beat,
            names,
            backoff,
            last_success,
            open: None,
            idles: false,
            no_idle_until: None,
            idle_lost: 0,
            deaths: 0,
            connected: Instant::now(),
            in_vain: 0,
        }
    }

    /// Serves the mailboxes, on `session` first, until there is a reason to leave.
    pub(super) async fn run(mut self, session: Option<Session>) -> Result<Left> {
        let mut ready = session;
        loop {
            let connected = match ready.take() {
                Some(session) => Ok(session),
                None => self.connecting().await,
            };
            let left = match connected {
                Ok(session) => self.serving(session).await,
                Err(error) => Err(error),
            };
            match left {
                Ok(left) => {
                    self.set_state(MailboxState::Stopped, None, None).await;
                    return Ok(left);
                }
                Err(Error::Stopped) => {
                    self.set_state(MailboxState::Stopped, None, None).await;
                    return Ok(Left::Stopped);
                }
                // The whole account rests: see `watch`.
                Err(error) if error.is_refusal() || matches!(error, Error::Throttled { .. }) => {
                    return Err(error);
                }
                Err(error) => {
                    if error.is_end_of_token() {
                        self.dialer.tokens.forget(&self.account.id).await;
                    }
                    if self.backing_off(&error).await == Left::Stopped {
                        return Ok(Left::Stopped);
                    }
                }
            }
        }
    }

    async fn connecting(&mut self) -> Result<Session> {
        // One in trouble stays so, since when it is, until something went well.
        for mailbox in &self.mailboxes {
            if !mailbox.facts().is_some_and(|known| known.is_in_trouble()) {
                self.tell(mailbox, MailboxState::Connecting, None, None).await;
            }
        }
        tokio::select! {
            session = self.beat.during(CONNECTING, connect(&self.dialer, &self.account)) => session,
            () = self.shared.shutdown.cancelled() => Err(Error::Stopped),
        }
    }

    /// Waits after trouble; gives back [`Left::Changed`] when it is time to try again.
    async fn backing_off(&mut self, error: &Error) -> Left {
        let wait = self.backoff.next(rand::random());
        let now = clock::now();
        let next_try = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        let (state, next_step) = match error {
            error if error.is_full() => (MailboxState::DiskLow, "make room; tries again"),
            _ if is_stale(self.last_success, now) => {
                (MailboxState::Stale, "`vigie-ingest check` tries now; tries again by itself")
            }
            _ => (MailboxState::BackingOff, "tries again"),
        };
        self.shared.board.account(&self.account.id, |known| known.met(self.number, error, wait, now));
        tracing::warn!(account = self.account.id, %error, next_try_s = wait.as_secs(), "trouble: trying again later");
        self.set_state(state, Some(error.to_string()), Some(format!("{next_step} at {next_try:.0}"))).await;
        tokio::select! {
            () = self.beat.during(wait, sleep(wait)) => Left::Changed,
            () = self.shared.shutdown.cancelled() => {
                self.set_state(MailboxState::Stopped, None, None).await;
                Left::Stopped
            }
        }
    }

    /// First everything that is missing, then what changes.
    async fn serving(&mut self, mut session: Session) -> Result<Left> {
        session.set_beat(self.beat.clone());
        self.connected = Instant::now();
        let given_up = self.no_idle_until.is_some_and(|until| Instant::now() < until);
        let wanted = !self.account.quirks.idle.is_zero();
        self.idles = wanted && session.capabilities().has("IDLE") && !given_up;
        self.fetching(&mut session).await?;
        self.watching(session).await
    }

    async fn fetching(&mut self, session: &mut Session) -> Result<()> {
        for at in 0..self.mailboxes.len() {
            if let Some(mailbox) = self.mailboxes.get_mut(at) {
                mailbox.set_state(MailboxState::Fetching, None, None).await?;
            }
            self.sync(session, at).await?;
        }
        self.succeeded();
        Ok(())
    }

    /// A whole pass over one mailbox. That one of several is refused is its own trouble, not the connection's: gives
    /// back whether it was looked at.
    async fn sync(&mut self, session: &mut Session, at: usize) -> Result<bool> {
        let alone = self.mailboxes.len() == 1;
        let state = if self.idles && at == HOME { MailboxState::Idle } else { MailboxState::Polling };
        let Some(mailbox) = self.mailboxes.get_mut(at) else { return Ok(false) };
        let pass = mailbox.sync(session).await;
        self.open = pass.is_ok().then_some(at);
        report(&self.account, mailbox);
        match pass {
            Ok(_) => {
                mailbox.set_live();
                at_rest(mailbox, state).await.map(|()| true)
            }
            Err(error @ (Error::Refused { .. } | Error::Unsuitable(_))) if !alone => {
                tracing::warn!(account = self.account.id, mailbox = mailbox.shown(), %error, "this mailbox is left out for now");
                let next = "is asked again in a minute".to_owned();
                mailbox.set_state(MailboxState::BackingOff, Some(error.to_string()), Some(next)).await?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The server tells what is new in the first mailbox, if it can do so; the others are asked for every minute.
    async fn watching(&mut self, mut session: Session) -> Result<Left> {
        let mut told: Vec<Option<Told>> = vec![None; self.mailboxes.len()];
        let mut rounds = 0_u32;
        loop {
            if self.idles && self.open != Some(HOME) {
                self.sync(&mut session, HOME).await?;
            }
            let Quirks { idle, poll, .. } = self.account.quirks;
            let all_idle = self.idles && self.mailboxes.len() == 1;
            let every = if all_idle { idle } else { poll };
            let held = self.mailboxes.iter().filter_map(Mailbox::held).min().map_or(every, left_until);
            let until = Instant::now() + every.mul_f64(1.0 - SPREAD * rand::random::<f64>()).min(held);
            let left = if self.idles && self.open == Some(HOME) {
                self.idling(&mut session, until).await?
            } else {
                tokio::select! {
                    () = self.beat.during(every, sleep_until(until)) => None,
                    () = self.shared.shutdown.cancelled() => Some(Left::Stopped),
                }
            };
            if let Some(left) = left {
                session.logout().await;
                return Ok(left);
            }
            rounds = rounds.wrapping_add(1);
            self.polling(&mut session, &mut told, rounds).await?;
            self.succeeded();
            if (all_idle || rounds.is_multiple_of(WHOLE)) && self.has_changed(&mut session).await? {
                return Ok(Left::Changed);
            }
        }
    }

    /// What the server tells of the first mailbox is fetched as it comes, until `until`.
    async fn idling(&mut self, session: &mut Session, until: Instant) -> Result<Option<Left>> {
        let stop = self.shared.shutdown.clone();
        while Instant::now() < until {
            let since = Instant::now();
            let news = match session.idle(until, stop.cancelled()).await {
                Ok(news) => news,
                Err(Error::Refused { text, .. }) => {
                    self.give_up_idle(&text).await;
                    return Ok(None);
                }
                Err(error) => {
                    match error {
                        Error::Lost { during: BEGINNING, .. } => self.idle_lost += 1,
                        Error::Lost { .. } if since.elapsed() < DEADLY.0 => self.deaths += 1,
                        _ => self.deaths = 0,
                    }
                    if self.idle_lost >= LOST || self.deaths >= DEADLY.1 {
                        self.give_up_idle(&error.to_string()).await;
                    }
                    return Err(error);
                }
            };
            (self.idle_lost, self.deaths) = (0, 0);
            if stop.is_cancelled() {
                return Ok(Some(Left::Stopped));
            }
            let Some(mailbox) = self.mailboxes.get_mut(HOME) else { return Ok(Some(Left::Stopped)) };
            if news {
                let pass = mailbox.catch_up(session).await?;
                report(&self.account, mailbox);
                at_rest(mailbox, MailboxState::Idle).await?;
                self.in_vain = if pass.stored > 0 { 0 } else { self.in_vain + 1 };
                if self.in_vain > IN_VAIN && self.pause(self.in_vain - IN_VAIN).await == Left::Stopped {
                    return Ok(Some(Left::Stopped));
                }
            } else if session.has_changes() {
                mailbox.take_changes(session).await?;
            }
            self.succeeded();
        }
        Ok(None)
    }

    /// The server does not want to IDLE, or cannot: it is asked every minute instead, for an hour.
    async fn give_up_idle(&mut self, text: &str) {
        tracing::info!(
            account = self.account.id,
            text,
            "no IDLE with this server: asking every minute instead"
        );
        self.idles = false;
        (self.idle_lost, self.deaths) = (0, 0);
        self.no_idle_until = Some(Instant::now() + NO_IDLE);
        if let Some(mailbox) = self.mailboxes.get_mut(HOME)
            && let Err(error) = mailbox.set_state(MailboxState::Polling, None, None).await
        {
            tracing::debug!(account = self.account.id, %error, "state not recorded");
        }
    }

    /// Asks for each mailbox whether it has changed, and looks at those that have: at all of them now and then, whatever
    /// the server says.
    async fn polling(&mut self, session: &mut Session, told: &mut [Option<Told>], round: u32) -> Result<()> {
        // What STATUS says of an open mailbox may be frozen (Exchange).
        let open = self.open;
        let alone = self.mailboxes.len() == 1;
        for (at, before) in (0_u32..).zip(told.iter_mut()) {
            let whole = alone || round.wrapping_add(at).is_multiple_of(WHOLE);
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let Some(mailbox) = self.mailboxes.get(at) else { break };
            let unchanged = if Some(at) != open {
                let now = status(session, mailbox).await?;
                let unchanged = now.is_some() && (now == *before || now == mailbox.told());
                *before = now;
                unchanged
            } else {
                // IDLE has told of it until now.
                self.idles
            };
            if unchanged && !whole && !mailbox.is_due() {
                mailbox.proof_of_life();
            } else {
                if Some(at) == open {
                    session.noop().await?;
                }
                if !self.sync(session, at).await? {
                    // What STATUS said of it has not been fetched.
                    *before = None;
                }
            }
        }
        Ok(())
    }

    /// A server that tells of messages which are not there is not asked as often as it tells.
    async fn pause(&self, times: u32) -> Left {
        tokio::select! {
            () = self.beat.during(SLOW, sleep(Duration::from_secs(1 << times.min(6)).min(SLOW))) => Left::Changed,
            () = self.shared.shutdown.cancelled() => Left::Stopped,
        }
    }

    /// Whether the account has other mailboxes now than when the lanes were made.
    async fn has_changed(&self, session: &mut Session) -> Result<bool> {
        let Some(names) = &self.names else { return Ok(false) };
        let now = watched(session, &self.account).await?;
        Ok(!now.iter().map(|s| &s.raw_name).eq(names.iter()))
    }

    fn succeeded(&mut self) {
        // A server that serves us and hangs up, each time, is not asked without pause.
        if self.connected.elapsed() >= LASTS {
            self.backoff.reset();
        }
        self.last_success = clock::now();
        self.shared.board.account(&self.account.id, |known| known.succeeded(self.number));
    }

    async fn set_state(&self, state: MailboxState, reason: Option<String>, next: Option<String>) {
        for mailbox in &self.mailboxes {
            self.tell(mailbox, state, reason.clone(), next.clone()).await;
        }
    }

    /// For people; when the archive cannot take even this, the trouble is told elsewhere.
    async fn tell(
        &self,
        mailbox: &Mailbox,
        state: MailboxState,
        reason: Option<String>,
        next_step: Option<String>,
    ) {
        if let Err(error) = mailbox.set_state(state, reason, next_step).await {
            tracing::debug!(account = self.account.id, %error, "state not recorded");
        }
    }
}

/// All was fetched that may be: how the mailbox waits for more.
async fn at_rest(mailbox: &Mailbox, state: MailboxState) -> Result<()> {
    match mailbox.held() {
        None => mailbox.set_state(state, None, None).await,
        Some(until) => {
            let reason = "`daily_bytes` of the account is used up, but for what is kept for new mail";
            let next_step = format!("nothing to do: older mail goes on by itself at {until:.0}");
            mailbox.set_state(MailboxState::Throttled, Some(reason.into()), Some(next_step)).await
        }
    }
}

/// How long it is to then, and a moment more.
fn left_until(then: Timestamp) -> Duration {
    let left = Duration::try_from(then.duration_since(clock::now())).unwrap_or_default();
    left + Duration::from_secs(1)
}

/// What STATUS says, if it says enough to tell whether anything has changed.
async fn status(session: &mut Session, mailbox: &Mailbox) -> Result<Option<Told>> {
    match session.status(&mailbox.source().raw_name).await {
        Ok(told) => Ok(Some(told).filter(|told| told.messages.is_some() && told.uidnext.is_some())),
        Err(Error::Refused { .. } | Error::Unsuitable(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn report(account: &Account, mailbox: &Mailbox) {
    let Pass { exists, stored, bytes, gone, open, .. } = mailbox.pass();
    if stored > 0 || gone > 0 {
        tracing::info!(
            account = account.id,
            mailbox = mailbox.shown(),
            stored,
            bytes,
            gone,
            open,
            exists,
            "stored"
        );
    }
}
