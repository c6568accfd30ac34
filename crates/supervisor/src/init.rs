//! As process 1 of a container there are duties that a runtime cannot have: orphans of all descendants must be waited
//! for, and the kernel ignores signals for which there is no handler. So process 1 is a small loop that starts the
//! supervisor again as its child, hands signals on to it, reaps whatever ends, and ends as it does.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group, wait};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use vigie_common::exit::Exit;

/// The loop, where this is process 1; its result is how to end. To be called before any thread is started.
#[must_use]
pub fn as_process_1() -> Option<ExitCode> {
    if !getpid().is_init() {
        return None;
    }
    Some(run().unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "vigie-supervisor: as process 1: {error}");
        Exit::Internal.into()
    }))
}

fn run() -> io::Result<ExitCode> {
    // Before the child is there: no end of it and no signal for it can be missed.
    let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2])?;
    let child = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        // Ctrl-C at a terminal reaches one of us alone: twice would mean "at once".
        .process_group(0)
        .spawn()?;
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    hand_over_terminal(child);
    for signal in signals.forever() {
        if signal == SIGCHLD {
            if let Some(status) = reap(child) {
                return Ok(ExitCode::from(code(status)));
            }
        } else if let Some(signal) = Signal::from_named_raw(signal) {
            // It may have ended just now: then its end comes next.
            let _ = kill_process(child, signal);
        }
    }
    Ok(Exit::Internal.into())
}

/// Where a terminal is ours (`docker run -it`), only the group that is in its foreground may read from it.
fn hand_over_terminal(child: Pid) {
    let terminal = io::stdin();
    let ours = tcgetpgrp(&terminal).is_ok_and(|foreground| foreground == getpid());
    if ours && tcsetpgrp(&terminal, child).is_ok() {
        // It was stopped if it has tried already.
        let _ = kill_process_group(child, Signal::CONT);
    }
}

/// Waits for all that has ended; tells how `child` did, if it is among them.
fn reap(child: Pid) -> Option<WaitStatus> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => return Some(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// As a shell tells it.
fn code(status: WaitStatus) -> u8 {
    let signal = || status.terminating_signal().map(|signal| 128 + signal);
    status
        .exit_status()
        .or_else(signal)
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(Exit::Internal.code())
}
