//! The configuration of Dovecot 2.3, and as whom it serves: started by root as [`SERVED_AS`], otherwise
//! as whoever started it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::geteuid;

/// Dovecot refuses to serve mail as root.
const SERVED_AS: (&str, &str) = ("nobody", "nogroup");

/// Makes the directories, open to the user that Dovecot serves as.
pub(super) fn prepare(home: &Path) -> Result<()> {
    for directory in ["run", "users"] {
        let directory = home.join(directory);
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    fs::set_permissions(home, Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {} to others", home.display()))?;
    hand_over(&home.join("users"))
}

/// Gives a directory and all in it to the user that Dovecot serves as.
pub(super) fn hand_over(path: &Path) -> Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = (number("-u", SERVED_AS.0)?, number("-g", SERVED_AS.0)?);
    give(path, uid, gid).with_context(|| format!("cannot give {} to {}", path.display(), SERVED_AS.0))
}

fn give(path: &Path, uid: u32, gid: u32) -> std::io::Result<()> {
    chown(path, Some(uid), Some(gid))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), uid, gid)?;
        }
    }
    Ok(())
}

fn number(which: &str, user: &str) -> Result<u32> {
    id(&[which, user])?.parse().context("`id` gave no number")
}

fn id(arguments: &[&str]) -> Result<String> {
    let output = Command::new("id").args(arguments).output().context("cannot run `id`")?;
    ensure!(output.status.success(), "`id {}` failed: {}", arguments.join(" "), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The file for Dovecot, with everything under `home`.
pub(super) fn text(home: &Path, port: u16, tls_port: u16) -> Result<String> {
    let home = home.display();
    let (served_as, rights) = if geteuid().is_root() {
        (format!("uid={} gid={} ", SERVED_AS.0, SERVED_AS.1), String::new())
    } else {
        let (user, group) = (id(&["-un"])?, id(&["-gn"])?);
        let rights = format!(
            "default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}\n"
        );
        (String::new(), rights)
    };
    Ok(format!(
        r"{rights}base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{home}/tls.crt
ssl_key = <{home}/tls.key
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = sdbox:%h/sdbox
mail_fsync = never
mail_max_userip_connections = 1000
first_valid_uid = 1
protocol imap {{
  mail_plugins = imap_zlib
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = {served_as}home={home}/users/%u allow_all_users=yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service lmtp {{
  unix_listener {home}/lmtp.sock {{
    mode = 0666
  }}
}}
service stats {{
  chroot =
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Archive {{
    special_use = \Archive
    auto = create
  }}
  mailbox Junk {{
    special_use = \Junk
    auto = create
  }}
}}
",
        password = super::PASSWORD,
    ))
}
