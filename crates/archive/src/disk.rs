//! The archive's folder: every call that changes it, each a step that tests can make fail.
//!
//! All paths are relative to the opened root: when the folder is moved while we run, what we write
//! moves with it. Nothing is followed through a symbolic link that somebody planted in it.

mod folders;

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

pub(crate) use self::folders::Folders;
use crate::content::Content;
use crate::error::{Error, Shortage};
use crate::steps::{halves, step};

/// Files are for the owner alone.
const FILE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The opened folder of an archive.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

impl Root {
    /// Opens the folder, or makes it (0700).
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let error = |what| move |source| Error::disk(what, path, source);
        let missing: Vec<&Path> = path.ancestors().take_while(|p| !p.exists()).collect();
        step("make root", "").map_err(error("make"))?;
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(error("make"))?;
        for parent in missing.iter().filter_map(|made| made.parent()) {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            step("sync parent of root", "")
                .and_then(|()| File::open(parent)?.sync_all())
                .map_err(error("sync the parent of"))?;
        }
        Self::look(path)
    }

    /// Opens a folder that is there.
    pub(crate) fn look(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = fs::open(path, flags, Mode::empty()).map_err(|e| Error::disk("open", path, e.into()))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Where it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Octets free for us, and whether a file can be made at all.
    pub(crate) fn room(&self) -> io::Result<(u64, bool)> {
        let now = fs::fstatvfs(&self.fd)?;
        // Some file systems count no inodes.
        Ok((now.f_bavail.saturating_mul(now.f_frsize), now.f_files == 0 || now.f_favail > 0))
    }

    /// Whether the folder is still where it was opened. If not, somebody has moved it or taken its file system away: what
    /// we would write there, nobody would find.
    pub(crate) fn is_in_place(&self) -> Result<(), Error> {
        let gone = |why: &str| {
            let source = io::Error::other(format!(
                "{why}: it was moved or unmounted; put it back and the work goes on, or restart ingest"
            ));
            Err(Error::Failed { step: "write to", path: self.path.clone(), source })
        };
        match (fs::stat(&self.path), fs::fstat(&self.fd)) {
            (Ok(there), Ok(ours)) if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino) => Ok(()),
            (Ok(_), Ok(_)) => gone("another folder is there now"),
            (Err(Errno::NOENT | Errno::NOTDIR), _) => gone("the folder is not there any more"),
            (Err(e), _) | (_, Err(e)) => Err(self.error("look at", "", e)),
        }
    }

    fn error(&self, what: &'static str, rel: &str, source: impl Into<io::Error>) -> Error {
        match Error::disk(what, self.path.join(rel), source.into()) {
            Error::Full { what: Shortage::Space, path } if self.room().is_ok_and(|(_, inodes)| !inodes) => {
                Error::Full { what: Shortage::Inodes, path }
            }
            error => error,
        }
    }

    fn open_at(&self, rel: &str, flags: OFlags, mode: Mode) -> io::Result<File> {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let path = if rel.is_empty() { "." } else { rel };
        Ok(fs::openat2(&self.fd, path, flags | OFlags::CLOEXEC, mode, inside)?.into())
    }

    /// Opens what must be a file. A pipe or a device in its place is not waited for.
    fn open_file(&self, rel: &str, flags: OFlags, mode: Mode) -> io::Result<File> {
        let file = self.open_at(rel, flags | OFlags::NONBLOCK | OFlags::NOCTTY, mode)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
    }

    /// Makes one folder (0700); it may be there already.
    fn make_folder(&self, rel: &str) -> Result<(), Error> {
        step("make folder", rel).map_err(|e| self.error("make folder", rel, e))?;
        match fs::mkdirat(&self.fd, rel, Mode::RWXU) {
            Ok(()) => Ok(()),
            // A symbolic link in its place, or a file, is not it.
            Err(Errno::EXIST) => self
                .open_at(rel, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
                .map(drop)
                .map_err(|e| self.error("use folder", rel, e)),
            Err(e) => Err(self.error("make folder", rel, e)),
        }
    }

    /// Makes a file that must not be there (0600).
    pub(crate) fn create(&self, rel: &str) -> Result<File, Error> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        step("create", rel)
            .and_then(|()| self.open_file(rel, flags, FILE))
            .map_err(|e| self.error("create", rel, e))
    }

    /// Opens a file for reading and writing, and makes it where it is not there.
    pub(crate) fn open_or_create(&self, rel: &str) -> Result<File, Error> {
        let flags = OFlags::RDWR | OFlags::CREATE;
        step("open", rel)
            .and_then(|()| self.open_file(rel, flags, FILE))
            .map_err(|e| self.error("open", rel, e))
    }

    /// Opens a file that is there for reading and writing.
    pub(crate) fn edit(&self, rel: &str) -> Result<File, Error> {
        self.open_file(rel, OFlags::RDWR, Mode::empty()).map_err(|e| self.error("open", rel, e))
    }

    /// Appends to what was written to `file`, or fails as a whole.
    pub(crate) fn write(&self, mut file: &File, rel: &str, bytes: &[u8]) -> Result<(), Error> {
        let (head, tail) = halves(bytes);
        let written = step("write", rel).and_then(|()| file.write_all(head)).and_then(|()| {
            if tail.is_empty() { Ok(()) } else { step("write", rel).and_then(|()| file.write_all(tail)) }
        });
        written.map_err(|e| self.error("write", rel, e))
    }

    /// Appends all of a content to what was written to `file`.
    pub(crate) fn copy(&self, file: &File, rel: &str, content: &Content) -> Result<(), Error> {
        let mut failed = None;
        let copied = content.pieces(|piece| {
            self.write(file, rel, piece).map_err(|error| {
                failed = Some(error);
                io::Error::other("not written")
            })
        });
        copied.map_err(|read| failed.unwrap_or_else(|| self.error("read what goes to", rel, read)))
    }

    /// Makes a file's content durable.
    pub(crate) fn sync_file(&self, file: &File, rel: &str) -> Result<(), Error> {
        step("sync", rel).and_then(|()| file.sync_all()).map_err(|e| self.error("sync", rel, e))
    }

    /// Makes the names in a folder durable.
    pub(crate) fn sync_folder(&self, rel: &str) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        step("sync folder", rel)
            .and_then(|()| self.open_at(rel, flags, Mode::empty())?.sync_all())
            .map_err(|e| self.error("sync folder", rel, e))
    }

    /// Makes everything on the file system durable; `beside` is done meanwhile.
    pub(crate) fn sync_whole<T>(&self, beside: impl FnOnce() -> T) -> Result<T, Error> {
        let sync = || fs::syncfs(&self.fd);
        let synced = step("sync whole", "").and_then(|()| {
            std::thread::scope(|scope| {
                let sync = std::thread::Builder::new().name("sync".into()).spawn_scoped(scope, sync)?;
                let done = beside();
                sync.join().map_err(|_| io::Error::other("the thread that syncs panicked"))??;
                Ok(done)
            })
        });
        synced.map_err(|e: io::Error| self.error("sync the file system of", "", e))
    }

    /// Gives a file its final name. `over`: what is there under that name is replaced.
    pub(crate) fn rename(&self, from: &str, to: &str, over: bool) -> Result<(), Error> {
        step("rename", format_args!("{from} {to}")).map_err(|e| self.error("rename to", to, e))?;
        let flags = if over { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        match fs::renameat_with(&self.fd, from, &self.fd, to, flags) {
            // Not every file system knows how not to replace.
            Err(Errno::INVAL) if !over => fs::linkat(&self.fd, from, &self.fd, to, AtFlags::empty())
                .and_then(|()| fs::unlinkat(&self.fd, from, AtFlags::empty())),
            done => done,
        }
        .map_err(|e| self.error("rename to", to, e))
    }

    /// Whether anything has this name.
    pub(crate) fn exists(&self, rel: &str) -> Result<bool, Error> {
        match fs::statat(&self.fd, rel, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(self.error("look at", rel, e)),
        }
    }

    /// Whether a folder has this name.
    pub(crate) fn is_folder(&self, rel: &str) -> Result<bool, Error> {
        Ok(self.stat(rel)?.is_some_and(|(kind, _)| kind == fs::FileType::Directory))
    }

    /// Whether a file has this name.
    pub(crate) fn is_file(&self, rel: &str) -> Result<bool, Error> {
        Ok(self.stat(rel)?.is_some_and(|(kind, _)| kind == fs::FileType::RegularFile))
    }

    /// Octets of a file; 0 if it is not there.
    pub(crate) fn size(&self, rel: &str) -> Result<u64, Error> {
        Ok(self.stat(rel)?.map_or(0, |(_, size)| size))
    }

    fn stat(&self, rel: &str) -> Result<Option<(fs::FileType, u64)>, Error> {
        match fs::statat(&self.fd, rel, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some((fs::FileType::from_raw_mode(stat.st_mode), stat.st_size.unsigned_abs()))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(self.error("look at", rel, e)),
        }
    }

    /// Opens a file that is there for reading.
    pub(crate) fn look_at(&self, rel: &str) -> io::Result<File> {
        self.open_file(rel, OFlags::RDONLY, Mode::empty())
    }

    /// The whole of a file.
    pub(crate) fn read(&self, rel: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.open_file(rel, OFlags::RDONLY, Mode::empty())
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(|e| self.error("read", rel, e))?;
        Ok(bytes)
    }

    /// The names in a folder, sorted; none if it is not there.
    pub(crate) fn list(&self, rel: &str) -> Result<Vec<String>, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let folder = match self.open_at(rel, flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(self.error("list", rel, e)),
        };
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&folder).map_err(|e| self.error("list", rel, e))? {
            let entry = entry.map_err(|e| self.error("list", rel, e))?;
            // A name that is not UTF-8 is none of ours.
            if let Some(name) = entry.file_name().to_str().ok().filter(|name| !matches!(*name, "." | "..")) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Removes a file; it may be gone.
    pub(crate) fn remove(&self, rel: &str) -> Result<(), Error> {
        step("remove", rel).map_err(|e| self.error("remove", rel, e))?;
        match fs::unlinkat(&self.fd, rel, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(self.error("remove", rel, e)),
        }
    }

    /// Cuts a file to a length, durably.
    pub(crate) fn cut(&self, rel: &str, length: u64) -> Result<(), Error> {
        let file = self.edit(rel)?;
        step("cut", rel).and_then(|()| file.set_len(length)).map_err(|e| self.error("cut", rel, e))?;
        self.sync_file(&file, rel)
    }
}

/// The folder of a file, `""` for the root.
pub(crate) fn parent(rel: &str) -> &str {
    rel.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// For measuring how long the disk takes, which no paused clock should stop.
#[expect(clippy::disallowed_methods, reason = "the archive is synchronous: there is no tokio clock here")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}
