//! `cargo xtask ci`: everything a change must pass, the same at home and in the workflow. Cheap steps
//! come first.

use anyhow::{Context, Result};

use crate::terminal::say;
use crate::{cargo, clock, test, tidy};

pub(crate) fn run() -> Result<()> {
    let started = clock::now();
    step("setup", test::setup)?;
    step("fmt", || cargo::run(cargo::command(["fmt", "--all", "--check"])))?;
    step("tidy", tidy::run)?;
    step("clippy", || {
        let lints = ["--", "-D", "warnings"];
        let mut command = cargo::command(["clippy", "--workspace", "--all-targets", "--locked"]);
        command.args(lints);
        cargo::run(command)
    })?;
    step("doc", || {
        let mut command = cargo::command(["doc", "--workspace", "--no-deps", "--locked"]);
        command.env("RUSTDOCFLAGS", "-D warnings");
        cargo::run(command)
    })?;
    step("test", test::all)?;
    say(format_args!("ci: passed in {}", clock::shown(started.elapsed())))
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    say(format_args!("ci: {name}"))?;
    let started = clock::now();
    work().with_context(|| format!("ci: {name}"))?;
    say(format_args!("ci: {name} done in {}", clock::shown(started.elapsed())))
}
