//! The programs that tests and measurements need, from Debian's packages.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::geteuid;

use crate::terminal::say;

/// A Debian package, and how to see that what it brings is there.
pub(crate) struct Package {
    name: &'static str,
    present: fn() -> bool,
    /// What the package starts when it is installed.
    service: Option<&'static str>,
}

impl Package {
    const fn new(name: &'static str, present: fn() -> bool) -> Self {
        Self { name, present, service: None }
    }

    const fn with_service(name: &'static str, service: &'static str, present: fn() -> bool) -> Self {
        Self { name, present, service: Some(service) }
    }
}

/// The real IMAP server that tests and measurements run against.
pub(crate) const DOVECOT: [Package; 2] = [
    Package::with_service("dovecot-imapd", "dovecot.service", || {
        installed("dovecot") && installed("doveadm") && serves("imap")
    }),
    Package::new("dovecot-lmtpd", || serves("lmtp")),
];

/// Reads raw segments back.
pub(crate) const ZSTD: Package = Package::new("zstd", || installed("zstd"));

/// What TLS is built on.
pub(crate) const OPENSSL: [Package; 2] = [
    Package::new("pkg-config", || installed("pkg-config")),
    Package::new("libssl-dev", || asks_pkg_config("openssl")),
];

/// The browser that the pages are tested in.
pub(crate) const CHROMIUM: Package = Package::new("chromium", || installed("chromium"));

/// The peer that the backfill is measured against.
pub(crate) const MBSYNC: Package = Package::new("isync", || installed("mbsync"));

/// The peers that the supervisor is measured against.
pub(crate) const SUPERVISORS: [Package; 3] = [
    Package::with_service("monit", "monit.service", || installed("monit")),
    Package::with_service("supervisor", "supervisor.service", || installed("supervisord")),
    Package::new("runit", || installed("runsvdir")),
];

/// Whether the front end can be built.
pub(crate) fn has_npm() -> bool {
    installed("npm")
}

/// Installs what is missing when we may, else says how to.
pub(crate) fn ensure_installed<'a>(packages: impl IntoIterator<Item = &'a Package>) -> Result<()> {
    let missing: Vec<&Package> = packages.into_iter().filter(|p| !(p.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|p| p.name).collect();
    let list = names.join(" ");
    ensure!(
        installed("apt-get"),
        "missing: {list} (these are the names of Debian's packages). Install them in the way of this system, then run this again"
    );
    if !geteuid().is_root() {
        bail!(
            "missing: {list}. Run this once, then try again:\n  sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends {list}'"
        );
    }
    say(format_args!("installing {list}"))?;
    apt_get(&["update", "-qq"])?;
    apt_get(&[&["install", "-y", "-qq", "--no-install-recommends"], names.as_slice()].concat())?;
    if Path::new("/run/systemd/system").exists() {
        // The packages start what they bring, on public ports even; only the programs are wanted.
        for service in missing.iter().filter_map(|package| package.service) {
            run(Command::new("systemctl").args(["disable", "--now", service]))?;
        }
    }
    let still: Vec<&str> = missing.iter().filter(|p| !(p.present)()).map(|p| p.name).collect();
    ensure!(still.is_empty(), "apt-get succeeded, but what {} should bring is not there", still.join(", "));
    Ok(())
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// Whether a program is there; servers may lie where only root's PATH leads.
fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .any(|directory| executable(&directory.join(program)))
}

fn serves(protocol: &str) -> bool {
    ["/usr/lib/dovecot", "/usr/libexec/dovecot"].iter().any(|d| executable(&Path::new(d).join(protocol)))
}

fn executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn asks_pkg_config(library: &str) -> bool {
    let answer = Command::new("pkg-config").args(["--exists", library]).stderr(Stdio::null()).status();
    answer.is_ok_and(|status| status.success())
}
