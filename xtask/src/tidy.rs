//! `cargo xtask tidy`: the rules of the house that no compiler knows, as failing checks.
//!
//! Each check is a function from a file's path and text to what it violates; `members` looks at the
//! manifests, as cargo understands them.

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::terminal::say;
use crate::workspace;

mod markdown;
mod members;
mod source;
mod text;

/// A rule that a line does not keep, and what to do about it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    file: String,
    line: usize,
    advice: String,
}

impl Violation {
    fn new(file: &str, line: usize, advice: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, advice: advice.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.advice)
    }
}

pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let files = files()?;
    let mut violations = members::check(&workspace::metadata()?, &root)?;
    for file in &files {
        violations.extend(text::path(file));
        let Ok(bytes) = fs::read(root.join(file)) else { continue };
        // What is not text (a message, a picture) has no lines to keep tidy.
        let Ok(content) = String::from_utf8(bytes) else { continue };
        violations.extend(text::lines(file, &content));
        if file.ends_with(".rs") {
            violations.extend(source::check(file, &content));
        }
        if file.ends_with(".md") {
            violations.extend(markdown::links(file, &content, |target| root.join(target).exists()));
        }
    }
    violations.sort();
    for violation in &violations {
        say(violation)?;
    }
    match violations.len() {
        0 => say(format_args!("tidy: {} files keep the rules", files.len())),
        1 => bail!("tidy: 1 rule is not kept, see above"),
        count => bail!("tidy: {count} rules are not kept, see above"),
    }
}

/// Every file that is or would be committed, relative to the root.
fn files() -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(workspace::root())
        .output()
        .context("cannot run git, which knows the files to look at")?;
    ensure!(
        output.status.success(),
        "`git ls-files` failed: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let list = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    Ok(list.split_terminator('\0').map(str::to_owned).collect())
}
