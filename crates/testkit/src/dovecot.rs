//! A real IMAP server for tests and measurements: Debian's Dovecot, on free ports of loopback, with
//! all that it writes in one directory. Any user name is let in, the password is [`PASSWORD`].

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tempfile::TempDir;

use crate::tls::{Authority, Kind};

mod config;
mod lmtp;

/// Opens every mailbox.
pub const PASSWORD: &str = "secret";

const STEP: Duration = Duration::from_millis(20);
const START_STEPS: u32 = 500;

/// A running Dovecot, stopped when dropped.
pub struct Dovecot {
    home: PathBuf,
    port: u16,
    tls_port: u16,
    master: Child,
    /// Stops the server should this process end without dropping it.
    guard: Child,
    /// Removed after the server has ended.
    _temporary: Option<TempDir>,
}

impl Dovecot {
    /// Starts one in a new directory, which goes with it.
    pub fn start() -> Result<Self> {
        let temporary =
            TempDir::with_prefix("vigie-dovecot-").context("cannot make a directory for Dovecot")?;
        let mut started = Self::start_in(temporary.path())?;
        started._temporary = Some(temporary);
        Ok(started)
    }

    /// Starts one in `home`, which stays. Started by root, Dovecot serves as another user, for whom
    /// every parent of `home` must be open.
    pub fn start_in(home: &Path) -> Result<Self> {
        let dovecot = installed("dovecot")?;
        fs::create_dir_all(home).with_context(|| format!("cannot make {}", home.display()))?;
        let home = home.canonicalize().with_context(|| format!("cannot find {}", home.display()))?;
        config::prepare(&home)?;
        let authority = Authority::new()?;
        authority.write(&home.join("ca.pem"))?;
        authority.identity(Kind::Valid)?.write(&home.join("tls.crt"), &home.join("tls.key"))?;
        // Between finding free ports and listening on them, somebody else may take one.
        let mut attempts = 3;
        loop {
            match Self::launch(&dovecot, &home) {
                Err(error) if attempts > 1 && format!("{error:#}").contains("already in use") => {
                    attempts -= 1
                }
                outcome => return outcome,
            }
        }
    }

    fn launch(dovecot: &Path, home: &Path) -> Result<Self> {
        let (port, tls_port) = free_ports()?;
        let file = home.join("dovecot.conf");
        fs::write(&file, config::text(home, port, tls_port)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        let output = File::create(home.join("output")).context("cannot make a file for what Dovecot says")?;
        let errors = output.try_clone().context("cannot share the file for what Dovecot says")?;
        let master = Command::new(dovecot)
            .arg("-F")
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", dovecot.display()))?;
        let pid = Pid::from_child(&master);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("cannot watch Dovecot")?;
        let guard = Command::new("sh")
            .args(["-c", "read -r _; kill -TERM \"$1\"", "guard", &master.id().to_string()])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start the guard of Dovecot")?;
        let started = Self { home: home.to_owned(), port, tls_port, master, guard, _temporary: None };
        started.wait_until_it_answers(&pidfd)?;
        Ok(started)
    }

    fn wait_until_it_answers(&self, pidfd: &OwnedFd) -> Result<()> {
        for _ in 0..START_STEPS {
            if [self.port, self.tls_port]
                .iter()
                .all(|p| TcpStream::connect((Ipv4Addr::LOCALHOST, *p)).is_ok())
            {
                return Ok(());
            }
            if ended(pidfd, STEP)? {
                bail!("Dovecot ended while starting:\n{}", self.log());
            }
        }
        bail!("Dovecot does not answer on 127.0.0.1:{}:\n{}", self.port, self.log())
    }

    /// IMAP without TLS, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// IMAP over TLS, on 127.0.0.1 alias localhost.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The authority that signed the server's certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.home.join("ca.pem")
    }

    /// Puts the messages of a Maildir into the user's INBOX.
    pub fn import(&self, user: &str, maildir: &Path) -> Result<()> {
        let source = self.home.join(format!("import-{user}"));
        copy(maildir, &source)?;
        config::hand_over(&source)?;
        let location = format!("maildir:{}", source.display());
        self.doveadm(&["import", "-u", user, &location, "", "all"])?;
        fs::remove_dir_all(&source).with_context(|| format!("cannot remove {}", source.display()))
    }

    /// Delivers one message over LMTP, as a mail server would; it is stored when this returns.
    pub fn deliver(&self, user: &str, message: &[u8]) -> Result<()> {
        lmtp::deliver(&self.home.join("lmtp.sock"), user, message)
            .with_context(|| format!("cannot deliver to {user}:\n{}", self.log()))
    }

    /// Runs `doveadm` on this server and returns what it prints.
    pub fn doveadm(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(installed("doveadm")?)
            .arg("-c")
            .arg(self.home.join("dovecot.conf"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .context("cannot run doveadm")?;
        ensure!(
            output.status.success(),
            "doveadm {}: {}: {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        ["output", "dovecot.log"]
            .iter()
            .filter_map(|name| fs::read(self.home.join(name)).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // The guard first: afterwards the number of the master may belong to another process.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        // All at once: nothing it holds outlives it, and its orderly end takes a second. As long as the
        // master is not waited for, the number of the group is its own.
        let _ = kill_process_group(Pid::from_child(&self.master), Signal::KILL);
        let _ = self.master.wait();
    }
}

/// Whether the process ends within `limit`.
fn ended(pidfd: &OwnedFd, limit: Duration) -> Result<bool> {
    let limit = Timespec::try_from(limit).context("too long a time")?;
    match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&limit)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error).context("cannot wait for Dovecot"),
    }
}

/// Where a program lies, also when only root has its directory in PATH.
fn installed(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0))
        .with_context(|| format!("{name} is not installed: run `cargo xtask test`, which installs it"))
}

/// Two ports that were free a moment ago.
fn free_ports() -> io::Result<(u16, u16)> {
    let (one, two) =
        (TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
    Ok((one.local_addr()?.port(), two.local_addr()?.port()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let attempt = || -> io::Result<()> {
        for directory in ["cur", "new", "tmp"] {
            fs::create_dir_all(to.join(directory))?;
            for file in fs::read_dir(from.join(directory))? {
                let file = file?;
                fs::copy(file.path(), to.join(directory).join(file.file_name()))?;
            }
        }
        Ok(())
    };
    attempt().with_context(|| format!("cannot copy the Maildir {}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_delivers_and_leaves_nothing() {
        let server = Dovecot::start().unwrap();
        let maildir = TempDir::new().unwrap();
        for directory in ["cur", "new", "tmp"] {
            fs::create_dir(maildir.path().join(directory)).unwrap();
        }
        fs::write(maildir.path().join("new/1.host"), "Subject: one\r\n\r\nfirst\r\n").unwrap();
        server.import("ada", maildir.path()).unwrap();
        server.deliver("ada", b"Subject: two\r\n\r\nsecond\r\n").unwrap();
        let count =
            server.doveadm(&["-f", "flow", "mailbox", "status", "-u", "ada", "messages", "INBOX"]).unwrap();
        assert_eq!(count.trim(), "INBOX messages=2");

        let (home, port) = (server.home.clone(), server.port());
        drop(server);
        assert!(!home.exists());
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }

    #[test]
    fn a_message_that_is_refused_is_an_error() {
        let server = Dovecot::start().unwrap();
        assert!(server.deliver("not an address", b"Subject: x\r\n\r\n").is_err());
        assert!(server.doveadm(&["no-such-command"]).is_err());
    }
}
