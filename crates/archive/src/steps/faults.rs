//! The step counter: counts disk steps of this thread, and fails or kills at one of them;
//! and keeps a log of them, from which a test can tell what a power cut would have left.
//!
//! A whole process is told by `VIGIE_FAULTS`: `kill N`, `fail N ERRNO` or `fail-from N ERRNO`; its steps are then counted
//! over all threads.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

/// What happens at which step. Steps count from 1 from the moment that the plan is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plan {
    /// Nothing.
    #[default]
    Undisturbed,
    /// The process dies by SIGKILL before this step.
    Kill(u64),
    /// This step fails with this `errno`.
    Fail(u64, i32),
    /// This step and all that follow fail with this `errno`.
    FailFrom(u64, i32),
}

thread_local! {
    static PLAN: Cell<Plan> = Cell::new(of_process().unwrap_or_default());
    static STEPS: Cell<u64> = const { Cell::new(0) };
    static LOG: RefCell<Vec<(&'static str, String)>> = const { RefCell::new(Vec::new()) };
}

/// Steps of the process, where a plan is set for it.
static PROCESS: AtomicU64 = AtomicU64::new(0);

/// What `VIGIE_FAULTS` says.
fn of_process() -> Option<Plan> {
    static SAID: OnceLock<Option<Plan>> = OnceLock::new();
    *SAID.get_or_init(|| {
        let text = std::env::var("VIGIE_FAULTS").ok()?;
        let mut words = text.split(' ');
        let (what, step) = (words.next()?, words.next()?.parse().ok()?);
        let mut errno = || words.next()?.parse().ok();
        match what {
            "kill" => Some(Plan::Kill(step)),
            "fail" => Some(Plan::Fail(step, errno()?)),
            "fail-from" => Some(Plan::FailFrom(step, errno()?)),
            _ => None,
        }
    })
}

/// Sets the plan for this thread, and counts anew.
pub fn set(plan: Plan) {
    PLAN.set(plan);
    STEPS.set(0);
    LOG.take();
}

/// Steps taken since the plan was set.
#[must_use]
pub fn taken() -> u64 {
    STEPS.get()
}

/// Steps taken since the plan was set: what, and on which path (two for a rename, with a blank between).
#[must_use]
pub fn log() -> Vec<(&'static str, String)> {
    LOG.with_borrow(Clone::clone)
}

pub(crate) fn step(what: &'static str, path: impl Display) -> io::Result<()> {
    let n = match of_process() {
        Some(_) => PROCESS.fetch_add(1, Ordering::Relaxed) + 1,
        None => STEPS.get() + 1,
    };
    STEPS.set(n);
    if PLAN.get() != Plan::Undisturbed {
        LOG.with_borrow_mut(|log| log.push((what, path.to_string())));
    }
    match PLAN.get() {
        Plan::Kill(at) if n == at => {
            kill_process(getpid(), Signal::KILL)?;
            Ok(())
        }
        Plan::Fail(at, errno) if n == at => Err(io::Error::from_raw_os_error(errno)),
        Plan::FailFrom(at, errno) if n >= at => Err(io::Error::from_raw_os_error(errno)),
        _ => Ok(()),
    }
}

/// While a plan is set, every write can be torn in its middle.
pub(crate) fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = if PLAN.get() == Plan::Undisturbed { bytes.len() } else { bytes.len() / 2 };
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

/// While a plan is set, segments are left after a few messages, so that rounds go over their ends.
pub(crate) fn roll(size: u64) -> u64 {
    if PLAN.get() == Plan::Undisturbed { size } else { 1000 }
}
