//! Our own command layer on async-imap's transport and codec.
//!
//! async-imap's helpers report a refused command, or a connection that ends, as an empty success
//! (chatmail/async-imap#95). Here a tagged NO or BAD, a BYE, the end of the stream and silence are all
//! errors, every read has a deadline, and a connection on which a command was broken off is never used again.

mod news;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_imap::imap_proto::{Outcome, RequestId, Response, ResponseCode, Status};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use self::news::News;
pub use self::news::{Changes, flags_of};
use crate::beat::Beat;
use crate::error::{Error, Result, quoted};
use crate::guard::Mode;
use crate::reason::Reason;
use crate::transport::{self, Wire};

/// A server that sends nothing for so long is gone; the same for a write that does not end.
pub const SILENCE: Duration = Duration::from_secs(60);

/// Octets that the answer to an ordinary command may have.
pub const ORDINARY: u64 = 16 << 20;
/// An ordinary answer of more octets than this is read slowly, a step at a time: other accounts are not to wait for a
/// server that never ends.
const SWIFT: u64 = 1 << 20;
const STEP: u64 = 256 << 10;
const PACE: Duration = Duration::from_millis(25);
/// Octets that may come within one IDLE.
const TALK: u64 = 4 << 20;

/// An answer ends within this, however steadily it trickles in; one that may be large has a second more for each
/// [`SLOWEST`] octets.
const PATIENCE: Duration = Duration::from_mins(30);

/// Octets a second: Gmail sends no more to those who have had too much.
const SLOWEST: u64 = 512;

const IDLE: &str = "IDLE";
/// Where IDLE is named as what a connection was lost in before the server agreed to it.
pub const BEGINNING: &str = "the beginning of IDLE";
/// After the first word of changed flags, others are waited for within IDLE before anybody looks: whoever reads mail
/// changes many.
const GATHERING: Duration = Duration::from_secs(2);
/// A server that ends IDLE by itself within this does not want to.
const SHORT: Duration = Duration::from_secs(30);

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// An authenticated connection that commands go through.
#[derive(Debug)]
pub struct Channel {
    session: async_imap::Session<Wire>,
    /// Commands sent whose tagged answer was not read.
    open: Vec<RequestId>,
    /// Tagged answers that came before those of earlier commands: servers may work on several at once (RFC 3501
    /// section 5.5). With the words of a refusal.
    early: Vec<(RequestId, Option<String>)>,
    /// A command is being written, or an answer read: if that is broken off, the connection is out of step.
    busy: bool,
    /// What was told of the selected mailbox.
    news: News,
    /// UIDVALIDITY of the selected mailbox.
    uidvalidity: Option<u32>,
    /// Tells it from all others of the process.
    serial: u64,
    /// Moves with each answer, and each wait for one.
    beat: Beat,
    figures: Figures,
    /// Octets that `figures` were told of.
    counted: u64,
}

/// What a connection cost, since it was last asked.
#[derive(Debug, Default)]
pub struct Figures {
    /// Octets received.
    pub received: u64,
    /// The longest from a command to the end of its answer.
    pub longest: BTreeMap<&'static str, Duration>,
}

/// A command that was sent.
#[derive(Debug)]
#[must_use = "its answer must be read"]
pub struct Sent {
    tag: RequestId,
    name: &'static str,
    at: Instant,
}

impl Channel {
    /// Takes over an authenticated session.
    pub fn new(mut session: async_imap::Session<Wire>) -> Self {
        session.get_mut().set_mode(Mode::Normal);
        session.get_mut().let_in();
        Self {
            session,
            open: Vec::new(),
            early: Vec::new(),
            busy: false,
            news: News::default(),
            uidvalidity: None,
            serial: SERIAL.fetch_add(1, Relaxed),
            beat: Beat::default(),
            figures: Figures::default(),
            counted: 0,
        }
    }

    /// What it cost since this was last asked.
    pub fn take_figures(&mut self) -> Figures {
        let received = self.session.get_ref().received();
        let mut figures = std::mem::take(&mut self.figures);
        figures.received = received.saturating_sub(self.counted);
        self.counted = received;
        figures
    }

