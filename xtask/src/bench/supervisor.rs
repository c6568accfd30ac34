//! `cargo xtask bench supervisor`: one child kept up by ours and by its peers, all at the same time: from the end of
//! the child to the next one, and what the supervisors take while nothing happens.
//!
//! On a machine that has other things to do, milliseconds tell of those: there, `chrt -r 1 cargo xtask bench supervisor`
//! (as root) puts all that is measured before them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::chance::Chance;
use crate::processes::{self, Memory};
use crate::terminal::say;
use crate::{cargo, clock, setup, workspace};
use keeper::Keeper;
use kind::Kind;
use report::Measured;

mod keeper;
mod kind;
mod report;

#[derive(Args)]
pub(crate) struct Options {
    /// How often to kill each child; the slow ones' a third as often
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// For how long to count wakeups
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    idle_seconds: u64,
}

/// Until what was started has come to rest.
const SETTLE: Duration = Duration::from_secs(5);

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::ensure_installed(&setup::SUPERVISORS)?;
    cargo::run(cargo::command(["build", "--release", "--locked", "--bin", "vigie-supervisor"]))?;
    let target = workspace::target()?;
    let directory = target.join("bench").join(format!("supervisor-{}", clock::epoch_seconds()));
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let measured = measure(options, &target.join("release/vigie-supervisor"), &directory)?;
    fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    say(report::table(&measured))?;
    let file = target.join("bench/supervisor.json");
    fs::write(&file, format!("{:#}\n", report::json(&measured)))
        .with_context(|| format!("cannot write {}", file.display()))?;
    say(format_args!("the numbers are in {}", file.display()))?;
    let budgets = report::budgets(&measured);
    for budget in &budgets {
        say(budget)?;
    }
    ensure!(budgets.iter().all(report::Budget::holds), "a budget is exceeded");
    Ok(())
}

fn measure(options: &Options, ours: &Path, directory: &Path) -> Result<Vec<Measured>> {
    let mut keepers = Vec::new();
    for kind in Kind::ALL {
        let place = directory.join(kind.slug());
        fs::create_dir(&place).with_context(|| format!("cannot make {}", place.display()))?;
        keepers.push(Keeper::start(kind, ours, &place)?);
    }
    clock::pause(SETTLE);
    say(format_args!("counting wakeups for {} s", options.idle_seconds))?;
    let mut measured = idle(&keepers, Duration::from_secs(options.idle_seconds))?;
    kill(options.kills, &mut keepers, &mut measured)?;
    Ok(measured)
}

/// What all of them take in the same stretch of time.
fn idle(keepers: &[Keeper], stretch: Duration) -> Result<Vec<Measured>> {
    let own: Vec<Vec<u32>> = keepers.iter().map(|keeper| keeper.family().own).collect();
    let switches = |pids: &Vec<u32>| pids.iter().map(|&pid| processes::switches(pid)).sum::<u64>();
    let before: Vec<u64> = own.iter().map(switches).collect();
    let started = clock::now();
    clock::pause(stretch);
    let seconds = started.elapsed().as_secs_f64();
    let after: Vec<u64> = own.iter().map(switches).collect();
    let mut measured = Vec::new();
    for (keeper, (pids, (before, after))) in keepers.iter().zip(own.iter().zip(before.iter().zip(after))) {
        let mut memory = Memory::default();
        for &pid in pids {
            let of = processes::memory(pid)?;
            memory.resident += of.resident;
            memory.proportional += of.proportional;
        }
        measured.push(Measured {
            kind: keeper.kind,
            processes: pids.len(),
            memory,
            wakeups: after.saturating_sub(*before) as f64 / seconds,
            milliseconds: Vec::new(),
        });
    }
    Ok(measured)
}

/// Kills one child after the other, in turn, so that a slow minute of the machine hits all, and each at an instant by
/// chance, so that it is not always the same one of a supervisor's own period.
fn kill(kills: u32, keepers: &mut [Keeper], measured: &mut [Measured]) -> Result<()> {
    let mut chance = Chance::new(1);
    for round in 0..kills {
        say(format_args!("kill {}/{kills}", round + 1))?;
        for (keeper, measured) in keepers.iter_mut().zip(measured.iter_mut()) {
            if keeper.kind.is_slow() && round % 3 != 0 {
                continue;
            }
            keeper.rest(Duration::from_micros(chance.below(1_000_000)))?;
            measured.milliseconds.push(keeper.kill()?.as_secs_f64() * 1000.0);
        }
    }
    Ok(())
}
