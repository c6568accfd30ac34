//! Delivery by LMTP (RFC 2033), as much of it as one message to one user takes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn deliver(socket: &Path, user: &str, message: &[u8]) -> Result<()> {
    let stream =
        UnixStream::connect(socket).with_context(|| format!("cannot connect to {}", socket.display()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let mut say = |line: &[u8], expected: &str| -> Result<()> {
        stream.write_all(line)?;
        expect(&mut answers, expected)
    };
    say(b"", "220")?;
    say(b"LHLO localhost\r\n", "250")?;
    say(b"MAIL FROM:<sender@example.org>\r\n", "250")?;
    say(format!("RCPT TO:<{user}>\r\n").as_bytes(), "250")?;
    say(b"DATA\r\n", "354")?;
    say(&stuffed(message), "250")?;
    say(b"QUIT\r\n", "221")
}

fn expect(answers: &mut impl BufRead, expected: &str) -> Result<()> {
    loop {
        let mut line = String::new();
        ensure!(answers.read_line(&mut line)? > 0, "the server hung up");
        ensure!(line.starts_with(expected), "the server answered: {}", line.trim_end());
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}

/// The message as DATA wants it: CRLF after every line, leading dots doubled, a lone dot at the end.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        out.extend_from_slice(bare.strip_suffix(b"\r").unwrap_or(bare));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::stuffed;

    #[test]
    fn dots_and_line_ends() {
        assert_eq!(stuffed(b"a\r\n.b\nc"), b"a\r\n..b\r\nc\r\n.\r\n");
        assert_eq!(stuffed(b""), b".\r\n");
    }
}
