//! The steps of a script, and the functions that make them.

use std::time::Duration;

use super::pattern::Pattern;
use crate::mailbox_server::Service;

/// One step of what a server does on a connection.
#[derive(Clone)]
pub enum Step {
    /// Writes these bytes at once.
    Send(Vec<u8>),
    /// Writes bytes in small pieces, each flushed.
    Drip {
        /// What to write.
        bytes: Vec<u8>,
        /// How much at a time.
        chunk: usize,
    },
    /// Writes one byte over and over, without holding the whole.
    Fill {
        /// Which byte.
        byte: u8,
        /// How often.
        count: u64,
    },
    /// Writes the same bytes over and over until the client has gone.
    Flood(Vec<u8>),
    /// Writes the same bytes over and over, one of them each time that this has passed, until the client has gone.
    Trickle {
        /// What to write.
        bytes: Vec<u8>,
        /// How long each of them takes.
        every: Duration,
    },
    /// Takes the client's next command, which has to match, and keeps its tag.
    Expect(Pattern),
    /// Takes the client's next line, which has to match as a whole: `DONE`, a literal, a SASL answer.
    ExpectLine(Pattern),
    /// Writes bytes with `{tag}` replaced by the tag that was kept.
    Reply(Vec<u8>),
    /// Answers commands of no interest until one matches; keeps that one's tag.
    Routine(Routine),
    /// Takes the client's TLS handshake.
    Handshake,
    /// Lets an honest server speak.
    Serve {
        /// The server that speaks.
        service: Service,
        /// After how many of its bytes the script goes on.
        limit: Option<u64>,
    },
    /// Waits until the test opens the gate of this name.
    Gate(String),
    /// Answers nothing any more, with the connection open, until the client closes or the test ends.
    Stall,
    /// Does several steps.
    Several(Vec<Step>),
    /// Closes in order: TLS says goodbye, then TCP.
    Close,
    /// Closes TCP in order, without TLS's goodbye.
    Cut,
    /// Closes by RST: what was not yet delivered is lost.
    Reset,
}

/// Sends bytes as they are.
pub fn send(bytes: impl Into<Vec<u8>>) -> Step {
    Step::Send(bytes.into())
}

/// Sends bytes in pieces of `chunk`, each on its own.
pub fn drip(bytes: impl Into<Vec<u8>>, chunk: usize) -> Step {
    Step::Drip { bytes: bytes.into(), chunk: chunk.max(1) }
}

/// Sends one byte `count` times: an endless line, a giant literal.
#[must_use]
pub fn fill(byte: u8, count: u64) -> Step {
    Step::Fill { byte, count }
}

/// Sends the same bytes over and over until the client has gone.
pub fn flood(bytes: impl Into<Vec<u8>>) -> Step {
    Step::Flood(bytes.into())
}

/// Sends the same bytes over and over, one of them at a time, until the client has gone.
pub fn trickle(bytes: impl Into<Vec<u8>>, every: Duration) -> Step {
    Step::Trickle { bytes: bytes.into(), every }
}

/// A literal that announces one size, written as it stands (so also `-1`), and then really sends
/// `really_send` bytes. What comes before the `{` is the step before.
pub fn huge(announce: impl std::fmt::Display, byte: u8, really_send: u64) -> Step {
    Step::Several(vec![send(format!("{{{announce}}}\r\n")), fill(byte, really_send)])
}

/// Takes the next command: the line without its tag has to match (see [`Pattern`]).
#[must_use]
pub fn expect(pattern: &str) -> Step {
    Step::Expect(Pattern::new(pattern))
}

/// Takes the next line, which has no tag and has to match.
#[must_use]
pub fn expect_line(pattern: &str) -> Step {
    Step::ExpectLine(Pattern::new(pattern))
}

/// Sends bytes in which `{tag}` is the tag of the last command that was expected.
pub fn reply(template: impl Into<Vec<u8>>) -> Step {
    Step::Reply(template.into())
}