    /// Tells it from all others of the process.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// From now on its waits are published by `beat`.
    pub fn set_beat(&mut self, beat: Beat) {
        self.beat = beat;
    }

    /// Sends `command` without waiting; several may be sent before the first answer is read.
    ///
    /// # Errors
    /// [`Error::Lost`].
    pub async fn send(&mut self, name: &'static str, command: &str) -> Result<Sent> {
        self.check_step(name)?;
        // Broken off, half a command may be on the wire.
        self.busy = true;
        let sent = self.beat.during(SILENCE, timeout(SILENCE, self.session.run_command(command))).await;
        match sent {
            Ok(Ok(tag)) => {
                self.busy = false;
                self.open.push(tag.clone());
                Ok(Sent { tag, name, at: Instant::now() })
            }
            Ok(Err(async_imap::error::Error::Io(error))) => Err(self.lost(name, &error)),
            Ok(Err(error)) => Err(self.out_of_step(name, quoted(&error.to_string()))),
            Err(_) => Err(self.out_of_step(name, "the server takes no more data".into())),
        }
    }

    /// Reads up to the tagged answer of `sent`, of at most `most` octets; `on` sees each response on the way, also those
    /// that belong to other commands on the wire.
    ///
    /// # Errors
    /// [`Error::Refused`] on NO and BAD: the connection is still good. [`Error::Lost`] on all else.
    pub async fn finish(&mut self, sent: Sent, most: u64, mut on: impl FnMut(&Response<'_>)) -> Result<()> {
        self.check_step(sent.name)?;
        self.busy = true;
        // The octets of an ordinary answer are bounded against floods, not expected.
        let large = if most == ORDINARY { 0 } else { most / SLOWEST };
        let until = Instant::now() + PATIENCE + Duration::from_secs(large);
        let begun = self.session.get_ref().received();
        let limit = begun.saturating_add(most);
        let mut swift = if most == ORDINARY { begun.saturating_add(SWIFT) } else { u64::MAX };
        let refusal = loop {
            if let Some(at) = self.early.iter().position(|(tag, _)| *tag == sent.tag) {
                break self.early.swap_remove(at).1;
            }
            let done = self
                .read(sent.name, until, |response| match response {
                    Response::Done { tag, status, outcome } => {
                        Some((tag.clone(), (*status != Status::Ok).then(|| quoted(&described(outcome)))))
                    }
                    _ => {
                        on(response);
                        None
                    }
                })
                .await?;
            if let Some((tag, refusal)) = done {
                let Some(at) = self.open.iter().position(|open| *open == tag) else {
                    return Err(
                        self.out_of_step(sent.name, "the server answered a command that was not sent".into())
                    );
                };
                self.open.swap_remove(at);
                self.early.push((tag, refusal));
            } else if self.session.get_ref().received() > limit {
                return Err(
                    self.out_of_step(sent.name, format!("the answer has no end: more than {most} bytes"))
                );
            } else if self.session.get_ref().received() > swift {
                swift = self.session.get_ref().received().saturating_add(STEP);
                sleep(PACE).await;
            }
        };
        self.busy = false;
        if sent.name != IDLE {
            let longest = self.figures.longest.entry(sent.name).or_default();
            *longest = sent.at.elapsed().max(*longest);
        }
        refusal.map_or(Ok(()), |text| Err(Reason::refusal(sent.name, text)))
    }

    /// Sends `command` and reads its answer.
    ///
    /// # Errors
    /// As [`send`](Self::send) and [`finish`](Self::finish).
    pub async fn run(
        &mut self,
        name: &'static str,
        command: &str,
        on: impl FnMut(&Response<'_>),
    ) -> Result<()> {
        if !self.open.is_empty() || !self.early.is_empty() {
            return Err(self.out_of_step(name, "answers of earlier commands were never read".into()));
        }
        let sent = self.send(name, command).await?;
        self.finish(sent, ORDINARY, on).await
    }

    /// COMPRESS (RFC 4978): from here on both sides compress. Whether the server does.
    ///
    /// # Errors
    /// [`Error::Lost`].
    pub async fn compress(&mut self) -> Result<bool> {
        const NAME: &str = "COMPRESS";
        self.session.get_mut().set_mode(Mode::Switching);
        let begun = match self.run(NAME, "COMPRESS DEFLATE", |_| ()).await {
            Ok(()) => {
                let switched = transport::compress(self.session.get_mut());
                switched.map_err(|violation| self.out_of_step(NAME, violation.to_string()))?;
                true
            }
            Err(Error::Refused { .. }) => false,
            Err(error) => return Err(error),
        };
        self.session.get_mut().set_mode(Mode::Normal);
        Ok(begun)
    }

    /// IDLE (RFC 2177) until messages come, flags change or messages go, `until` has passed, or `stop` resolves. Returns
    /// whether there are messages that nobody has looked for.
    ///
    /// # Errors
    /// [`Error::Refused`]: the server does not want to; poll instead. [`Error::Lost`], of [`BEGINNING`] while it had not
    /// agreed yet.
    pub async fn idle(&mut self, until: Instant, stop: impl Future<Output = ()>) -> Result<bool> {
        if self.news.grown {
            return Ok(true);
        }
        let since = Instant::now();
        let sent = self.send(IDLE, IDLE).await?;
        self.busy = true;
        let begins = Instant::now() + SILENCE;
        let limit = self.session.get_ref().received().saturating_add(TALK);
        loop {
            let begun = self
                .read(BEGINNING, begins, |response| match response {
                    Response::Continue(_) => Some(None),
                    Response::Done { tag, outcome, .. } if *tag == sent.tag => {
                        Some(Some(quoted(&described(outcome))))
                    }
                    _ => None,
                })
                .await?;
            match begun {
                None if self.session.get_ref().received() > limit => return Err(self.endless()),
                None => {}
                Some(None) => break,
                Some(Some(text)) => {
                    self.open.clear();
                    self.busy = false;
                    return Err(Reason::refusal(IDLE, text));
                }
            }
        }
        let beat = self.beat.clone();
        let left = until.saturating_duration_since(Instant::now());
        if let Some(outcome) = beat.during(left, self.wait_for_news(until, limit, stop)).await? {
            self.open.clear();
            self.busy = false;
            return match outcome {
                // It has other work, or restarts its clock.
                None if since.elapsed() > SHORT => Ok(self.news.grown),
                None => Err(Error::Refused { command: IDLE, text: "it ends at once by itself".into() }),
                Some(text) => Err(Error::Refused { command: IDLE, text }),
            };
        }
        let done =
            self.beat.during(SILENCE, timeout(SILENCE, self.session.run_command_untagged("DONE"))).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.out_of_step(IDLE, quoted(&error.to_string()))),
            Err(_) => return Err(self.out_of_step(IDLE, "the server takes no more data".into())),
        }
        self.busy = false;
        self.finish(sent, ORDINARY, |_| ()).await?;
        Ok(self.news.grown)
    }

