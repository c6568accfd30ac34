//! One connection of the scripted server: plays its steps, and reads along whatever it is doing.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_native_tls::TlsAcceptor;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::pattern::Pattern;
use super::script::{Routine, Step};
use super::transcript::{Event, Transcript};
use crate::mailbox_server::{Service, announced};
use crate::wire::{Incoming, Wire};

/// How much of a filling is written at once.
const FILLING: usize = 64 * 1024;

pub(super) struct Connection {
    wire: Wire,
    acceptor: Option<TlsAcceptor>,
    reading: Reading,
    tag: String,
    script: usize,
}

/// What the client sent: recorded at once, taken by the script when it gets there.
struct Reading {
    incoming: Incoming,
    lines: VecDeque<Bytes>,
    ended: bool,
    number: usize,
    transcript: Arc<Transcript>,
}

impl Connection {
    pub(super) fn new(
        socket: TcpStream,
        acceptor: Option<TlsAcceptor>,
        number: usize,
        script: usize,
        transcript: Arc<Transcript>,
    ) -> Self {
        let reading = Reading {
            incoming: Incoming::default(),
            lines: VecDeque::new(),
            ended: false,
            number,
            transcript,
        };
        Self { wire: Wire::Plain(socket), acceptor, reading, tag: String::from("*"), script }
    }

    /// Plays a script from its first step to its last.
    pub(super) async fn play(mut self, script: Vec<Step>, implicit: bool) {
        // A drip is a drip only when the kernel does not gather it again.
        let _ = self.wire.socket().set_nodelay(true);
        let first = implicit.then_some(Step::Handshake);
        // `Step::Close` ends a script, whatever else follows.
        for step in first.into_iter().chain(script).chain([Step::Close]) {
            match self.step(step).await {
                Ok(ControlFlow::Continue(next)) => self = next,
                Ok(ControlFlow::Break(())) => break,
                Err((mut reading, error)) => {
                    reading.note(format!("stopped: {error}"));
                    break;
                }
            }
        }
    }

    /// Does one step. The connection comes back unless the script is over.
    async fn step(mut self, step: Step) -> Result<ControlFlow<(), Self>, (Reading, io::Error)> {
        let done = match step {
            Step::Send(bytes) => self.write(&bytes).await,
            Step::Drip { bytes, chunk } => self.drip(&bytes, chunk).await,
            Step::Fill { byte, count } => self.fill(byte, count).await,
            Step::Flood(bytes) => self.flood(&bytes).await,
            Step::Trickle { bytes, every } => self.trickle(&bytes, every).await,
            Step::Reply(template) => self.write(&filled_in(&template, &self.tag)).await,
            Step::Expect(pattern) => self.expect(&pattern).await,
            Step::ExpectLine(pattern) => self.expect_line(&pattern).await,
            Step::Routine(routine) => self.routine(&routine).await,
            Step::Serve { service, limit } => self.serve(&service, limit).await,
            Step::Several(_) => Ok(()), // flattened when the script was given
            Step::Gate(name) => self.gate(&name).await,
            Step::Stall => {
                self.reading.transcript.played(self.script);
                while self.read().await.unwrap_or(false) {}
                return Ok(self.end("stalled until the client left"));
            }
            Step::Handshake => return self.handshake().await.map(ControlFlow::Continue),
            Step::Close => {
                let _ = self.wire.shutdown().await;
                return Ok(self.end("closed"));
            }
            Step::Cut => return Ok(self.end("cut")),
            Step::Reset => {
                let _ = self.wire.socket().set_zero_linger();
                return Ok(self.end("reset"));
            }
        };
        match done {
            Ok(()) => Ok(ControlFlow::Continue(self)),
            Err(error) => Err((self.reading, error)),
        }
    }

