//! `account add`: by flags, and by a person at a terminal.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use vigie_testkit::mailbox_server::{Account, MailboxServer, Security, Service};
use vigie_testkit::tls::{Authority, Kind};

use crate::messages::server;

/// A configuration as people write it.
const BEFORE: &str =
    "# ours, by hand\n[archive]\nmin_free   = \"1MiB\"   # little\n\n[ingest]\nlisten = \"\"";

struct Rig {
    folder: tempfile::TempDir,
}

impl Rig {
    fn new(configuration: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rig = Self { folder };
        if let Some(text) = configuration {
            fs::write(rig.path("vigie.toml"), text).unwrap();
            fs::set_permissions(rig.path("vigie.toml"), fs::Permissions::from_mode(0o640)).unwrap();
        }
        rig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigie-ingest"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("VIGIE_CONFIG");
        command
    }

    /// Runs without a terminal.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever wants no input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path("vigie.toml")).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn add<'a>(port: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec![
        "account",
        "add",
        "ada@example.org",
        "--host",
        "127.0.0.1",
        "--tls",
        "none",
        "--port",
        port,
        "--user",
        "me",
    ];
    arguments.extend(more);
    arguments
}

#[tokio::test(flavor = "multi_thread")]
async fn by_flags_the_rest_of_the_configuration_stays_as_it_was() {
    let (server, _, account) = server(3).await;
    account.mailbox("Archive/2026").append("Subject: old\r\n\r\nold\r\n");
    account.mailbox("Junk");
    let port = server.port().to_string();
    let rig = Rig::new(Some(BEFORE));
    let more = ["--id", "orders", "--password-file", "-", "--mailboxes", "*,!Junk", "--yes"];
    let output = rig.run(&add(&port, &more), "secret\n");
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("Archive/2026  1") && !told.contains("secret\n"), "{told}");
    let table = format!(
        "\n\n[[account]]\nid = \"orders\"\nhost = \"127.0.0.1\"\ntls = \"none\"\nport = {port}\nuser = \"me\"\npassword_file = \"secrets/orders\"\nmailboxes = [\"*\", \"!Junk\"]\n"
    );
    assert_eq!(rig.text(), format!("{BEFORE}{table}"));
    assert_eq!(fs::read_to_string(rig.path("vigie.toml.former")).unwrap(), BEFORE);
    assert_eq!(mode(&rig.path("vigie.toml")), 0o640);
    assert_eq!(fs::read_to_string(rig.path("secrets/orders")).unwrap(), "secret\n");
    assert_eq!((mode(&rig.path("secrets")), mode(&rig.path("secrets/orders"))), (0o700, 0o600));
    assert_eq!(rig.files(), ["secrets", "vigie.toml", "vigie.toml.former"]);

    // What was written is what is needed.
    let sync = rig.run(&["sync"], "");
    assert!(sync.status.success(), "{}", said(&sync));

    // A second one of the same name, and one of another.
    let output = rig.run(&add(&port, &more), "secret\n");
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    let file = rig.path("secrets/orders").display().to_string();
    let output = rig.run(&add(&port, &["--password-file", &file, "--yes"]), "");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(rig.text().matches("\npassword_file = \"secrets/orders\"\n").count(), 2, "{}", rig.text());
    assert!(rig.text().contains("id = \"ada\"\n"), "{}", rig.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_made_where_there_is_none() {
    let (server, ..) = server(0).await;
    let port = server.port().to_string();
    let rig = Rig::new(None);
    let output = rig.run(&add(&port, &["--password-file", "-", "--yes"]), "secret\n");
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("made vigie.toml, which was not there"), "{}", said(&output));
    assert!(rig.text().contains("\n\n[[account]]\nid = \"ada\"\n"), "{}", rig.text());
    assert!(rig.run(&["check"], "").status.success());
}

