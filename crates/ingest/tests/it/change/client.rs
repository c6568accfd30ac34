//! Another client of the server: commands in, answers out, literals and all.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use vigie_common::id::BlobId;

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection, logged in.
pub(super) struct Client {
    answers: BufReader<TcpStream>,
    commands: TcpStream,
    tag: u32,
}

/// What a command was answered.
pub(super) struct Answer {
    pub(super) ok: bool,
    /// The untagged answers: their text without literals, and these.
    pub(super) untagged: Vec<(String, Vec<Vec<u8>>)>,
    pub(super) tagged: String,
}

impl Client {
    pub(super) fn log_in(port: u16, user: &str) -> io::Result<Self> {
        let commands = TcpStream::connect(("127.0.0.1", port))?;
        commands.set_nodelay(true)?;
        commands.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { answers: BufReader::new(commands.try_clone()?), commands, tag: 0 };
        client.line()?;
        let answer = client.ask(&format!("LOGIN {user} secret"))?;
        if answer.ok { Ok(client) } else { Err(io::Error::other(answer.tagged)) }
    }

    /// Gives a command and reads its whole answer.
    pub(super) fn ask(&mut self, command: &str) -> io::Result<Answer> {
        self.give(command.as_bytes())
    }

    pub(super) fn append(&mut self, mailbox: &str, message: &[u8]) -> io::Result<Answer> {
        let mut command = format!("APPEND \"{mailbox}\" {{{}+}}\r\n", message.len()).into_bytes();
        command.extend_from_slice(message);
        self.give(&command)
    }

    fn give(&mut self, command: &[u8]) -> io::Result<Answer> {
        self.tag += 1;
        let tag = format!("c{} ", self.tag);
        self.commands.write_all(&[tag.as_bytes(), command, b"\r\n"].concat())?;
        let mut untagged = Vec::new();
        loop {
            let (text, literals) = self.line()?;
            match text.strip_prefix(&tag) {
                Some(tagged) => {
                    return Ok(Answer { ok: tagged.starts_with("OK"), untagged, tagged: tagged.to_owned() });
                }
                None => untagged.push((text, literals)),
            }
        }
    }

    /// One answer, of as many lines as its literals make of it.
    fn line(&mut self) -> io::Result<(String, Vec<Vec<u8>>)> {
        let (mut text, mut literals) = (String::new(), Vec::new());
        loop {
            let mut line = Vec::new();
            if self.answers.read_until(b'\n', &mut line)? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up"));
            }
            text.push_str(String::from_utf8_lossy(&line).trim_end());
            let announced = text.strip_suffix('}').and_then(|rest| rest.rsplit_once('{'));
            let Some((before, size)) = announced.and_then(|(b, n)| Some((b.to_owned(), n.parse().ok()?)))
            else {
                return Ok((text, literals));
            };
            let mut literal = vec![0; size];
            self.answers.read_exact(&mut literal)?;
            text = before;
            literals.push(literal);
        }
    }

    /// The UIDs of a mailbox, which is open then; nothing when it cannot be opened.
    pub(super) fn open(&mut self, mailbox: &str) -> io::Result<Option<Vec<u32>>> {
        if !self.ask(&format!("SELECT \"{mailbox}\""))?.ok {
            return Ok(None);
        }
        let found = self.ask("UID SEARCH ALL")?;
        let lines = found.untagged.iter().filter_map(|(text, _)| text.strip_prefix("* SEARCH"));
        Ok(Some(lines.flat_map(str::split_ascii_whitespace).filter_map(|word| word.parse().ok()).collect()))
    }
}

/// All that a mailbox has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) uidvalidity: u32,
    pub(super) messages: BTreeMap<u32, BlobId>,
}

/// Every mailbox of the user, message by message.
pub(super) fn everything(port: u16, user: &str) -> io::Result<BTreeMap<String, Content>> {
    let mut client = Client::log_in(port, user)?;
    let listed = client.ask("LIST \"\" \"*\"")?.untagged;
    let mut all = BTreeMap::new();
    for (line, _) in listed.iter().filter(|(line, _)| !line.contains("\\Noselect")) {
        // `* LIST (flags) "/" name`: no name here has a quote in it.
        let name = line.split_once("\"/\" ").map(|(_, name)| name.trim_matches('"').to_owned());
        let name = name.ok_or_else(|| io::Error::other(line.clone()))?;
        let opened = client.ask(&format!("EXAMINE \"{name}\""))?;
        let lines = opened.untagged.iter();
        let uidvalidity = lines.filter_map(|(text, _)| text.strip_prefix("* OK [UIDVALIDITY ")).next();
        let uidvalidity = uidvalidity.and_then(|rest| rest.split(']').next()?.parse().ok());
        let uidvalidity = uidvalidity.ok_or_else(|| io::Error::other(opened.tagged))?;
        let fetched = client.ask("UID FETCH 1:* (UID BODY.PEEK[])")?;
        let message = |(text, literals): &(String, Vec<Vec<u8>>)| {
            let uid = text.split_once("UID ")?.1.split(' ').next()?.parse().ok()?;
            Some((uid, BlobId::of(literals.first()?)))
        };
        let messages = fetched.untagged.iter().filter_map(message).collect();
        all.insert(name, Content { uidvalidity, messages });
    }
    Ok(all)
}
