//! Writes a Maildir of generated messages: `mailbox DIR COUNT small|mixed|large [SEED]`
//!
//! The same arguments give the same bytes.

use std::path::Path;

use anyhow::{Context, Result, bail};
use vigie_testkit::generate::{self, Profile};

const USAGE: &str = "usage: mailbox DIR COUNT small|mixed|large [SEED]";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context(USAGE);
    let (directory, count, profile) = (next()?, next()?, next()?);
    let count = count.parse().with_context(|| format!("`{count}` is no count; {USAGE}"))?;
    let profile = match profile.as_str() {
        "small" => Profile::Small,
        "mixed" => Profile::Mixed,
        "large" => Profile::Large,
        other => bail!("`{other}` is no profile; {USAGE}"),
    };
    let seed = match arguments.next() {
        Some(seed) => seed.parse().with_context(|| format!("`{seed}` is no seed; {USAGE}"))?,
        None => 1,
    };
    generate::maildir(Path::new(&directory), count, seed, profile)
        .with_context(|| format!("cannot write the Maildir {directory}"))
}
