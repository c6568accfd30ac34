//! A child with faults: a process that does what its arguments say, one after the other, for tests of the supervisor.
//!
//! | step | what it does |
//! |---|---|
//! | `exit=CODE` | ends |
//! | `wait=MILLIS` | lets time pass |
//! | `wait-for=FILE` | waits until the file exists |
//! | `forever` | waits until told to end: by TERM (unless ignored), or by its lifeline |
//! | `ignore-term` | from now on, TERM does nothing |
//! | `on-term=FILE` | TERM first appends its name to the file, then ends it |
//! | `append=FILE` | appends its pid, as a line |
//! | `print=TEXT`, `complain=TEXT` | a line on stdout, on stderr |
//! | `flood=OCTETS` | so much on stdout, in lines of 80 |
//! | `ready`, `ping`, `trigger`, `stopping`, `status=TEXT` | notifications |
//! | `ping-until=FILE` | pings many times a second until the file exists |
//! | `garbage` | notifications that nobody can read |
//! | `forge=STEP` | the same program with that step, in a group of its own: a stranger |
//! | `child=FILE` | a process in the same group that ignores TERM; its pid goes to the file |
//! | `escape=FILE` | the same in a group of its own, holding our stdout open |
//! | `stuck` | stops answering anything, but lives |

mod steps;

use std::process::ExitCode;

use vigie_common::exit::Exit;

/// Does what `steps` say. The process ends with the code that comes back.
pub fn run(steps: impl Iterator<Item = String>) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Exit::Internal.into();
    };
    match runtime.block_on(steps::all(steps)) {
        Ok(code) => code.into(),
        Err(error) => {
            tracing::error!("{error:#}");
            Exit::Internal.into()
        }
    }
}
