//! What services print: always read, so that none of them ever waits for us; the last lines in memory, more in
//! rotated files. What cannot be kept is dropped and counted.

mod file;
pub mod line;
mod ring;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::broadcast;
use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;
use vigie_common::clock;

use self::line::{Cutter, LogLine, Stream};
use self::ring::Ring;

/// What may wait to be written to files, for all services together.
const QUEUE: usize = 1 << 20;
/// Octets read at once.
const READ: usize = 8 << 10;
/// Lines that a slow reader may be behind.
const FOLLOW: usize = 256;
/// A process that has the output of an ended service still open is heard for so long.
const AFTER_END: Duration = Duration::from_secs(5);

/// The output of one service.
#[derive(Debug)]
pub(crate) struct Log {
    ring: Mutex<Ring>,
    follow: broadcast::Sender<LogLine>,
    dropped: Arc<AtomicU64>,
    writer: Writer,
    path: PathBuf,
}

/// The way to the thread that writes the files.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Entry>,
    waiting: Arc<AtomicUsize>,
}

/// A line on its way to a file.
struct Entry {
    path: PathBuf,
    line: LogLine,
    dropped: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread; it ends with the last [`Log`].
    pub(crate) fn start() -> std::io::Result<Self> {
        let (queue, entries) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waiting);
        std::thread::Builder::new().name("logs".into()).spawn(move || file::write_all(&entries, &counted))?;
        Ok(Self { queue, waiting })
    }
}

impl Log {
    /// The log of the service `id`, with files in `folder`.
    pub(crate) fn new(folder: &Path, id: &str, writer: Writer) -> Self {
        Self {
            ring: Mutex::default(),
            follow: broadcast::Sender::new(FOLLOW),
            dropped: Arc::default(),
            writer,
            path: folder.join(format!("{id}.log")),
        }
    }

    /// The last lines, at most `most`, of one stream or both; the oldest first.
    pub(crate) fn last(&self, stream: Option<Stream>, most: usize) -> Vec<LogLine> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).last(stream, most)
    }

    pub(crate) fn follow(&self) -> broadcast::Receiver<LogLine> {
        self.follow.subscribe()
    }

    /// Lines that did not reach the file.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn take(&self, stream: Stream, text: &[u8]) {
        let line = LogLine { at: clock::now(), stream, text: String::from_utf8_lossy(text).into() };
        self.keep(&line);
        if self.follow.receiver_count() > 0 {
            let _ = self.follow.send(line.clone());
        }
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Towards the file, if there is room; the disk may be slower than the service.
    fn keep(&self, line: &LogLine) {
        let size = line.size();
        if self.writer.waiting.fetch_add(size, Ordering::Relaxed) + size <= QUEUE {
            let entry =
                Entry { path: self.path.clone(), line: line.clone(), dropped: Arc::clone(&self.dropped) };
            if self.writer.queue.send(entry).is_ok() {
                return;
            }
        }
        self.writer.waiting.fetch_sub(size, Ordering::Relaxed);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads one stream of one process to its end. The end of a process is not the end of its output: another may
    /// have it open still, and is heard for a while after `ended`.
    pub(crate) async fn read(
        self: Arc<Self>,
        from: impl AsyncRead + Unpin,
        stream: Stream,
        ended: CancellationToken,
    ) {
        let mut cutter = Cutter::default();
        {
            let reading = self.read_all(from, stream, &mut cutter);
            tokio::pin!(reading);
            tokio::select! {
                () = &mut reading => {}
                () = ended.cancelled() => {
                    let _ = timeout(AFTER_END, reading).await;
                }
            }
        }
        cutter.finish(|line| self.take(stream, line));
    }

    async fn read_all(&self, mut from: impl AsyncRead + Unpin, stream: Stream, cutter: &mut Cutter) {
        let mut buffer = vec![0; READ];
        loop {
            match from.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    cutter.push(bytes, |line| self.take(stream, line));
                }
            }
        }
    }
}
