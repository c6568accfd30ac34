//! A child is started: its own process group, its own environment, its output in our hands.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, ChildStdin, Command};
use vigie_common::lifeline;

use super::environment;
use crate::settings::Service;

/// A child, just started. Its output is in `child`, to be taken.
pub(crate) struct Spawned {
    pub(crate) pid: u32,
    pub(crate) child: Child,
    /// A child of ours ends when this closes, whatever ended the supervisor.
    pub(crate) lifeline: Option<ChildStdin>,
}

/// Why there is no process.
pub(crate) struct NotSpawned {
    pub(crate) why: String,
    /// Another try would end in the same way, until a person changes something.
    pub(crate) is_final: bool,
}

/// Starts the program of `service`; `socket` is where it may say how it is, `token` what our probe shows.
pub(crate) fn spawn(
    service: &Service,
    socket: Option<&Path>,
    watchdog: Duration,
    token: &str,
) -> Result<Spawned, NotSpawned> {
    let program = program(service);
    let mut command = Command::new(&program.path);
    command
        .args(service.command.iter().skip(1))
        .current_dir(&service.working_directory)
        .env_clear()
        .envs(environment::of(service, token, std::env::vars_os()))
        // A group of its own: signals reach all that it starts, and those of our terminal do not reach it.
        .process_group(0)
        .stdin(if program.ours { Stdio::piped() } else { Stdio::null() })
        // Should this process end without having stopped it.
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if program.ours {
        command.env(lifeline::VARIABLE, "1");
    }
    if let Some(socket) = socket {
        command.env("NOTIFY_SOCKET", socket);
        if program.ours {
            command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        }
    }
    let mut child = command.spawn().map_err(|error| {
        let is_final = matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
        );
        // The system says "not found" for a missing folder, too.
        let what =
            if service.working_directory.is_dir() { &program.path } else { &service.working_directory };
        NotSpawned { why: format!("{}: {error}", what.display()), is_final }
    })?;
    let lifeline = child.stdin.take();
    match child.id() {
        Some(pid) => Ok(Spawned { pid, child, lifeline }),
        None => Err(NotSpawned { why: "ended before it began".into(), is_final: false }),
    }
}

/// What is to be executed.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// It lies beside our own executable and is named like it.
    ours: bool,
}

/// Whether a program beside us is one of our binaries: in `/usr/bin` we have many neighbours.
fn is_ours(name: &str) -> bool {
    name.starts_with("vigie-")
}

/// A bare name is sought beside our own executable first; later, by the system, in PATH.
pub(crate) fn program(service: &Service) -> Program {
    let name = service.command.first().map(String::as_str).unwrap_or_default();
    if name.contains('/') {
        // From the data folder, as every path of the configuration.
        return Program { path: service.data.join(name), ours: false };
    }
    // Sought at each start: the executable may have been replaced in the meantime.
    let beside = std::env::current_exe().ok().and_then(|us| Some(us.parent()?.join(name)));
    match beside.filter(|path| path.is_file()) {
        Some(path) => Program { path, ours: is_ours(name) },
        None => Program { path: name.into(), ours: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_beside_us_is_ours_by_its_name_alone() {
        let stranger = std::env::current_exe().unwrap();
        let found = program(&Service::program("x", &[stranger.file_name().unwrap().to_str().unwrap()]));
        assert_eq!((found.path, found.ours), (stranger, false));
        for (name, ours) in [("vigie-ingest", true), ("python3", false), ("vigie", false)] {
            assert_eq!(is_ours(name), ours, "{name}");
        }
    }
}
