//! The front end's tests, those of the pages in a real browser, and the pictures of the README: `crates/supervisor/tests/browser`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::terminal::say;
use crate::{cargo, clock, setup, workspace};

/// Installs the browser.
pub(crate) fn setup() -> Result<()> {
    ensure!(
        setup::has_npm(),
        "npm is missing, and the tests in a browser need it. Install Node.js 20.19 or later with npm (https://nodejs.org; \
         Debian 12 has an older one), then run this again; `cargo xtask test -- --workspace` runs the tests without a browser"
    );
    setup::ensure_installed([&setup::CHROMIUM])
}

/// Runs the tests with the binaries that `cargo test` has built.
pub(crate) fn tests() -> Result<()> {
    let started = clock::now();
    npm("test", &[])?;
    say(format_args!("browser tests passed in {}", clock::shown(started.elapsed())))
}

/// Checks the front end, and runs its own tests. Its dependencies are there once `vigie-metrics` is built.
pub(crate) fn front_end() -> Result<()> {
    let started = clock::now();
    let package = workspace::root().join("crates/metrics/ui");
    for script in ["check", "test"] {
        let mut command = Command::new("npm");
        command.args(["run", "--silent", script]);
        run(command, &package)?;
    }
    say(format_args!("the front end's tests passed in {}", clock::shown(started.elapsed())))
}

/// `cargo xtask screenshots`: takes the pictures of the README anew.
pub(crate) fn screenshots() -> Result<()> {
    setup()?;
    build()?;
    npm("pictures", &[("VIGIE_PICTURES", workspace::root().join("docs/pictures"))])?;
    say("look at docs/pictures before committing them")
}

/// Builds what `cargo test` builds of the binaries: no other profile, no other features.
pub(crate) fn build() -> Result<()> {
    cargo::run(cargo::command(["test", "--locked", "--no-run", "--test", "it"]))
}

/// Runs a script of the package, its dependencies installed.
fn npm(script: &str, variables: &[(&str, PathBuf)]) -> Result<()> {
    let package = workspace::root().join("crates/supervisor/tests/browser");
    install(&package)?;
    let mut command = Command::new("npm");
    command.args(["run", "--silent", script]).env("VIGIE_BINARIES", workspace::target()?.join("debug"));
    for (name, value) in variables {
        command.env(name, value);
    }
    run(command, &package)
}

/// `npm ci`, when the lock file is another than last time.
fn install(package: &Path) -> Result<()> {
    let lock = fs::read(package.join("package-lock.json")).context("cannot read package-lock.json")?;
    let installed = package.join("node_modules/.installed");
    if fs::read(&installed).is_ok_and(|last| last == lock) {
        return Ok(());
    }
    let mut command = Command::new("npm");
    // The browser is Debian's.
    command.arg("ci").env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    run(command, package)?;
    fs::write(&installed, lock).with_context(|| format!("cannot write {}", installed.display()))
}

fn run(mut command: Command, package: &Path) -> Result<()> {
    let status = command.current_dir(package).stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} in {} failed: {status}", package.display());
    Ok(())
}
