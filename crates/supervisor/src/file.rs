//! Small files that are replaced whole: a reader sees the old content or the new, never a part.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Whether the new content must survive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    Yes,
    No,
}

/// Replaces `path` by a file with `content`, readable by us alone.
pub(crate) fn replace(path: &Path, content: &[u8], durable: Durable) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    if durable == Durable::Yes {
        file.sync_all()?;
    }
    fs::rename(&new, path)?;
    match path.parent() {
        Some(folder) if durable == Durable::Yes => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Makes `path` and the folders above it, for us alone.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}