/// Without a terminal nothing is asked, and nothing is written before all is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_flag_is_named() {
    let (server, ..) = server(0).await;
    let port = server.port().to_string();
    let rig = Rig::new(Some(BEFORE));
    for (more, code, fault) in [
        (&["--password-file", "-"][..], 64, "--id is missing, or --yes to take \"ada\""),
        (&["--id", "x"], 64, "--password-file is missing"),
        (&["--id", "x", "--password-file", "-"], 64, "--mailboxes is missing, or --yes to take \"INBOX\""),
        (&["--yes", "--password-file", "-", "--mailboxes", "Nowhere"], 64, "none of the mailboxes"),
        (&["--yes", "--password-file", "none"], 77, "no such file"),
        (&["--yes", "--id", "A"], 78, "an id is"),
        (&["--yes", "--oauth", "example"], 64, "possible values: microsoft, google"),
    ] {
        let output = rig.run(&add(&port, more), "secret\n");
        let told = said(&output).to_lowercase();
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(&fault.to_lowercase()), "{told}");
        assert_eq!((rig.text().as_str(), rig.files().as_slice()), (BEFORE, &["vigie.toml".to_owned()][..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_is_written_nowhere() {
    let (server, ..) = server(0).await;
    let port = server.port().to_string();
    let rig = Rig::new(Some(BEFORE));
    let output = rig.run(&add(&port, &["--password-file", "-", "--yes"]), "canary\n");
    assert_eq!(output.status.code(), Some(77), "{}", said(&output));
    assert!(!said(&output).contains("canary"));
    assert_eq!(rig.files(), ["vigie.toml"]);

    drop(server);
    let output = rig.run(&add(&port, &["--password-file", "-", "--yes"]), "canary\n");
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert_eq!(rig.files(), ["vigie.toml"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_is_left_alone() {
    let rig = Rig::new(Some("[archive]\npaht = \"x\"\n"));
    let output = rig.run(&add("1", &["--yes"]), "");
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("vigie.toml:2: unknown key `paht`"), "{}", said(&output));
    // One whose accounts are written in a way that no table can follow.
    let rig = Rig::new(Some("account = []\n"));
    let output = rig.run(&add("1", &["--yes"]), "");
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert_eq!(rig.text(), "account = []\n");
}

/// The server has no certificate that this machine trusts: its fingerprint is told, and taken by a flag.
#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_server_is_taken_by_its_fingerprint() {
    let identity = Authority::new().unwrap().identity(Kind::SelfSigned).unwrap();
    let account = Account::new("me", "secret");
    let security = Security::Implicit(identity.acceptor().unwrap());
    let server = MailboxServer::start(&Service::new([account]), security).await.unwrap();
    let port = server.port().to_string();
    let rig = Rig::new(Some(BEFORE));
    let mut arguments = add(&port, &["--password-file", "-", "--yes"]);
    arguments.drain(5..7);
    let output = rig.run(&arguments, "secret\n");
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    let told = said(&output);
    let pin = told.split("--pin ").nth(1).unwrap().lines().next().unwrap();
    arguments.extend(["--pin", pin]);
    let output = rig.run(&arguments, "secret\n");
    assert!(output.status.success(), "{}", said(&output));
    assert!(rig.text().contains(&format!("\npin = \"{pin}\"\n")), "{}", rig.text());
    assert!(rig.run(&["check"], "").status.success());
}

/// No login is tried: there is none yet.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_oauth_is_written_and_says_how_to_log_in() {
    let (server, ..) = server(0).await;
    let port = server.port().to_string();
    let rig = Rig::new(Some(BEFORE));
    let oauth = ["--oauth", "microsoft", "--client-id", "0-0"];
    let output = rig.run(&add(&port, &[&oauth[..], &["--yes"]].concat()), "");
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("vigie-ingest login ada"), "{}", said(&output));
    let table = "mailboxes = [\"INBOX\"]\n[account.oauth2]\nprovider = \"microsoft\"\nclient_id = \"0-0\"\n";
    assert!(rig.text().ends_with(table), "{}", rig.text());
    assert!(rig.run(&["token", "ada"], "").status.code() != Some(78));
    for (more, fault) in [
        (&["--oauth", "microsoft", "--id", "b", "--yes"][..], "--client-id is missing"),
        (&["--oauth", "google", "--client-id", "0", "--id", "b", "--yes"], "--client-secret-file is missing"),
    ] {
        let output = rig.run(&add(&port, more), "");
        assert_eq!(output.status.code(), Some(64), "{}", said(&output));
        assert!(said(&output).contains(fault), "{}", said(&output));
    }
}

/// A terminal, as seen by whoever sits before it.
struct Terminal {
    master: fs::File,
    seen: String,
}

impl Terminal {
    fn new() -> (Self, OwnedFd) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = fs::File::options().read(true).write(true).open(name).unwrap();
        (Self { master: master.into(), seen: String::new() }, slave.into())
    }

    /// Reads until `text` is there, then types `answer`.
    #[track_caller]
    fn answer(&mut self, text: &str, answer: &str) {
        self.read_to(text);
        self.master.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }

    /// Reads until `text` is there; what was before it is gone.
    #[track_caller]
    fn read_to(&mut self, text: &str) {
        let mut block = [0; 1024];
        while !self.seen.contains(text) {
            // The end is an error, once nobody has the other side.
            let length = self.master.read(&mut block).unwrap_or(0);
            assert!(length > 0, "no {text:?} in {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&block[..length]));
        }
        let end = self.seen.find(text).unwrap() + text.len();
        self.seen.drain(..end);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_and_may_mistype() {
    let (server, ..) = server(2).await;
    let port = server.port().to_string();
    let rig = Rig::new(Some(BEFORE));
    let (mut terminal, slave) = Terminal::new();
    let stdio = || Stdio::from(slave.try_clone().unwrap());
    let mut arguments = add(&port, &[]);
    arguments.truncate(9);
    let mut child = rig.command(&arguments).stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
    drop(slave);
    let talk = tokio::task::spawn_blocking(move || {
        terminal.answer("Name of the account [ada]: ", "");
        terminal.answer("User [ada@example.org]: ", "me");
        terminal.answer("Password: ", "canary");
        terminal.answer("login: the server refused user me", "");
        terminal.read_to("Password: ");
        // An empty one was typed too early: that is none.
        terminal.read_to("no password was given");
        terminal
    });
    let terminal = talk.await.unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(64));
    assert!(!terminal.seen.contains("canary"));
    assert_eq!(rig.files(), ["vigie.toml"]);

    let (mut terminal, slave) = Terminal::new();
    let stdio = || Stdio::from(slave.try_clone().unwrap());
    let mut child = rig.command(&arguments).stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
    drop(slave);
    let talk = tokio::task::spawn_blocking(move || {
        let mut all = String::new();
        for (question, answer) in [
            ("Name of the account [ada]: ", "shop"),
            ("User [ada@example.org]: ", "me"),
            ("Password: ", "canary"),
            ("Password: ", "secret"),
            ("Mailboxes to watch", "Nowhere"),
            ("Mailboxes to watch", "INBOX, !Junk"),
            ("Write this to vigie.toml? [Y/n]: ", "y"),
        ] {
            terminal.answer(question, answer);
            all.push_str(&terminal.seen);
        }
        terminal.read_to("for its owner alone");
        all
    });
    let all = talk.await.unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!all.contains("canary") && !all.contains("secret\r"), "{all}");
    assert!(
        rig.text().contains("id = \"shop\"\n") && rig.text().contains("[\"INBOX\", \"!Junk\"]"),
        "{}",
        rig.text()
    );
    assert_eq!(fs::read_to_string(rig.path("secrets/shop")).unwrap(), "secret\n");
}
