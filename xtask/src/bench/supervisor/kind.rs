//! What is measured: who keeps the child up, by what configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

/// The child of all.
pub(super) const CHILD: [&str; 2] = ["sleep", "100000"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ours,
    Runit,
    Supervisord,
    Monit,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Ours, Self::Runit, Self::Supervisord, Self::Monit];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "vigie-supervisor, with reset",
            Self::Runit => "runit: runsvdir and runsv",
            Self::Supervisord => "supervisord",
            Self::Monit => "Monit, cycle of 1 s",
        }
    }

    pub(super) const fn slug(self) -> &'static str {
        match self {
            Self::Ours => "vigie",
            Self::Runit => "runit",
            Self::Supervisord => "supervisord",
            Self::Monit => "monit",
        }
    }

    /// Takes seconds for what others do in milliseconds.
    pub(super) const fn is_slow(self) -> bool {
        matches!(self, Self::Supervisord | Self::Monit)
    }

    /// How long its child must have run so that its end is no repeated failure, for which all make it wait.
    pub(super) const fn rest(self) -> Duration {
        match self {
            Self::Ours => Duration::from_millis(50),
            Self::Runit => Duration::from_millis(1_200),
            // Starting for 1 s.
            Self::Supervisord => Duration::from_millis(1_500),
            // Seen in a cycle or two.
            Self::Monit => Duration::from_millis(3_000),
        }
    }

    /// Asks it to end, and its child with it.
    pub(super) const fn end(self) -> Signal {
        match self {
            // TERM would leave its children alone.
            Self::Runit => Signal::HUP,
            Self::Ours | Self::Supervisord | Self::Monit => Signal::TERM,
        }
    }

    /// How to start it, its configuration written to `place`.
    pub(super) fn command(self, ours: &Path, place: &Path) -> Result<Command> {
        let [program, argument] = CHILD;
        let shown = place.display();
        let mut command;
        match self {
            Self::Ours => {
                let text = format!(
                    "[supervisor]\nlisten = \"127.0.0.1:0\"\n[ingest]\nenabled = false\n[metrics]\nenabled = false\n\
                     [[service]]\nid = \"child\"\ncommand = [\"{program}\", \"{argument}\"]\n"
                );
                let file = place.join("vigie.toml");
                write(&file, &text, 0o600)?;
                command = Command::new(ours);
                command.arg("run").arg("--config").arg(file);
            }
            Self::Runit => {
                let service = place.join("services/child");
                fs::create_dir_all(&service).with_context(|| format!("cannot make {}", service.display()))?;
                write(&service.join("run"), &format!("#!/bin/sh\nexec {program} {argument}\n"), 0o700)?;
                command = Command::new("runsvdir");
                command.arg(place.join("services"));
            }
            Self::Supervisord => {
                let text = format!(
                    "[supervisord]\nnodaemon = true\npidfile = {shown}/pid\nlogfile = {shown}/log\n\
                     childlogdir = {shown}\n[program:child]\ncommand = {program} {argument}\nautorestart = true\n"
                );
                let file = place.join("supervisord.conf");
                write(&file, &text, 0o600)?;
                command = Command::new("supervisord");
                command.arg("-c").arg(file);
            }
            Self::Monit => {
                let start = place.join("start");
                let pid = pidfile(place);
                let script = format!(
                    "#!/bin/sh\n{program} {argument} </dev/null >/dev/null 2>&1 &\necho $! >{}\n",
                    pid.display()
                );
                write(&start, &script, 0o700)?;
                let text = format!(
                    "set daemon 1\nset pidfile {shown}/pid\nset idfile {shown}/id\nset statefile {shown}/state\n\
                     set log {shown}/log\ncheck process child with pidfile {}\n  start program = \"{}\"\n",
                    pid.display(),
                    start.display()
                );
                let file = place.join("monitrc");
                write(&file, &text, 0o600)?;
                command = Command::new("monit");
                command.arg("-I").arg("-c").arg(file);
            }
        }
        Ok(command)
    }
}

/// Where Monit's child is named, which is nobody's.
pub(super) fn pidfile(place: &Path) -> std::path::PathBuf {
    place.join("child.pid")
}

fn write(file: &Path, text: &str, mode: u32) -> Result<()> {
    fs::write(file, text)
        .and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(mode)))
        .with_context(|| format!("cannot write {}", file.display()))
}