    /// Within IDLE: reads until there is something new, `until` has passed, or `stop` resolves. What a server says that
    /// ends IDLE by itself is given back: nothing, or why it does not want to.
    async fn wait_for_news(
        &mut self,
        mut until: Instant,
        limit: u64,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<Option<String>>> {
        tokio::pin!(stop);
        // EXISTS may come before the continuation (Outlook.com), so it is looked at first.
        while !self.news.grown {
            if self.session.get_ref().received() > limit {
                return Err(self.endless());
            }
            if self.news.has_changes() {
                until = until.min(Instant::now() + GATHERING);
            }
            tokio::select! {
                read = timeout_at(until, self.session.read_response()) => match read {
                    Err(_) => break,
                    Ok(Ok(Some(data))) => {
                        self.note(IDLE, data.parsed())?;
                        if let Response::Done { tag, status, outcome } = data.parsed() {
                            if !self.open.contains(tag) {
                                return Err(self.out_of_step(IDLE, "the server answered a command that was not sent".into()));
                            }
                            return Ok(Some((*status != Status::Ok).then(|| quoted(&described(outcome)))));
                        }
                    }
                    Ok(Ok(None)) => return Err(self.closed(IDLE)),
                    Ok(Err(error)) => return Err(self.lost(IDLE, &error)),
                },
                () = &mut stop => break,
            }
        }
        Ok(None)
    }

    /// Another mailbox is about to be selected: what was told of the last one says nothing of it.
    pub fn leave_mailbox(&mut self) {
        self.news.forget();
        self.uidvalidity = None;
    }

    /// This is the UIDVALIDITY of the selected mailbox: with another one, what it is asked for would mean other messages.
    pub fn enter_mailbox(&mut self, uidvalidity: u32) {
        self.uidvalidity = Some(uidvalidity);
    }

    /// Messages in the selected mailbox, as last told.
    #[must_use]
    pub fn exists(&self) -> u32 {
        self.news.exists
    }

    /// Whether flags changed or messages went that nobody has looked at.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.news.has_changes()
    }

