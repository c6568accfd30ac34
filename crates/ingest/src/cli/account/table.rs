//! The `[[account]]` table as it is written. Pure.

use std::fmt::Write as _;
use std::path::Path;

use vigie_common::config::Tls;

use crate::discover::Candidate;

/// What the table says.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) server: Candidate,
    pub(super) ca_file: Option<String>,
    pub(super) pin: Option<String>,
    pub(super) user: String,
    pub(super) sign_in: SignIn,
    pub(super) mailboxes: Vec<String>,
}

/// How the account signs in.
#[derive(Debug, Clone)]
pub(super) enum SignIn {
    /// By the password in this file.
    Password(String),
    /// By access tokens.
    OAuth2 { provider: &'static str, client_id: String, client_secret_file: Option<String> },
}

impl Draft {
    /// The table. What follows from the provider is left to it.
    pub(super) fn table(&self) -> String {
        let mut lines = vec!["[[account]]".to_owned()];
        let mut set = |key: &str, value: String| lines.push(format!("{key} = {value}"));
        let server = &self.server;
        set("id", quoted(&self.id));
        let provider = server.provider;
        if let Some(provider) = provider {
            set("provider", quoted(provider.name));
        }
        if provider.and_then(|p| p.host_for(&self.user)) != Some(server.host.as_str()) {
            set("host", quoted(&server.host));
        }
        if server.tls != provider.map_or_else(Tls::default, |p| p.tls) {
            let word = match server.tls {
                Tls::Implicit => "implicit",
                Tls::Starttls => "starttls",
                Tls::None => "none",
            };
            set("tls", quoted(word));
        }
        let usual = provider.filter(|p| p.tls == server.tls).map(|p| p.port);
        if server.port != usual.unwrap_or(if server.tls == Tls::Implicit { 993 } else { 143 }) {
            set("port", server.port.to_string());
        }
        if let Some(file) = &self.ca_file {
            set("ca_file", quoted(file));
        }
        if let Some(pin) = &self.pin {
            set("pin", quoted(pin));
        }
        set("user", quoted(&self.user));
        if let SignIn::Password(file) = &self.sign_in {
            set("password_file", quoted(file));
        }
        let mailboxes: Vec<String> = self.mailboxes.iter().map(|mailbox| quoted(mailbox)).collect();
        set("mailboxes", format!("[{}]", mailboxes.join(", ")));
        if let SignIn::OAuth2 { provider, client_id, client_secret_file } = &self.sign_in {
            lines.push("[account.oauth2]".into());
            lines.push(format!("provider = {}", quoted(provider)));
            lines.push(format!("client_id = {}", quoted(client_id)));
            lines.extend(client_secret_file.iter().map(|f| format!("client_secret_file = {}", quoted(f))));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `text` of a configuration with `table` at its end; nothing before it changes.
pub(super) fn appended(text: &str, table: &str) -> String {
    let gap = match text {
        "" => "",
        text if text.ends_with("\n\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    [text, gap, table].concat()
}

/// `path` of a file as the configuration in `folder` should name it: from there where it is below, else from the root.
pub(super) fn named(path: &Path, folder: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = std::path::absolute(Path::new(".").join(folder)).unwrap_or_else(|_| folder.to_owned());
    path.strip_prefix(&folder).unwrap_or(&path).display().to_string()
}

/// A good name for the account of an address among those that are `taken`.
pub(super) fn id_for(address: &crate::discover::Address, taken: &[String]) -> String {
    let clean = |text: &str| {
        let kept = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
        kept.collect::<String>().split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
    };
    let short = |text: String| text.chars().take(32).collect::<String>().trim_end_matches('-').to_owned();
    let first = address.domain.split('.').next().unwrap_or_default();
    let tries = [
        clean(&address.local),
        format!("{}-{}", clean(&address.local), clean(first)),
        clean(&address.to_string()),
    ];
    let mut ids = tries
        .into_iter()
        .map(|id| short(id.trim_matches('-').to_owned()))
        .chain((2..1000).map(|n| format!("account-{n}")));
    ids.find(|id| !id.is_empty() && !taken.contains(id)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::Origin;
    use crate::providers;

    fn draft(host: &str, port: u16, tls: Tls, user: &str) -> Draft {
        let server = Candidate {
            host: host.into(),
            port,
            tls,
            user: user.into(),
            provider: providers::by_host(host),
            from: Origin::Guess,
        };
        Draft {
            id: "ada".into(),
            server,
            ca_file: None,
            pin: None,
            user: user.into(),
            sign_in: SignIn::Password("secrets/ada".into()),
            mailboxes: vec!["INBOX".into(), "\\All".into(), "it's \"q\"".into()],
        }
    }

    #[test]
    fn what_the_provider_knows_is_not_written() {
        let table = draft("imap.gmail.com", 993, Tls::Implicit, "ada@gmail.com").table();
        assert_eq!(
            table,
            "[[account]]\nid = \"ada\"\nprovider = \"gmail\"\nuser = \"ada@gmail.com\"\npassword_file = \"secrets/ada\"\nmailboxes = [\"INBOX\", \"\\\\All\", \"it's \\\"q\\\"\"]\n"
        );
        let table = draft("imappro.zoho.eu", 993, Tls::Implicit, "ada@example.org").table();
        assert!(table.contains("provider = \"zoho\"\nhost = \"imappro.zoho.eu\"\nuser"), "{table}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_reads_back(user in ".{0,40}") {
            let table = draft("imap.example.org", 993, Tls::Implicit, &user).table();
            let config = vigie_common::config::Loaded::parse(Path::new("x"), table, []).unwrap().config;
            assert_eq!(config.account.first().unwrap().get_ref().user, user);
        }
    }

    #[test]
    fn what_is_unusual_is_written() {
        let table = draft("imap.example.org", 1143, Tls::Starttls, "a\"b").table();
        assert!(
            table.contains(
                "host = \"imap.example.org\"\ntls = \"starttls\"\nport = 1143\nuser = \"a\\\"b\"\n"
            ),
            "{table}"
        );
        let table = draft("imap.example.org", 143, Tls::Starttls, "a").table();
        assert!(!table.contains("port"), "{table}");
    }

    #[test]
    fn oauth_has_a_table_of_its_own() {
        let mut draft = draft("outlook.office365.com", 993, Tls::Implicit, "a@b.c");
        draft.sign_in =
            SignIn::OAuth2 { provider: "microsoft", client_id: "x".into(), client_secret_file: None };
        let table = draft.table();
        assert!(
            table.ends_with("[account.oauth2]\nprovider = \"microsoft\"\nclient_id = \"x\"\n"),
            "{table}"
        );
        assert!(!table.contains("password"), "{table}");
    }

    #[test]
    fn nothing_before_it_changes() {
        for text in ["", "# only a comment", "[vigie]\n", "[vigie]\n\n", "[vigie]\r\n# x\r\n"] {
            let whole = appended(text, "[[account]]\n");
            assert!(whole.starts_with(text) && whole.ends_with("[[account]]\n"), "{whole:?}");
            assert!(text.is_empty() || whole.contains("\n\n["), "{whole:?}");
        }
    }

    #[test]
    fn ids_are_from_the_address() {
        let id = |address: &str, taken: &[&str]| {
            let taken: Vec<String> = taken.iter().map(|&t| t.to_owned()).collect();
            id_for(&address.parse().unwrap(), &taken)
        };
        assert_eq!(id("Ada.Lovelace@example.org", &[]), "ada-lovelace");
        assert_eq!(id("ada@example.org", &["ada"]), "ada-example");
        assert_eq!(id("ada@example.org", &["ada", "ada-example"]), "ada-example-org");
        assert_eq!(id("+@example.org", &[]), "example");
        assert_eq!(id(&format!("{}@example.org", "a-".repeat(30)), &[]).len(), 31);
        assert_eq!(id("+@é.org".replace('é', "e").as_str(), &["e", "e-org"]), "account-2");
    }

    #[test]
    fn files_are_named_from_the_configuration() {
        assert_eq!(named(Path::new("/etc/vigie/ca.pem"), Path::new("/etc/vigie")), "ca.pem");
        assert_eq!(named(Path::new("/run/x"), Path::new("/etc/vigie")), "/run/x");
    }
}
