//! `follow`: the catalog's records as JSON lines, for whoever acts on mail.
//!
//! With a cursor file the reader says which records it has finished with: it writes their cursors to our
//! stdin, one a line, and only then is the file moved, durably. What was printed and not finished with is
//! printed again after a restart.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use vigie_archive::{Reader, Tail};
use vigie_common::exit::Exit;
use vigie_common::record::Cursor;

use super::{Failure, Outcome, archive_failure, say};
use crate::settings::Settings;

/// The catalog is looked at this often when there is nothing new.
const PAUSE: Duration = Duration::from_millis(100);
/// Records read at once.
const PAGE: usize = 256;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Begin with this record [default: with the first]
    #[arg(long, value_name = "SEQ", conflicts_with = "cursor")]
    from: Option<u64>,
    /// Begin behind the cursor in this file, and move it as cursors come in on stdin
    #[arg(long, value_name = "FILE")]
    cursor: Option<PathBuf>,
    /// End when there is nothing new
    #[arg(long)]
    once: bool,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Outcome {
    let failed = |error| archive_failure(&error);
    let mut reader = wait_for_archive(&settings.archive.root, arguments.once)?;
    let mut cursor = match (&arguments.cursor, arguments.from) {
        (Some(file), _) => read_cursor(file)?,
        (None, Some(seq)) => reader.before(seq).map_err(failed)?,
        (None, None) => None,
    };
    let mut finished = match &arguments.cursor {
        Some(file) => Some(Finished::listen(file)?),
        None => None,
    };
    loop {
        if !reader.is_current() {
            reader = wait_for_archive(&settings.archive.root, arguments.once)?;
        }
        let Tail { records, restarted } = reader.tail(cursor.as_ref(), PAGE).map_err(failed)?;
        let none = records.is_empty();
        if restarted && !none {
            tracing::warn!(
                "the catalog is not the one that the cursor is of: records come from the start, the same ids may come again"
            );
        }
        for record in records {
            // `before` cannot know of a record that is still to come.
            if arguments.from.is_none_or(|from| record.seq >= from) {
                let line = serde_json::to_string(&record).map_err(|e| Failure::new(Exit::Internal, e))?;
                say(&line)?;
            }
            cursor = Some(record.cursor);
        }
        let wait = if none { PAUSE } else { Duration::ZERO };
        match &mut finished {
            Some(finished) => {
                let open = finished.take(wait)?;
                let all = none && arguments.once && (cursor.is_none() || cursor == finished.last);
                if !open || all {
                    return Ok(Exit::Done);
                }
            }
            None if none && arguments.once => return Ok(Exit::Done),
            None if none => pause(wait),
            None => {}
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this command has nothing to do but wait for the catalog, and no runtime"
)]
fn pause(wait: Duration) {
    std::thread::sleep(wait);
}

/// A reader may be started before ingest has made the archive.
fn wait_for_archive(root: &Path, once: bool) -> Result<Reader, Failure> {
    let mut told = false;
    loop {
        match Reader::open(root) {
            Err(vigie_archive::Error::NoArchive { .. } | vigie_archive::Error::Older { .. }) if !once => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(archive = %root.display(), "waiting for the archive");
                }
                pause(PAUSE);
            }
            opened => return opened.map_err(|e| archive_failure(&e)),
        }
    }
}

fn read_cursor(file: &Path) -> Result<Option<Cursor>, Failure> {
    match std::fs::read_to_string(file) {
        Ok(text) => text
            .trim()
            .parse()
            .map(Some)
            .map_err(|e| Failure::new(Exit::Usage, format!("{}: {e}", file.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(Exit::Unavailable, format!("{}: {error}", file.display()))),
    }
}

/// What the reader has finished with, as it says so on our stdin.
struct Finished<'a> {
    file: &'a Path,
    cursors: mpsc::Receiver<Result<Cursor, String>>,
    /// What the file holds.
    last: Option<Cursor>,
}

impl<'a> Finished<'a> {
    fn listen(file: &'a Path) -> Result<Self, Failure> {
        let (sender, cursors) = mpsc::channel();
        let read = move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                let cursor = line.trim().parse();
                let cursor = cursor.map_err(|e| format!("stdin: {e}: {}", crate::error::quoted(&line)));
                if sender.send(cursor).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("cursors".into())
            .spawn(read)
            .map_err(|e| Failure::new(Exit::Internal, e))?;
        Ok(Self { file, cursors, last: read_cursor(file)? })
    }

    /// Moves the file to the last cursor that came in, waiting up to `wait` for the first. `false`: the reader has
    /// closed our stdin and finishes nothing any more.
    fn take(&mut self, wait: Duration) -> Result<bool, Failure> {
        let mut last = None;
        let mut open = true;
        match self.cursors.recv_timeout(wait) {
            Ok(cursor) => last = Some(cursor),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => open = false,
        }
        while let Ok(cursor) = self.cursors.try_recv() {
            last = Some(cursor);
        }
        if let Some(cursor) = last {
            let cursor = cursor.map_err(|e| Failure::new(Exit::Usage, e))?;
            write_cursor(self.file, &cursor)
                .map_err(|e| Failure::new(Exit::CannotWrite, format!("{}: {e}", self.file.display())))?;
            self.last = Some(cursor);
        }
        Ok(open)
    }
}

/// Replaces the file, durably: the new one first, then the name, then the folder.
fn write_cursor(file: &Path, cursor: &Cursor) -> std::io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    std::fs::write(&new, format!("{cursor}\n"))?;
    std::fs::File::open(&new)?.sync_all()?;
    std::fs::rename(&new, file)?;
    std::fs::File::open(folder)?.sync_all()
}