    /// They are about to be looked at.
    pub fn take_changes(&mut self) -> Changes {
        self.news.take_changes()
    }

    /// Whether messages have come into the selected mailbox that nobody has looked for.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.news.grown
    }

    /// They are about to be looked for. Gives back how many messages there are.
    pub fn take_news(&mut self) -> u32 {
        self.news.grown = false;
        self.news.exists
    }

    /// A literal of `bytes` is expected.
    pub fn expect_literal(&mut self, bytes: u64) {
        self.session.get_mut().expect_literal(bytes);
    }

    /// Reads one response and lets `on` look at it. Silence counts from the last byte, not from the last response:
    /// large messages on slow lines take their time, but none past `until`.
    async fn read<R>(
        &mut self,
        name: &'static str,
        until: Instant,
        on: impl FnOnce(&Response<'_>) -> R,
    ) -> Result<R> {
        loop {
            if Instant::now() > until {
                return Err(self.out_of_step(name, "the answer comes too slowly to ever end".into()));
            }
            let before = self.session.get_ref().received();
            let read = self.beat.during(SILENCE, timeout(SILENCE, self.session.read_response())).await;
            match read {
                Ok(Ok(Some(data))) => {
                    self.note(name, data.parsed())?;
                    return Ok(on(data.parsed()));
                }
                Ok(Ok(None)) => return Err(self.closed(name)),
                Ok(Err(error)) => return Err(self.lost(name, &error)),
                Err(_) if self.session.get_ref().received() > before => {}
                Err(_) => {
                    return Err(
                        self.out_of_step(name, format!("the server was silent for {} s", SILENCE.as_secs()))
                    );
                }
            }
        }
    }

    /// What any response may tell, whatever was asked.
    fn note(&mut self, name: &'static str, response: &Response<'_>) -> Result<()> {
        if let Response::Data { status, outcome } = response {
            if *status == Status::Bye {
                self.busy = true;
                return Err(Reason::farewell(name, &quoted(&described(outcome))));
            }
            if let Some(ResponseCode::UidValidity(now)) = outcome.code
                && self.uidvalidity.is_some_and(|then| then != now)
            {
                return Err(
                    self.out_of_step(name, "the server changed UIDVALIDITY of the open mailbox".into())
                );
            }
            // From here on it speaks of the mailbox that is being selected (RFC 7162 section 3.2.11).
            if outcome.information.as_deref().is_some_and(|text| text.starts_with("[CLOSED]")) {
                self.news.forget();
            }
        }
        self.news.note(response);
        Ok(())
    }

    fn check_step(&mut self, name: &'static str) -> Result<()> {
        if self.busy {
            Err(self.out_of_step(name, "an earlier command was broken off".into()))
        } else {
            Ok(())
        }
    }

    fn endless(&mut self) -> Error {
        self.out_of_step(IDLE, format!("the server tells without end: more than {TALK} bytes"))
    }

    fn closed(&mut self, during: &'static str) -> Error {
        self.out_of_step(during, "the server closed the connection".into())
    }

    fn lost(&mut self, during: &'static str, error: &std::io::Error) -> Error {
        self.busy = true;
        Error::lost(during, error)
    }

    fn out_of_step(&mut self, during: &'static str, cause: String) -> Error {
        self.busy = true;
        Error::Lost { during, cause }
    }
}

/// Code and text of a status response.
fn described(outcome: &Outcome<'_>) -> String {
    match (&outcome.code, outcome.information.as_deref()) {
        (None, text) => text.unwrap_or("without a reason").to_owned(),
        (Some(code), text) => format!("[{code:?}] {}", text.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