/// Takes the client's TLS handshake now. For the usual exchange see [`starttls`]; on its own it
/// lets a script put something between the answer and the handshake.
#[must_use]
pub fn handshake() -> Step {
    Step::Handshake
}

/// The whole of STARTTLS: the command, its answer, the handshake.
#[must_use]
pub fn starttls() -> Step {
    Step::Several(vec![expect("STARTTLS"), reply("{tag} OK begin\r\n"), handshake()])
}

/// Waits until the test opens the gate.
pub fn gate(name: impl Into<String>) -> Step {
    Step::Gate(name.into())
}

/// Says nothing any more and keeps the connection open.
#[must_use]
pub fn stall() -> Step {
    Step::Stall
}

/// Closes in order.
#[must_use]
pub fn close() -> Step {
    Step::Close
}

/// Closes the socket without TLS's goodbye.
#[must_use]
pub fn cut() -> Step {
    Step::Cut
}

/// Resets the connection.
#[must_use]
pub fn reset() -> Step {
    Step::Reset
}

/// Lets an honest server speak from here on, its greeting included.
#[must_use]
pub fn serve(service: &Service) -> Step {
    Step::Serve { service: service.clone(), limit: None }
}

/// Lets an honest server speak, and stops it after so many bytes of what it says, wherever that is;
/// the script goes on there.
#[must_use]
pub fn serve_cut(service: &Service, after: u64) -> Step {
    Step::Serve { service: service.clone(), limit: Some(after) }
}

/// Answers the commands around the point of a test: CAPABILITY, ID, LOGIN (literals too), AUTHENTICATE,
/// LIST (of one INBOX), EXAMINE (of an empty mailbox), IDLE until DONE, and OK to all else.
///
/// An answer that begins with `+` takes one more line of the client and then says OK.
#[must_use]
pub fn routine() -> Routine {
    let capabilities = "* CAPABILITY IMAP4rev1 IDLE LITERAL+ SASL-IR ID\r\n{tag} OK done\r\n";
    let list = "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n{tag} OK done\r\n";
    let examine = "* FLAGS ()\r\n* 0 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 1]\r\n\
                   {tag} OK [READ-ONLY] done\r\n";
    Routine { answers: Vec::new(), until: Pattern::new("LOGOUT") }
        .answer("*", "{tag} OK done\r\n")
        .answer("CAPABILITY", capabilities)
        .answer("ID", "* ID NIL\r\n{tag} OK done\r\n")
        .answer("LIST", list)
        .answer("EXAMINE", examine)
        .answer("SELECT", examine)
        .answer("IDLE", "+ idling\r\n")
        .answer("AUTHENTICATE", "+ \r\n")
        .answer("AUTHENTICATE PLAIN *", "{tag} OK done\r\n")
}

/// Answers for commands of no interest, see [`routine`].
#[derive(Clone)]
pub struct Routine {
    answers: Vec<(Pattern, Vec<u8>)>,
    until: Pattern,
}

impl Routine {
    /// Sets the answer for commands that match; a later one goes before an earlier one.
    #[must_use]
    pub fn answer(mut self, pattern: &str, template: impl Into<Vec<u8>>) -> Self {
        self.answers.push((Pattern::new(pattern), template.into()));
        self
    }

    /// Ends the routine at the command that matches, which is left to the steps that follow.
    #[must_use]
    pub fn until(mut self, pattern: &str) -> Step {
        self.until = Pattern::new(pattern);
        Step::Routine(self)
    }

    pub(super) fn ends_at(&self, command: &str) -> bool {
        self.until.matches(command)
    }

    pub(super) fn answer_to(&self, command: &str) -> &[u8] {
        let found = self.answers.iter().rev().find(|(pattern, _)| pattern.matches(command));
        found.map_or(&[], |(_, answer)| answer.as_slice())
    }
}

/// A script without its nesting.
pub(super) fn flattened(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut flat = Vec::new();
    for step in steps {
        match step {
            Step::Several(inner) => flat.extend(flattened(inner)),
            step => flat.push(step),
        }
    }
    flat
}
