//! The running processes, and all that can happen while they run.
//!
//! Each process leads a group of its own, so that Ctrl-C in the terminal reaches us alone and we stop
//! them in order; and each holds the other end of a pipe of ours as its stdin, so that it ends should
//! we be killed.

use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::clock;
use crate::terminal::say;

/// How long a process may take to stop when asked.
const GRACE: Duration = Duration::from_secs(10);

pub(super) enum Event {
    /// We are asked to stop.
    Signal,
    /// The process with this number has ended; it is not waited for yet.
    Ended(u32),
    /// A process that was to end did so, successfully.
    Finished,
    /// A process says that it is ready.
    Ready,
    /// A process wrote a line.
    Line(String),
}

/// Why nothing more is to be shown.
pub(super) enum Halt {
    /// By a signal.
    Asked,
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) struct Stage {
    sender: SyncSender<Event>,
    events: Receiver<Event>,
    running: Vec<Running>,
}

struct Running {
    name: &'static str,
    child: Child,
    pidfd: OwnedFd,
    /// Whether it is to end by itself.
    task: bool,
}

impl Stage {
    /// An empty stage; signals that ask us to stop become events from now on.
    pub(super) fn new() -> Result<Self> {
        let (sender, events) = sync_channel(1024);
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot watch signals")?;
        let asked = sender.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for _ in &mut signals {
                    if asked.send(Event::Signal).is_err() {
                        return;
                    }
                }
            })
            .context("cannot start a thread")?;
        Ok(Self { sender, events, running: Vec::new() })
    }

    /// Where threads put their events.
    pub(super) fn sender(&self) -> SyncSender<Event> {
        self.sender.clone()
    }

    /// Starts a process of ours that is to run until we stop it, and returns its stdout if that is a pipe.
    pub(super) fn start(&mut self, name: &'static str, mut command: Command) -> Result<Option<ChildStdout>> {
        command.env("VIGIE_LIFELINE", "1").stdin(Stdio::piped());
        self.launch(name, command, false)
    }

    /// Runs a process to its successful end.
    pub(super) fn finish(&mut self, name: &'static str, command: Command) -> Result<(), Halt> {
        self.launch(name, command, true)?;
        while !matches!(self.next(GRACE)?, Some(Event::Finished)) {}
        Ok(())
    }

    fn launch(
        &mut self,
        name: &'static str,
        mut command: Command,
        task: bool,
    ) -> Result<Option<ChildStdout>> {
        let program = command.get_program().to_owned();
        let mut child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = child.stdout.take();
        let pid = child.id();
        let pidfd =
            pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).context("cannot watch a process")?;
        let watched = pidfd.try_clone().context("cannot watch a process")?;
        self.running.push(Running { name, child, pidfd, task });
        let ended = self.sender.clone();
        std::thread::Builder::new()
            .name("end".into())
            .spawn(move || {
                while !has_ended(&watched, GRACE) {}
                // Nobody to tell: everything is being stopped.
                let _ = ended.send(Event::Ended(pid));
            })
            .context("cannot start a thread")?;
        Ok(stdout)
    }

    /// The next event, if one comes within `limit`. A signal, and a process that ends though it should
    /// run, are reasons to halt.
    pub(super) fn next(&mut self, limit: Duration) -> Result<Option<Event>, Halt> {
        match self.events.recv_timeout(limit) {
            Ok(Event::Signal) => Err(Halt::Asked),
            Ok(Event::Ended(pid)) => self.ended(pid),
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }

    fn ended(&mut self, pid: u32) -> Result<Option<Event>, Halt> {
        let Some(at) = self.running.iter().position(|r| r.child.id() == pid) else { return Ok(None) };
        let ended = self.running.remove(at);
        let (name, task) = (ended.name, ended.task);
        let status = ended.collect()?;
        if task && status.success() {
            return Ok(Some(Event::Finished));
        }
        let how = if task { "failed" } else { "ended by itself" };
        Err(anyhow!("{name} {how}: {}", said(status)).into())
    }

    /// Stops what runs, the last started first, and waits for all of it. A second signal means: at once.
    pub(super) fn stop(&mut self) -> Result<()> {
        let mut outcome = Ok(());
        let mut patience = GRACE;
        while let Some(running) = self.running.pop() {
            let name = running.name;
            let started = clock::now();
            // It may have ended already.
            let _ = pidfd_send_signal(&running.pidfd, Signal::TERM);
            while !has_ended(&running.pidfd, Duration::from_millis(20)) && started.elapsed() < patience {
                // Reading the events also frees whoever waits to send one.
                if self.events.try_iter().any(|event| matches!(event, Event::Signal)) {
                    patience = Duration::ZERO;
                }
            }
            let in_time = has_ended(&running.pidfd, Duration::ZERO);
            let ended = running.collect();
            let line = match &ended {
                Ok(_) if !in_time => format!("killed {name}: it did not stop in {}", clock::shown(patience)),
                Ok(status) => format!("stopped {name} ({})", said(*status)),
                Err(error) => format!("{name}: {error:#}"),
            };
            // The terminal may be gone; stopping goes on.
            let _ = say(&line);
            let orderly =
                in_time && ended.is_ok_and(|status| status.success() || status.signal() == Some(SIGTERM));
            if !orderly && outcome.is_ok() {
                outcome = Err(anyhow!(line));
            }
        }
        outcome
    }
}

