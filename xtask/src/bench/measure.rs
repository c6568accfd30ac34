//! Time and memory of one run of a program.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, ensure};
use wait4::Wait4;

use crate::clock;

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) seconds: f64,
    /// Bytes in memory at the peak; nothing where no process of its own did the work.
    pub(super) peak: Option<u64>,
}

/// Runs a program to its successful end. What it says goes to `output`.
pub(super) fn run(command: Command, output: &Path) -> Result<Run> {
    let program = command.get_program().to_owned();
    let (run, status) = run_to_any_end(command, output)?;
    ensure!(
        status.success(),
        "{} failed: {status}\n{}",
        program.display(),
        fs::read_to_string(output).unwrap_or_default().trim_end()
    );
    Ok(run)
}

/// Runs a program to its end, whatever that is.
pub(super) fn run_to_any_end(mut command: Command, output: &Path) -> Result<(Run, ExitStatus)> {
    let program = command.get_program().to_owned();
    let said = File::create(output).with_context(|| format!("cannot write {}", output.display()))?;
    let errors = said.try_clone().context("cannot share a file")?;
    command.stdin(Stdio::null()).stdout(said).stderr(errors);
    settle();
    let started = clock::now();
    let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    let ended = child.wait4().with_context(|| format!("cannot wait for {}", program.display()))?;
    let seconds = started.elapsed().as_secs_f64();
    Ok((Run { seconds, peak: Some(ended.rusage.maxrss) }, ended.status))
}

/// Lets the disk finish what earlier runs gave it to do.
pub(super) fn settle() {
    rustix::fs::sync();
}

/// The middle of the values, the mean of two where their number is even; not a number when there are none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 { at(middle) } else { (at(middle.wrapping_sub(1)) + at(middle)) / 2.0 }
}

/// The smallest of the values that this share of them does not exceed; not a number when there are none.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn quantiles() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.95), 3.0);
        assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], 0.5), 2.0);
        assert!(quantile(&[], 0.95).is_nan());
    }

    #[test]
    fn a_run_is_timed_and_weighed() {
        let output = std::env::temp_dir().join(format!("vigie-measure-{}", std::process::id()));
        let measured = run(Command::new("true"), &output).unwrap();
        assert!(measured.seconds > 0.0 && measured.peak.is_some_and(|bytes| bytes > 100_000));
        let failed = run(Command::new("false"), &output).unwrap_err().to_string();
        assert!(failed.contains("false failed: exit status: 1"), "{failed}");
        fs::remove_file(output).unwrap();
    }
}
