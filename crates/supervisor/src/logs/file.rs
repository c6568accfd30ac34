//! The files: one thread writes them all, so that no service waits for the disk. Rotation is by size. When the disk
//! is full or read-only, lines are dropped and counted until it is not.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use super::Entry;

/// A file that is larger becomes the first of the old ones.
const LARGEST: u64 = 10 << 20;
/// Files of one service, the present one included.
const FILES: usize = 5;

/// Writes what comes, until nothing can come any more.
pub(super) fn write_all(entries: &Receiver<Entry>, waiting: &AtomicUsize) {
    let mut files: BTreeMap<PathBuf, Rotated> = BTreeMap::new();
    let mut next = entries.recv().ok();
    while let Some(entry) = next {
        let Entry { path, line, dropped } = entry;
        let file = files.entry(path).or_insert_with_key(|path| Rotated::new(path.clone(), LARGEST, dropped));
        let text = format!("{:.3} {} {}\n", line.at, line.stream.as_str(), line.shown());
        file.write(text.as_bytes());
        waiting.fetch_sub(line.size(), Ordering::Relaxed);
        next = entries.try_recv().ok().or_else(|| {
            // A moment of quiet: what was written is to be seen.
            files.values_mut().for_each(Rotated::flush);
            entries.recv().ok()
        });
    }
}

/// A file that is renamed to `.1` when it has grown, and `.1` to `.2`, and so on.
struct Rotated {
    path: PathBuf,
    largest: u64,
    file: Option<BufWriter<File>>,
    size: u64,
    failing: bool,
    /// Lines that did not get here.
    dropped: Arc<AtomicU64>,
}

impl Rotated {
    fn new(path: PathBuf, largest: u64, dropped: Arc<AtomicU64>) -> Self {
        Self { path, largest, file: None, size: 0, failing: false, dropped }
    }

    fn write(&mut self, line: &[u8]) {
        let written = self.try_write(line);
        self.judge(written, 1);
    }

    fn flush(&mut self) {
        if let Some(file) = &mut self.file {
            let flushed = file.flush();
            self.judge(flushed, 0);
        }
    }

    /// Told once when it begins to fail, and once when it works again. `lost` more lines are lost if it fails.
    fn judge(&mut self, outcome: io::Result<()>, lost: u64) {
        match outcome {
            Ok(()) if self.failing => {
                tracing::info!(file = %self.path.display(), "the log is written again");
                self.failing = false;
            }
            Ok(()) => {}
            Err(error) => {
                if !self.failing {
                    tracing::warn!(file = %self.path.display(), %error, "the log cannot be written: lines are dropped and counted until it can");
                }
                self.failing = true;
                // What a full disk left in the buffer would be tried again and again.
                let left = self.file.take().and_then(|file| file.into_parts().1.ok()).unwrap_or_default();
                let left = left.iter().filter(|&&byte| byte == b'\n').fold(0, |count, _| count + 1);
                self.dropped.fetch_add(lost + left, Ordering::Relaxed);
            }
        }
    }

    fn try_write(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.file.is_some() && self.size + length > self.largest {
            self.rotate()?;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let opened = open(&self.path)?;
                self.size = opened.metadata()?.len();
                self.file.insert(BufWriter::new(opened))
            }
        };
        file.write_all(line)?;
        self.size += length;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            file.flush()?;
        }
        for n in (1..FILES).rev() {
            match fs::rename(numbered(&self.path, n - 1), numbered(&self.path, n)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    // The folder may have been removed by a person who tidies up.
    if let Some(folder) = path.parent() {
        crate::file::folder(folder)?;
    }
    // What services print may be personal.
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn numbered(path: &Path, n: usize) -> PathBuf {
    if n == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_rotated_and_the_oldest_goes() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("logs/a.log");
        let mut file = Rotated::new(path.clone(), 10, Arc::default());
        for n in 0..20 {
            file.write(format!("line {n:02}\n").as_bytes());
        }
        file.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 19\n");
        assert_eq!(fs::read_to_string(numbered(&path, 4)).unwrap(), "line 15\n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), FILES);
    }

    #[test]
    fn a_disk_that_refuses_is_tried_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.log");
        fs::create_dir(&path).unwrap();
        let dropped = Arc::new(AtomicU64::new(0));
        let mut file = Rotated::new(path.clone(), 1000, Arc::clone(&dropped));
        file.write(b"lost\n");
        file.write(b"lost\n");
        fs::remove_dir(&path).unwrap();
        file.write(b"kept\n");
        file.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept\n");
        assert_eq!(dropped.load(Ordering::Relaxed), 2);
    }

    /// `/dev/full` takes what is opened and fails what is written, as a full disk does.
    #[test]
    fn what_a_full_disk_left_in_the_buffer_is_counted() {
        let dropped = Arc::new(AtomicU64::new(0));
        let mut file = Rotated::new("/dev/full".into(), 1000, Arc::clone(&dropped));
        for _ in 0..3 {
            file.write(b"lost\n");
        }
        file.flush();
        file.write(b"lost as well\n");
        file.flush();
        assert_eq!(dropped.load(Ordering::Relaxed), 4);
    }
}
