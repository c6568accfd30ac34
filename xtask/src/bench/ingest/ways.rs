//! The ways to fetch a mailbox that are compared, and how to see that each took all of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::drain;
use crate::bench::measure::{self, Run};
use crate::clock;

/// One way to fetch a mailbox.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `vigie-ingest sync`: durable.
    Ours,
    /// mbsync as it comes, which syncs each message to disk.
    MbsyncDurable,
    /// mbsync that leaves writing to the kernel.
    MbsyncFast,
    /// The same messages read and thrown away: what the server can do.
    Drain,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Ours, Self::MbsyncDurable, Self::MbsyncFast, Self::Drain];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "vigie-ingest sync",
            Self::MbsyncDurable => "mbsync, FSync yes",
            Self::MbsyncFast => "mbsync, FSync no",
            Self::Drain => "FETCH, read and discarded",
        }
    }

    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::MbsyncDurable => "mbsync-fsync",
            Self::MbsyncFast => "mbsync",
            Self::Drain => "drain",
        }
    }

    /// Fetches the user's INBOX into `place`, which is empty, and counts the messages it has then.
    pub(super) fn measure(self, binaries: &Path, place: &Path, port: u16, user: &str) -> Result<(Run, u64)> {
        match self {
            Self::Ours => ours(binaries, place, port, user),
            Self::MbsyncDurable => mbsync("yes", place, port, user),
            Self::MbsyncFast => mbsync("no", place, port, user),
            Self::Drain => {
                measure::settle();
                let started = clock::now();
                let messages = drain::drain(port, user)?;
                Ok((Run { seconds: started.elapsed().as_secs_f64(), peak: None }, messages))
            }
        }
    }
}

fn ours(binaries: &Path, place: &Path, port: u16, user: &str) -> Result<(Run, u64)> {
    let config = configure(place, port, user)?;
    let mut command = Command::new(binaries.join("vigie-ingest"));
    command.args(["sync", "--json", "--config"]).arg(&config);
    let run = measure::run(command, &place.join("output"))?;
    Ok((run, count(&place.join("archive/messages"), |name| name.ends_with(".json"))?))
}

/// Ours, for the INBOX of one user in the clear.
pub(super) fn configure(place: &Path, port: u16, user: &str) -> Result<PathBuf> {
    let config = place.join("vigie.toml");
    write(&place.join("password"), drain::PASSWORD)?;
    write(
        &config,
        &format!(
            r#"[[account]]
id = "{user}"
host = "127.0.0.1"
port = {port}
tls = "none"
user = "{user}"
password_file = "password"
mailboxes = ["INBOX"]
"#
        ),
    )?;
    Ok(config)
}

fn mbsync(fsync: &str, place: &Path, port: u16, user: &str) -> Result<(Run, u64)> {
    let rc = place.join("mbsyncrc");
    let mail = place.join("mail");
    fs::create_dir(&mail).with_context(|| format!("cannot make {}", mail.display()))?;
    write(
        &rc,
        &format!(
            "FSync {fsync}\n\n\
             IMAPAccount bench\nHost 127.0.0.1\nPort {port}\nUser {user}\nPass {password}\nSSLType None\nAuthMechs LOGIN\n\n\
             IMAPStore far\nAccount bench\n\n\
             MaildirStore near\nPath {mail}/\nInbox {mail}/INBOX\n\n\
             Channel bench\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSyncState *\n",
            password = drain::PASSWORD,
            mail = mail.display(),
        ),
    )?;
    let mut command = Command::new("mbsync");
    command.arg("-q").arg("-c").arg(&rc).arg("-a");
    let run = measure::run(command, &place.join("output"))?;
    let inbox = mail.join("INBOX");
    Ok((run, count(&inbox.join("new"), |_| true)? + count(&inbox.join("cur"), |_| true)?))
}

pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Files below a directory whose name is one to count.
fn count(directory: &Path, wanted: fn(&str) -> bool) -> Result<u64> {
    fn walk(directory: &Path, wanted: fn(&str) -> bool) -> io::Result<u64> {
        let mut files = 0;
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            files += match entry.file_type()?.is_dir() {
                true => walk(&entry.path(), wanted)?,
                false => u64::from(wanted(&entry.file_name().to_string_lossy())),
            };
        }
        Ok(files)
    }
    walk(directory, wanted).with_context(|| format!("cannot count the messages in {}", directory.display()))
}
