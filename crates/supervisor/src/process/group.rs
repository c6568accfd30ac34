//! Signals to a process group: a service and all that it started and did not move elsewhere.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

/// Sends `signal` to the group that `leader` began. A group that is gone already is no fault.
pub(crate) fn signal(leader: u32, signal: Signal) {
    let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) else { return };
    match kill_process_group(group, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => tracing::warn!(group = leader, ?signal, %error, "cannot signal the process group"),
    }
}
