//! What is refused, and in which words.

use std::path::Path;

use super::*;

fn settings(account: &str) -> Result<Settings, String> {
    let text = format!("[[account]]\nid = \"a\"\nhost = \"imap.example.org\"\nuser = \"u\"\n{account}");
    let loaded = Loaded::parse(Path::new("conf/vigie.toml"), text, []).map_err(|e| e.to_string())?;
    Settings::from_config(&loaded).map_err(|e| e.to_string())
}

#[test]
fn five_lines_are_enough() {
    let settings = settings("password_file = \"secrets/a\"").unwrap();
    let account = settings.accounts.first().unwrap();
    assert_eq!((account.port, account.tls), (993, Tls::Implicit));
    assert!(matches!(&account.password, Secret::File(path) if path == Path::new("conf/secrets/a")));
    assert!(account.mailboxes.includes("INBOX") && !account.mailboxes.includes("Other"));
    assert!(settings.archive.root.is_absolute() && settings.archive.root.ends_with("conf/archive"));
}

#[test]
fn faults_are_told_with_their_place() {
    for (account, said) in [
        ("", "conf/vigie.toml:1: account a: no password"),
        ("password_env = \"X\"\npassword_file = \"y\"", "account a: more than one of"),
        ("password_env = \"X\"\ntls = \"none\"", "would send the password to imap.example.org in clear text"),
        ("password_env = \"X\"\npin = \"sha256:12\"", "pin = \"sha256:12\": write \"sha256:\" and 64"),
        ("password_env = \"X\"\npin = []", "nothing is pinned"),
        ("password_env = \"X\"\nsince = \"yesterday\"", "since = \"yesterday\": write a date"),
        ("password_env = \"X\"\nmailboxes = []", "mailboxes includes nothing"),
        (
            "password_env = \"X\"\n[[account]]\nid = \"a\"\nhost = \"h\"\nuser = \"u\"\npassword_env = \"X\"",
            "another account has the same id",
        ),
        (
            "password_env = \"X\"\n[[account]]\nid = \"A/..\"\nhost = \"h\"\nuser = \"u\"",
            "account A/..: an id is",
        ),
    ] {
        let error = settings(account).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_pin_stands_alone_and_there_may_be_several() {
    let pin = format!("sha256:{}", "ab".repeat(32));
    let with = |more: &str| settings(&format!("password_env = \"X\"\n{more}"));
    assert_eq!(with(&format!("pin = \"{pin}\"")).unwrap().accounts[0].pins.len(), 1);
    assert_eq!(with(&format!("pin = [\"{pin}\", \"{pin}\"]")).unwrap().accounts[0].pins.len(), 2);
    assert!(with(&format!("pin = \"{pin}\"\nca_file = \"x\"")).unwrap_err().contains("keep one"));
}

#[test]
fn a_password_in_the_file_warns() {
    let settings = settings("password = \"canary\"").unwrap();
    assert_eq!(settings.warnings.len(), 1);
    assert!(!settings.warnings.concat().contains("canary"));
}

#[test]
fn clear_text_is_for_loopback() {
    for host in ["127.0.0.1", "::1", "localhost", "LOCALHOST"] {
        assert!(is_loopback(host), "{host}");
    }
    for host in ["10.0.0.1", "example.org", "localhost.example.org", "127.0.0.1.example.org"] {
        assert!(!is_loopback(host), "{host}");
    }
}

#[test]
fn since_is_a_date_or_now() {
    assert_eq!(since("now"), Ok(Since::Now));
    assert_eq!(since("2026-01-01"), Ok(Since::Date("2026-01-01T00:00:00Z".parse().unwrap())));
}
