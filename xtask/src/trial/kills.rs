//! `cargo xtask trial kills`: the demo, with each of its processes killed many times at instants by chance while mail
//! arrives. After each kill all must be back, exactly once; after the kill of the supervisor its children must end by
//! themselves; and when it is quiet, mailbox, archive and metrics must agree to the message.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rustix::process::Signal;

use crate::chance::Chance;
use crate::terminal::{say, thousands};
use crate::{cargo, clock, workspace};
use stack::{Kind, Stack};

mod agree;
mod config;
mod stack;

#[derive(Args)]
pub(crate) struct Options {
    /// How often to kill each process
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Names the instants and the order [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Try the release build
    #[arg(long)]
    release: bool,
    /// Keep the folder also when all went well
    #[arg(long)]
    keep: bool,
}

/// All must be back within this: the restarts of a trial come so often that some of them wait.
const BACK: Duration = Duration::from_secs(60);
/// After the end of the supervisor, its children end within this.
const ORPHANS: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

pub(crate) fn run(options: &Options) -> Result<()> {
    let binaries = build(options.release)?;
    let seed = options.seed.unwrap_or_else(clock::epoch_seconds);
    let folder = workspace::target()?.join("trial").join(format!("kills-{}", clock::epoch_seconds()));
    let rerun = format!("--seed {seed} repeats its choices; logs and archive are in {}", folder.display());
    trial(options, seed, Stack::new(&binaries, &folder)?).context(rerun)?;
    if !options.keep {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    say("verdict: all came back, exactly once each, and every message was counted once")
}

fn build(release: bool) -> Result<PathBuf> {
    let mut build = cargo::command(["build", "--locked"]);
    for kind in Kind::ALL {
        build.args(["--bin", kind.program()]);
    }
    if release {
        build.arg("--release");
    }
    cargo::run(build)?;
    Ok(workspace::target()?.join(if release { "release" } else { "debug" }))
}

fn trial(options: &Options, seed: u64, mut stack: Stack) -> Result<()> {
    let mut chance = Chance::new(seed);
    let mut took = BTreeMap::<Kind, Vec<Duration>>::new();
    stack.start()?;
    say(format_args!("seed {seed}; all up after {}", clock::shown(back(&mut stack)?)))?;
    let victims = order(options.times, &mut chance);
    let mut at_once = 0;
    for (at, &victim) in victims.iter().enumerate() {
        let number = format!("{}/{}", at + 1, victims.len());
        clock::pause(Duration::from_millis(chance.below(1_000)));
        let note = kill(&mut stack, victim, &mut chance)?;
        // Now and then the next one falls before this one is back.
        if chance.below(4) == 0 && at + 1 < victims.len() {
            at_once += 1;
            say(format_args!("{number}  {:18} killed{note}; not waiting for it", victim.program()))?;
            continue;
        }
        let duration =
            back(&mut stack).with_context(|| format!("after kill {number}, of {}", victim.program()))?;
        say(format_args!(
            "{number}  {:18} killed{note}; all back after {}",
            victim.program(),
            clock::shown(duration)
        ))?;
        took.entry(victim).or_default().push(duration);
        stack.forget_failures()?;
    }
    back(&mut stack)?;
    let duration = beside_a_frozen_server(&mut stack)?;
    say(format_args!(
        "supervisor killed while the mailbox server is frozen: the others gone after {}",
        clock::shown(duration)
    ))?;
    for (kind, took) in &took {
        let longest = took.iter().max().copied().unwrap_or_default();
        say(format_args!("{:18} back within {}", kind.program(), clock::shown(longest)))?;
    }
    say(format_args!("{} kills, {at_once} of them with the next one at once", victims.len()))?;
    let messages = agree::check(&stack)?;
    say(format_args!("mailbox, archive and metrics agree on {} messages", thousands(messages)))?;
    stack.stop()
}

/// Each process as often, in an order by chance.
fn order(times: u32, chance: &mut Chance) -> Vec<Kind> {
    let mut left: Vec<Kind> = (0..times).flat_map(|_| Kind::ALL).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let at = usize::try_from(chance.below(left.len() as u64)).unwrap_or(0);
        order.push(left.swap_remove(at));
    }
    order
}

/// Kills it, once it is there. The supervisor is started again, as by an init system: at once, or after its children
/// were seen to end.
fn kill(stack: &mut Stack, victim: Kind, chance: &mut Chance) -> Result<String> {
    let pid =
        until(BACK, || stack.only(victim)).with_context(|| format!("{} is not there", victim.program()))?;
    if victim != Kind::Supervisor {
        stack.signal(pid, Signal::KILL)?;
        return Ok(String::new());
    }
    let children = stack.children();
    let killed = clock::now();
    stack.kill_supervisor()?;
    let wait = chance.below(2) == 0;
    if !wait {
        stack.start()?;
    }
    let mut last = None;
    let gone = until(ORPHANS, || {
        let left = stack.left(&children);
        last = left.first().copied().or(last);
        left.is_empty().then(|| killed.elapsed())
    });
    let last = last.map_or("none", Kind::program);
    let Some(gone) = gone else {
        bail!("5 s after the end of the supervisor {last} still runs: {:?}", stack.processes());
    };
    if wait {
        stack.start()?;
    }
    let milliseconds = gone.as_secs_f64() * 1000.0;
    Ok(format!(", its {} children gone after {milliseconds:.0} ms, the last one {last}", children.len()))
}

/// The supervisor falls while the server answers nothing, which ingest may not wait for.
fn beside_a_frozen_server(stack: &mut Stack) -> Result<Duration> {
    let mailbox = stack.only(Kind::Mailbox).context("the mailbox server is not there")?;
    let others: Vec<u32> = stack.children().into_iter().filter(|&pid| pid != mailbox).collect();
    stack.signal(mailbox, Signal::STOP)?;
    // Until some of what it was asked has not been answered.
    clock::pause(Duration::from_secs(1));
    let killed = clock::now();
    stack.kill_supervisor()?;
    let gone = until(ORPHANS, || stack.left(&others).is_empty().then(|| killed.elapsed()));
    let left = stack.left(&others);
    stack.signal(mailbox, Signal::CONT)?;
    let gone = gone.with_context(|| {
        format!(
            "5 s after the end of the supervisor, with a frozen mailbox server, these still run: {left:?}"
        )
    })?;
    ensure!(
        until(ORPHANS, || stack.left(&[mailbox]).is_empty().then_some(())).is_some(),
        "the mailbox server still runs"
    );
    stack.start()?;
    back(stack)?;
    Ok(gone)
}

/// Waits until all is well.
fn back(stack: &mut Stack) -> Result<Duration> {
    let started = clock::now();
    let mut why = String::new();
    while started.elapsed() < BACK {
        stack.check_writers()?;
        match stack.is_whole() {
            Ok(()) => return Ok(started.elapsed()),
            Err(error) => why = format!("{error:#}"),
        }
        clock::pause(LOOK);
    }
    bail!("not all is back after {}: {why}", clock::shown(BACK));
}

/// Looks until there is something, but not longer than `within`.
fn until<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = clock::now();
    loop {
        match look() {
            None if started.elapsed() < within => clock::pause(LOOK),
            found => return found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_killed_as_often() {
        let order = order(20, &mut Chance::new(1));
        for kind in Kind::ALL {
            assert_eq!(order.iter().filter(|&&other| other == kind).count(), 20);
        }
        assert_ne!(order[..4], Kind::ALL);
    }
}
