//! Messages as bytes, made from a seed: the same arguments give the same bytes on every machine.
//!
//! [`message`] makes what a backfill is measured with, in three [`Profile`]s of size; [`mod@demo`] makes
//! mail of many kinds, languages and charsets for people to look at; [`rhythm`] says when it came.

mod bulk;
pub mod demo;
mod encoding;
mod gzip;
mod head;
mod mime;
mod random;
pub mod rhythm;
mod words;

use std::fs;
use std::io;
use std::path::Path;

pub use bulk::{Profile, large, message};
pub use demo::demo;
pub use random::Random;

/// Writes a Maildir with messages `0..count`, all of them new, for a server to import.
pub fn maildir(dir: &Path, count: u64, seed: u64, profile: Profile) -> io::Result<()> {
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(dir.join(part))?;
    }
    let new = dir.join("new");
    for index in 0..count {
        let name = format!("{}.M{index}P1.testkit", 1_700_000_000 + index);
        fs::write(new.join(name), message(seed, index, profile))?;
    }
    Ok(())
}
