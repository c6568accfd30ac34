//! What has arrived: a file that is only appended to. Its first line says how the mailbox was made,
//! each further one is a message that came since: its mailbox and the second of its arrival.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

const NAME: &str = "vigie-demo-mailbox";
const VERSION: &str = "1";

/// How the mailbox was made; it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) seed: u64,
    pub(super) uidvalidity: u32,
    /// The first start: older messages are before it.
    pub(super) anchor: Timestamp,
    /// How many older messages there are.
    pub(super) messages: u64,
}

impl Origin {
    pub(super) fn new(now: Timestamp, messages: u64) -> Self {
        let second = now.as_second();
        let anchor = Timestamp::from_second(second).unwrap_or(now);
        Self { seed: 1, uidvalidity: u32::try_from(second).unwrap_or(1).max(1), anchor, messages }
    }

    fn line(&self) -> String {
        let Self { seed, uidvalidity, anchor, messages } = self;
        format!("{NAME} {VERSION} {seed} {uidvalidity} {} {messages}\n", anchor.as_second())
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        if words.next() != Some(NAME) || words.next() != Some(VERSION) {
            return None;
        }
        let seed = words.next()?.parse().ok()?;
        let uidvalidity = words.next()?.parse().ok().filter(|uidvalidity| *uidvalidity > 0)?;
        let anchor = Timestamp::from_second(words.next()?.parse().ok()?).ok()?;
        let messages = words.next()?.parse().ok()?;
        words.next().is_none().then_some(Self { seed, uidvalidity, anchor, messages })
    }
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) mailbox: String,
    pub(super) when: Timestamp,
}

impl Arrival {
    fn line(&self) -> String {
        format!("{} {}\n", self.when.as_second(), self.mailbox)
    }

    fn parse(line: &str) -> Option<Self> {
        let (second, mailbox) = line.split_once(' ')?;
        let when = Timestamp::from_second(second.parse().ok()?).ok()?;
        Some(Self { mailbox: mailbox.to_owned(), when })
    }
}

/// The file, open for more.
#[derive(Debug)]
pub(super) struct State {
    file: File,
    /// Where the last whole line ends.
    length: u64,
    pub(super) origin: Origin,
    pub(super) arrivals: Vec<Arrival>,
}

impl State {
    /// Reads the file, or begins it. A last line that is not whole was never shown to anybody: it is cut.
    pub(super) fn open(path: &Path, fresh: Origin) -> Result<Self> {
        let attempt = || {
            let mut file =
                OpenOptions::new().read(true).append(true).create(true).truncate(false).open(path)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            bytes.truncate(whole);
            file.set_len(whole as u64)?;
            Ok::<_, io::Error>((file, bytes))
        };
        let (file, bytes) = attempt().with_context(|| format!("cannot use {}", path.display()))?;
        let length = bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines().enumerate();
        let Some((_, first)) = lines.next() else {
            let mut state = Self { file, length, origin: fresh, arrivals: Vec::new() };
            state.append(&fresh.line()).with_context(|| format!("cannot write {}", path.display()))?;
            return Ok(state);
        };
        let Some(origin) = Origin::parse(first) else {
            bail!("{} is not a file of this program", path.display());
        };
        let mut arrivals = Vec::new();
        for (number, line) in lines {
            let Some(arrival) = Arrival::parse(line) else {
                bail!("{}: line {} is damaged", path.display(), number + 1);
            };
            arrivals.push(arrival);
        }
        Ok(Self { file, length, origin, arrivals })
    }

    /// Makes an arrival durable; after that it may be shown.
    pub(super) fn record(&mut self, arrival: &Arrival) -> io::Result<()> {
        self.append(&arrival.line())
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.length += line.len() as u64,
            // Half a line must not become the start of the next one.
            Err(_) => self.file.set_len(self.length)?,
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrival, Origin, State};
    use jiff::Timestamp;
    use std::fs;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_was_recorded_is_there_and_a_torn_line_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arrivals");
        let origin = Origin::new(at(1_800_000_000), 20);
        let first = Arrival { mailbox: String::from("INBOX"), when: at(1_800_000_005) };
        let second = Arrival { mailbox: String::from("Reports/DMARC"), when: at(1_800_000_009) };
        let mut state = State::open(&path, origin).unwrap();
        state.record(&first).unwrap();
        drop(state);

        let whole = fs::read(&path).unwrap();
        fs::write(&path, [whole.as_slice(), b"18000000"].concat()).unwrap();
        let other = Origin::new(at(1_900_000_000), 7);
        let mut state = State::open(&path, other).unwrap();
        assert_eq!((state.origin, state.arrivals.as_slice()), (origin, [first.clone()].as_slice()));
        state.record(&second).unwrap();
        drop(state);
        assert_eq!(State::open(&path, other).unwrap().arrivals, [first, second]);
    }

    #[test]
    fn a_torn_beginning_begins_again_and_a_foreign_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arrivals");
        let origin = Origin::new(at(1_800_000_000), 20);
        fs::write(&path, "vigie-demo").unwrap();
        assert_eq!(State::open(&path, origin).unwrap().origin, origin);
        fs::write(&path, "something else\n").unwrap();
        assert!(State::open(&path, origin).unwrap_err().to_string().contains("is not a file"));
        fs::write(&path, format!("{}nonsense\n", origin.line())).unwrap();
        assert!(State::open(&path, origin).unwrap_err().to_string().contains("line 2 is damaged"));
    }
}