impl Running {
    /// Ends it and what it may have started, and waits for it.
    fn collect(mut self) -> Result<ExitStatus> {
        // As long as it is not waited for, the number of its group is its own.
        match kill_process_group(Pid::from_child(&self.child), Signal::KILL) {
            Ok(()) | Err(Errno::SRCH | Errno::PERM) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot end {}", self.name)),
        }
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name))
    }
}

/// Whether the process ends within `limit`.
fn has_ended(pidfd: &OwnedFd, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).ok();
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], limit.as_ref()).is_ok_and(|ready| ready > 0)
}

fn said(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn failure(outcome: Result<Option<Event>, Halt>) -> String {
        match outcome {
            Err(Halt::Failed(error)) => format!("{error:#}"),
            _ => String::new(),
        }
    }

    #[test]
    fn a_service_that_ends_is_named_with_its_exit_code() {
        let mut stage = Stage::new().unwrap();
        stage.start("service", shell("exit 77")).unwrap();
        assert_eq!(failure(stage.next(GRACE)), "service ended by itself: exit code 77");
        assert!(stage.stop().is_ok());
    }

    #[test]
    fn a_task_may_end_and_must_succeed() {
        let mut stage = Stage::new().unwrap();
        assert!(stage.finish("task", shell("exit 0")).is_ok());
        let failed = stage.finish("task", shell("exit 101"));
        assert_eq!(failure(failed.map(|()| None)), "task failed: exit code 101");
    }

    #[test]
    fn stopping_leaves_no_process() {
        let mut stage = Stage::new().unwrap();
        let mut script = shell("sleep 1000 & echo $!; read -r _");
        script.stdout(Stdio::piped());
        let stdout = stage.start("service", script).unwrap().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        let grandchild = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        let grandchild = pidfd_open(grandchild, PidfdFlags::empty()).unwrap();
        assert!(stage.stop().is_ok());
        assert!(has_ended(&grandchild, GRACE));
    }

    #[test]
    fn a_fault_while_stopping_is_told() {
        let mut stage = Stage::new().unwrap();
        let mut script = shell("trap 'exit 70' TERM; echo; read -r _; exit 70");
        script.stdout(Stdio::piped());
        let stdout = stage.start("service", script).unwrap().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut String::new()).unwrap();
        assert_eq!(stage.stop().unwrap_err().to_string(), "stopped service (exit code 70)");
    }
}