    /// Closes, then says so: who waits for the end finds it done.
    fn end(self, how: &str) -> ControlFlow<(), Self> {
        let Self { wire, mut reading, script, .. } = self;
        drop(wire);
        reading.note(String::from(how));
        reading.transcript.played(script);
        ControlFlow::Break(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (reader, mut writer) = tokio::io::split(&mut self.wire);
        let writing = async {
            writer.write_all(bytes).await?;
            writer.flush().await
        };
        self.reading.along(reader, writing).await
    }

    async fn drip(&mut self, bytes: &[u8], chunk: usize) -> io::Result<()> {
        for piece in bytes.chunks(chunk) {
            self.write(piece).await?;
            // Lets the other end see the piece before the next one.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn fill(&mut self, byte: u8, count: u64) -> io::Result<()> {
        let (reader, mut writer) = tokio::io::split(&mut self.wire);
        let writing = async {
            let mut source = tokio::io::repeat(byte).take(count);
            let mut buffer = BytesMut::with_capacity(FILLING);
            while source.read_buf(&mut buffer).await? > 0 {
                writer.write_all(&buffer).await?;
                buffer.clear();
            }
            writer.flush().await
        };
        self.reading.along(reader, writing).await
    }

    async fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        let block = bytes.repeat((FILLING / bytes.len().max(1)).max(1));
        while !self.reading.ended {
            self.write(&block).await?;
        }
        Ok(())
    }

    async fn trickle(&mut self, bytes: &[u8], every: Duration) -> io::Result<()> {
        for byte in bytes.iter().cycle() {
            if self.reading.ended {
                break;
            }
            self.write(&[*byte]).await?;
            let waiting = async {
                tokio::time::sleep(every).await;
                Ok(())
            };
            self.reading.along(&mut self.wire, waiting).await?;
        }
        Ok(())
    }

    /// Reads once more; `false` when the client has closed.
    async fn read(&mut self) -> io::Result<bool> {
        if !self.reading.ended {
            self.reading.ended = !self.reading.incoming.fill(&mut self.wire).await?;
            self.reading.gather();
        }
        Ok(!self.reading.ended)
    }

    async fn line(&mut self, wanted: &impl std::fmt::Display) -> io::Result<String> {
        loop {
            if let Some(line) = self.reading.lines.pop_front() {
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if !self.read().await? && self.reading.lines.is_empty() {
                return Err(io::Error::other(format!("the client closed where {wanted} was expected")));
            }
        }
    }

    async fn expect(&mut self, pattern: &Pattern) -> io::Result<()> {
        let line = self.line(pattern).await?;
        match line.split_once(' ') {
            Some((tag, command)) if pattern.matches(command) => tag.clone_into(&mut self.tag),
            _ => return Err(self.reading.failure(format!("expected {pattern}, got {line:?}"))),
        }
        Ok(())
    }

    async fn expect_line(&mut self, pattern: &Pattern) -> io::Result<()> {
        let line = self.line(pattern).await?;
        if pattern.matches(&line) {
            return Ok(());
        }
        Err(self.reading.failure(format!("expected the line {pattern}, got {line:?}")))
    }

    async fn routine(&mut self, routine: &Routine) -> io::Result<()> {
        let mut continues = false;
        loop {
            let line = self.line(&"a command").await?;
            let literal = matches!(announced(line.as_bytes()), Some((_, true)));
            let answer = if literal {
                if !continues {
                    line.split(' ').next().unwrap_or_default().clone_into(&mut self.tag);
                }
                b"+ go on\r\n".to_vec()
            } else if continues {
                filled_in(b"{tag} OK done\r\n", &self.tag)
            } else {
                let Some((tag, command)) = line.split_once(' ') else {
                    return Err(self.reading.failure(format!("expected a command, got {line:?}")));
                };
                tag.clone_into(&mut self.tag);
                if routine.ends_at(command) {
                    return Ok(());
                }
                filled_in(routine.answer_to(command), tag)
            };
            continues = answer.starts_with(b"+");
            self.write(&answer).await?;
        }
    }

    async fn gate(&mut self, name: &str) -> io::Result<()> {
        let transcript = Arc::clone(&self.reading.transcript);
        let waiting = async {
            transcript.passed(name).await;
            Ok(())
        };
        self.reading.along(&mut self.wire, waiting).await
    }

    async fn handshake(self) -> Result<Self, (Reading, io::Error)> {
        let Self { wire, acceptor, mut reading, tag, script } = self;
        if reading.incoming.len() > 0 || !reading.lines.is_empty() {
            let early = reading.incoming.take();
            let error = reading.failure(format!(
                "the client did not wait for the answer to STARTTLS: {:?} {:?}",
                reading.lines, early
            ));
            return Err((reading, error));
        }
        let Some(acceptor) = acceptor else {
            let error = reading.failure(String::from("this server has no certificate for a handshake"));
            return Err((reading, error));
        };
        match wire.secure(&acceptor).await {
            Ok(wire) => {
                reading.note(String::from("TLS"));
                Ok(Self { wire, acceptor: Some(acceptor), reading, tag, script })
            }
            Err(error) => {
                // A client that refuses the certificate is what such a script is for.
                reading.transcript.played(script);
                Err((reading, io::Error::other(format!("no TLS: {error}"))))
            }
        }
    }

    /// Carries bytes between the client and an honest server until that one ends or the limit is met.
    async fn serve(&mut self, service: &Service, limit: Option<u64>) -> io::Result<()> {
        let (near, far) = tokio::io::duplex(FILLING);
        let (mut from_server, mut to_server) = tokio::io::split(near);
        let (mut reader, mut writer) = tokio::io::split(&mut self.wire);
        let reading = &mut self.reading;
        let transcript = Arc::clone(&reading.transcript);
        let forward = async {
            loop {
                while let Some(line) = reading.lines.pop_front() {
                    // A server that has ended reads no more; what it said last is still under way.
                    let _ = to_server.write_all(&line).await;
                    let _ = to_server.write_all(b"\r\n").await;
                }
                if reading.ended {
                    let _ = to_server.shutdown().await;
                    return std::future::pending::<io::Result<()>>().await;
                }
                reading.ended = !reading.incoming.fill(&mut reader).await?;
                reading.gather();
            }
        };
        let backward = async {
            let mut left = limit.unwrap_or(u64::MAX);
            let mut buffer = BytesMut::with_capacity(FILLING);
            while left > 0 && from_server.read_buf(&mut buffer).await? > 0 {
                let size = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                writer.write_all(&buffer.split_to(size)).await?;
                writer.flush().await?;
                buffer.clear();
                left -= size as u64;
            }
            Ok(())
        };
        if limit.is_none() {
            // An open end is as much as such a script can be played.
            transcript.played(self.script);
        }
        let conversation = async {
            service.converse(far).await;
            std::future::pending::<io::Result<()>>().await
        };
        tokio::select! {
            result = forward => result,
            result = backward => result,
            result = conversation => result,
        }
    }
}

impl Reading {
    /// Goes on reading while something else is done.
    async fn along(
        &mut self,
        mut reader: impl AsyncRead + Unpin,
        act: impl Future<Output = io::Result<()>>,
    ) -> io::Result<()> {
        let along = async {
            while !self.ended {
                match self.incoming.fill(&mut reader).await {
                    Ok(more) => self.ended = !more,
                    Err(_) => self.ended = true,
                }
                self.gather();
            }
            std::future::pending::<io::Result<()>>().await
        };
        // The act goes first: when it ends at once, nothing has been read ahead of a handshake.
        tokio::select! {
            biased;
            result = act => result,
            result = along => result,
        }
    }

    fn gather(&mut self) {
        while let Some(line) = self.incoming.line() {
            let text = String::from_utf8_lossy(&line).into_owned();
            self.transcript.record(self.number, Event::Line(text));
            self.lines.push_back(line);
        }
        if self.ended {
            self.note(String::from("client closed"));
        }
    }

    fn note(&mut self, note: String) {
        self.transcript.record(self.number, Event::Note(note));
    }

    fn failure(&mut self, failure: String) -> io::Error {
        self.transcript.record(self.number, Event::Failure(failure));
        io::Error::other("the script failed")
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.transcript.record(self.number, Event::Ended);
    }
}

fn filled_in(template: &[u8], tag: &str) -> Vec<u8> {
    const MARK: &[u8] = b"{tag}";
    let mut out = Vec::with_capacity(template.len() + tag.len());
    let mut rest = template;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(tag.as_bytes());
        rest = after.get(MARK.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}
