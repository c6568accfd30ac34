//! Our own command layer on async-imap's transport and codec.
//!
//! async-imap's helpers report a refused command, or a connection that ends, as an empty success
//! (chatmail/async-imap#95). Here a tagged NO or BAD, a BYE, the end of the stream and silence are all
//! errors, every read has a deadline, and a connection on which a command was broken off is never used again.

use std::time::Duration;

use async_imap::imap_proto::{MailboxDatum, Outcome, RequestId, Response, Status};
use tokio::time::{Instant, timeout, timeout_at};

use crate::beat::Beat;
use crate::error::{Error, Result, quoted};
use crate::guard::Mode;
use crate::transport::Wire;

/// A server that sends nothing for so long is gone; the same for a write that does not end.
pub const SILENCE: Duration = Duration::from_secs(60);

/// Octets that the answer to an ordinary command may have.
pub const ORDINARY: u64 = 64 << 20;

/// An answer ends within this, however steadily it trickles in; one that may be large has a second more for each
/// [`SLOWEST`] octets.
const PATIENCE: Duration = Duration::from_mins(30);

/// Octets a second: Gmail sends no more to those who have had too much.
const SLOWEST: u64 = 512;

const IDLE: &str = "IDLE";

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
    /// Messages in the selected mailbox, as last told.
    exists: u32,
    /// There are more than before, and nobody has looked yet.
    grown: bool,
    /// Moves with each answer, and each wait for one.
    beat: Beat,
}

/// A command that was sent.
#[derive(Debug)]
#[must_use = "its answer must be read"]
pub struct Sent {
    tag: RequestId,
    name: &'static str,
}

impl Channel {
    /// Takes over an authenticated session.
    pub fn new(mut session: async_imap::Session<Wire>) -> Self {
        session.get_mut().set_mode(Mode::Normal);
        Self {
            session,
            open: Vec::new(),
            early: Vec::new(),
            busy: false,
            exists: 0,
            grown: false,
            beat: Beat::default(),
        }
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
                Ok(Sent { tag, name })
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
        let limit = self.session.get_ref().received().saturating_add(most);
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
            }
        };
        self.busy = false;
        refusal.map_or(Ok(()), |text| Err(Error::Refused { command: sent.name, text }))
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

    /// IDLE (RFC 2177) until messages come, `until` has passed, or `stop` resolves. Returns whether there are messages
    /// that nobody has looked for.
    ///
    /// # Errors
    /// [`Error::Refused`]: the server does not want to; poll instead. [`Error::Lost`].
    pub async fn idle(&mut self, until: Instant, stop: impl Future<Output = ()>) -> Result<bool> {
        if self.grown {
            return Ok(true);
        }
        let sent = self.send(IDLE, IDLE).await?;
        self.busy = true;
        let begins = Instant::now() + SILENCE;
        loop {
            let begun = self
                .read(IDLE, begins, |response| match response {
                    Response::Continue(_) => Some(None),
                    Response::Done { tag, outcome, .. } if *tag == sent.tag => {
                        Some(Some(quoted(&described(outcome))))
                    }
                    _ => None,
                })
                .await?;
            match begun {
                None => {}
                Some(None) => break,
                Some(Some(text)) => {
                    self.open.clear();
                    self.busy = false;
                    return Err(Error::Refused { command: IDLE, text });
                }
            }
        }
        let beat = self.beat.clone();
        let left = until.saturating_duration_since(Instant::now());
        beat.during(left, self.news(until, stop)).await?;
        let done =
            self.beat.during(SILENCE, timeout(SILENCE, self.session.run_command_untagged("DONE"))).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.out_of_step(IDLE, quoted(&error.to_string()))),
            Err(_) => return Err(self.out_of_step(IDLE, "the server takes no more data".into())),
        }
        self.busy = false;
        self.finish(sent, ORDINARY, |_| ()).await?;
        Ok(self.grown)
    }

    /// Within IDLE: reads until messages come, `until` has passed, or `stop` resolves.
    async fn news(&mut self, until: Instant, stop: impl Future<Output = ()>) -> Result<()> {
        tokio::pin!(stop);
        // EXISTS may come before the continuation (Outlook.com), so it is looked at first.
        while !self.grown {
            tokio::select! {
                read = timeout_at(until, self.session.read_response()) => match read {
                    Err(_) => break,
                    Ok(Ok(Some(data))) => {
                        self.note(IDLE, data.parsed())?;
                        if matches!(data.parsed(), Response::Done { .. }) {
                            return Err(self.out_of_step(IDLE, "the server ended it by itself".into()));
                        }
                    }
                    Ok(Ok(None)) => return Err(self.closed(IDLE)),
                    Ok(Err(error)) => return Err(self.lost(IDLE, &error)),
                },
                () = &mut stop => break,
            }
        }
        Ok(())
    }

    /// Another mailbox is about to be selected: what was told of the last one says nothing of it.
    pub fn leave_mailbox(&mut self) {
        self.exists = 0;
        self.grown = false;
    }

    /// Whether messages have come into the selected mailbox that nobody has looked for.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.grown
    }

    /// They are about to be looked for. Gives back how many messages there are.
    pub fn take_news(&mut self) -> u32 {
        self.grown = false;
        self.exists
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
        match response {
            // Only what differs is news: there are servers that repeat themselves with each answer.
            Response::MailboxData(MailboxDatum::Exists(n)) => {
                self.grown |= *n > self.exists;
                self.exists = *n;
            }
            Response::Expunge(_) => self.exists = self.exists.saturating_sub(1),
            Response::Data { status: Status::Bye, outcome } => {
                let text = quoted(&described(outcome));
                return Err(self.out_of_step(name, format!("the server said good-bye: {text}")));
            }
            _ => {}
        }
        Ok(())
    }

    fn check_step(&mut self, name: &'static str) -> Result<()> {
        if self.busy {
            Err(self.out_of_step(name, "an earlier command was broken off".into()))
        } else {
            Ok(())
        }
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
