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
}

/// The real IMAP server that tests and measurements run against.
pub(crate) const DOVECOT: [Package; 2] = [
    Package {
        name: "dovecot-imapd",
        present: || installed("dovecot") && installed("doveadm") && serves("imap"),
    },
    Package { name: "dovecot-lmtpd", present: || serves("lmtp") },
];

/// Reads raw segments back.
pub(crate) const ZSTD: Package = Package { name: "zstd", present: || installed("zstd") };

/// What TLS is built on.
pub(crate) const OPENSSL: [Package; 2] = [
    Package { name: "pkg-config", present: || installed("pkg-config") },
    Package { name: "libssl-dev", present: || asks_pkg_config("openssl") },
];

/// The peer that the backfill is measured against.
pub(crate) const MBSYNC: Package = Package { name: "isync", present: || installed("mbsync") };

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
    let dovecot_is_new = names.contains(&"dovecot-imapd");
    apt_get(&["update", "-qq"])?;
    apt_get(&[&["install", "-y", "-qq", "--no-install-recommends"], names.as_slice()].concat())?;
    if dovecot_is_new && Path::new("/run/systemd/system").exists() {
        // The package starts a mail server on the public ports; only its program is wanted.
        run(Command::new("systemctl").args(["disable", "--now", "dovecot.service"]))?;
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
