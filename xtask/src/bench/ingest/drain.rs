//! The limit: log in, fetch everything, read it and throw it away.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// What opens the mailboxes of the testkit's Dovecot.
pub(super) const PASSWORD: &str = "secret";
const PATIENCE: Duration = Duration::from_secs(60);

/// Fetches the user's INBOX and returns the number of messages that came.
pub(super) fn drain(port: u16, user: &str) -> Result<u64> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect to Dovecot")?;
    stream.set_read_timeout(Some(PATIENCE)).context("cannot set a timeout")?;
    let mut commands = stream.try_clone().context("cannot share a connection")?;
    let mut answers = BufReader::with_capacity(1 << 20, stream);
    let mut say = |tag: &str, command: &str| -> Result<u64> {
        commands.write_all(format!("{tag} {command}\r\n").as_bytes()).context("cannot write to Dovecot")?;
        read(&mut answers, tag)
    };
    say("a1", &format!("LOGIN {user} {PASSWORD}"))?;
    say("a2", "EXAMINE INBOX")?;
    say("a3", "UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])")
}

/// Reads up to the tagged answer, which has to be OK, and counts the messages with a body.
fn read(answers: &mut impl BufRead, tag: &str) -> Result<u64> {
    let mut messages = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        ensure!(
            answers.read_until(b'\n', &mut line).context("cannot read from Dovecot")? > 0,
            "Dovecot hung up"
        );
        if let Some(length) = literal(&line) {
            let skipped =
                io::copy(&mut answers.take(length), &mut io::sink()).context("cannot read a message")?;
            ensure!(skipped == length, "Dovecot hung up within a message");
            messages += 1;
        } else if let Some(answer) =
            line.strip_prefix(tag.as_bytes()).and_then(|rest| rest.strip_prefix(b" "))
        {
            if answer.starts_with(b"OK") {
                return Ok(messages);
            }
            bail!("Dovecot answered: {}", String::from_utf8_lossy(answer).trim_end());
        }
    }
}

/// The length of the literal that a line announces at its end.
fn literal(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"}\r\n")?;
    let at = line.iter().rposition(|b| *b == b'{')?;
    std::str::from_utf8(line.get(at + 1..)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_messages_and_is_not_fooled_by_what_they_say() {
        let mut answers: &[u8] = b"* 2 EXISTS\r\n* 1 FETCH (UID 7 BODY[] {9}\r\na1 NO\r\n\r\n)\r\n\
            * 2 FETCH (UID 8 BODY[] {4}\r\n{9}\r)\r\na1 OK done\r\n";
        assert_eq!(read(&mut answers, "a1").unwrap(), 2);
        assert!(answers.is_empty());
    }

    #[test]
    fn refusals_and_hang_ups_are_errors() {
        assert!(read(&mut &b"a1 NO no\r\n"[..], "a1").is_err());
        assert!(read(&mut &b"* 1 FETCH (BODY[] {99}\r\nabc"[..], "a1").is_err());
        assert!(read(&mut &b"* OK\r\n"[..], "a1").is_err());
    }
}
