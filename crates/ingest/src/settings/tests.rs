//! What is refused, and in which words.

use std::path::Path;

use vigie_common::config::{Flow, Provider};
use vigie_common::secret::Secret;

use super::*;

fn settings(account: &str) -> Result<Settings, String> {
    let host = if account.contains("\nhost = \"127") { "" } else { "host = \"imap.example.org\"\n" };
    let text = format!("[[account]]\nid = \"a\"\n{host}user = \"u\"\n{account}");
    let loaded = Loaded::parse(Path::new("conf/vigie.toml"), text, []).map_err(|e| e.to_string())?;
    Settings::from_config(&loaded).map_err(|e| e.to_string())
}

#[test]
fn five_lines_are_enough() {
    let settings = settings("password_file = \"secrets/a\"").unwrap();
    let account = settings.accounts.first().unwrap();
    assert_eq!((account.port, account.tls), (993, Tls::Implicit));
    assert!(
        matches!(&account.sign_in, SignIn::Password(Secret::File(path)) if path == Path::new("conf/secrets/a"))
    );
    assert_eq!(account.mailboxes, Patterns::parse(&["INBOX".into()]).unwrap());
    assert!(settings.archive.root.is_absolute() && settings.archive.root.ends_with("conf/archive"));
}

#[test]
fn faults_are_told_with_their_place() {
    for (account, said) in [
        ("", "conf/vigie.toml:1: account a: no password"),
        ("password_env = \"X\"\npassword_file = \"y\"", "account a: more than one of"),
        ("password_env = \"X\"\ntls = \"none\"", "would send the password to imap.example.org in clear text"),
        (
            "password_env = \"X\"\ntls = \"none\"\nhost = \"127.0.0.1\"\nproxy = \"socks5://proxy.example:1080\"",
            "the password to the proxy socks5://proxy.example:1080 in clear text",
        ),
        ("password_env = \"X\"\npin = \"sha256:12\"", "pin = \"sha256:12\": write \"sha256:\" and 64"),
        ("password_env = \"X\"\npin = []", "nothing is pinned"),
        ("password_env = \"X\"\nclient_key = \"x\"", "set both or none"),
        ("password_env = \"X\"\nproxy = \"http://me:canary@p:1\"", "asks for a password cannot be used"),
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
fn a_provider_fills_what_is_not_written() {
    let account = |text: &str| {
        let text = format!("[[account]]\nid = \"a\"\npassword_env = \"X\"\n{text}");
        let loaded = Loaded::parse(Path::new("vigie.toml"), text, []).map_err(|e| e.to_string())?;
        let mut settings = Settings::from_config(&loaded).map_err(|e| e.to_string())?;
        Ok::<_, String>(settings.accounts.remove(0))
    };
    let gmail = account("provider = \"gmail\"\nuser = \"ada@example.org\"").unwrap();
    assert_eq!((gmail.host.as_str(), gmail.port, gmail.tls), ("imap.gmail.com", 993, Tls::Implicit));
    assert_eq!(gmail.daily_bytes, Some(2_500_000_000));
    let none = account("provider = \"gmail\"\nuser = \"ada@example.org\"\ndaily_bytes = \"0\"").unwrap();
    assert_eq!(none.daily_bytes, None);
    let gmx = account("provider = \"gmx\"\nuser = \"ada@gmx.fr\"\nidle = \"0s\"\nconnections = 1").unwrap();
    assert_eq!((gmx.host.as_str(), gmx.quirks.connections), ("imap.gmx.com", 1));
    assert!(gmx.quirks.idle.is_zero());
    let bridge = account("provider = \"proton-bridge\"\nuser = \"ada@pm.me\"").unwrap();
    assert_eq!((bridge.host.as_str(), bridge.port, bridge.tls), ("127.0.0.1", 1143, Tls::Starttls));
    let bridge = account("provider = \"proton-bridge\"\nuser = \"ada@pm.me\"\ntls = \"implicit\"").unwrap();
    assert_eq!((bridge.port, bridge.tls), (993, Tls::Implicit));
    let yahoo = account("host = \"imap.mail.yahoo.com\"\nuser = \"ada\"\npoll = \"30s\"").unwrap();
    assert_eq!((yahoo.quirks.idle, yahoo.quirks.poll), (Duration::from_mins(3), Duration::from_secs(30)));
    for (text, said) in [
        ("user = \"u\"", "no host: set `host`, or `provider`"),
        ("user = \"u\"\nprovider = \"gmial\"", "did you mean \"gmail\"?"),
        ("user = \"u\"\nprovider = \"example\"", "set `host` instead, or one of gmail, outlook"),
        ("user = \"u\"\nprovider = \"gmail\"\nidle = \"29m\"", "idle is between"),
        ("user = \"u\"\nprovider = \"gmail\"\npoll = \"0s\"", "poll is between"),
        ("user = \"u\"\nprovider = \"gmail\"\nconnections = 0", "connections is a number"),
    ] {
        let error = account(text).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_password_in_the_file_warns() {
    let settings = settings("password = \"canary\"").unwrap();
    assert_eq!(settings.warnings.len(), 1);
    assert!(!settings.warnings.concat().contains("canary"));
}

#[test]
fn a_client_key_that_others_can_read_warns() {
    use std::os::unix::fs::PermissionsExt;
    let key = tempfile::NamedTempFile::new().unwrap();
    let path = key.path().display();
    let account = format!("password_env = \"X\"\nclient_certificate = \"c\"\nclient_key = \"{path}\"");
    assert_eq!(settings(&account).unwrap().warnings, Vec::<String>::new());
    key.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).unwrap();
    let warnings = settings(&account).unwrap().warnings.concat();
    assert!(warnings.contains(&format!("client key file {path} can be read by others")), "{warnings}");
}

#[test]
fn clear_text_is_for_loopback() {
    let through =
        "password_env = \"X\"\ntls = \"none\"\nhost = \"127.0.0.1\"\nproxy = \"socks5://[::1]:1080\"";
    assert!(settings(through).is_ok());
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

fn oauth2(keys: &str) -> Result<std::sync::Arc<OAuth2>, String> {
    match settings(&format!("[account.oauth2]\n{keys}"))?.accounts.remove(0).sign_in {
        SignIn::OAuth2(oauth2) => Ok(oauth2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn oauth2_follows_from_few_keys() {
    let device = oauth2("provider = \"microsoft\"\nclient_id = \"c\"").unwrap();
    assert_eq!((device.flow, device.provider), (Flow::Device, Provider::Microsoft));
    assert_eq!(device.token_url, "https://login.microsoftonline.com/common/oauth2/v2.0/token");
    assert_eq!(device.kept, Path::new("conf/tokens/a.json"));
    let shared = "provider = \"microsoft\"\nflow = \"client_credentials\"\ntenant = \"example.org\"\nclient_id = \"c\"\nclient_secret_file = \"s\"";
    let shared = oauth2(shared).unwrap();
    assert_eq!(shared.scope, "https://outlook.office365.com/.default");
    assert!(matches!(&shared.client_secret, Some(Secret::File(path)) if path == Path::new("conf/s")));
    let google = oauth2("provider = \"google\"\nclient_id = \"c\"\nclient_secret_env = \"S\"").unwrap();
    assert_eq!((google.flow, google.scope.as_str()), (Flow::Loopback, "https://mail.google.com/"));
    assert_eq!(oauth2("provider = \"google\"\nkey_file = \"k.json\"").unwrap().flow, Flow::ServiceAccount);
}

#[test]
fn oauth2_that_cannot_work_is_told() {
    let custom = "provider = \"custom\"\nclient_id = \"c\"\nflow = \"refresh_token\"\n";
    for (keys, said) in [
        (
            "provider = \"microsoft\"".into(),
            "account a: [account.oauth2]: flow = \"device\" needs `client_id`",
        ),
        ("provider = \"microsoft\"\nflow = \"client_credentials\"".into(), "needs `tenant`"),
        ("provider = \"microsoft\"\ntenant = \"a/b\"".into(), "is neither an id nor a domain"),
        ("provider = \"google\"\nflow = \"device\"".into(), "use \"loopback\""),
        ("provider = \"google\"\nclient_id = \"c\"".into(), "needs `client_secret_file`"),
        ("provider = \"custom\"".into(), "needs `flow`"),
        (custom.to_owned(), "needs `token_url`"),
        (
            format!("{custom}token_url = \"http://example.org/t\""),
            "secrets are not sent to http://example.org/t",
        ),
        (format!("{custom}token_url = \"https://u:p@example.org/t\""), "names no host, or a user"),
        (format!("{custom}token_url = \"https://example.org\"\nkey_file = \"k\""), "key_file is for"),
        (format!("{custom}tenant = \"t\""), "tenant is for"),
        (
            format!("{custom}client_secret = \"a\"\nclient_secret_env = \"b\""),
            "more than one of client_secret_file",
        ),
    ] {
        let error = oauth2(&keys).unwrap_err();
        assert!(error.contains(said), "{keys}: {error}");
    }
    let both = settings("password_env = \"X\"\ntoken_command = [\"t\"]").unwrap_err();
    assert!(both.contains("more than one of"), "{both}");
}
