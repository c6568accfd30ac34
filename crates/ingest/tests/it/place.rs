//! A folder of its own for each test, with a configuration in it and the binary to run there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use vigie_common::document::Document;
use vigie_common::record::{Entry, Event, Record};

/// How long anything may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A folder with a configuration.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    config: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, config: "[archive]\nmin_free = \"1MiB\"\n[ingest]\nlisten = \"\"\n".into() }
    }

    /// An account over plain TCP on loopback, password `secret`.
    pub(crate) fn plain(port: u16, more: &str) -> Self {
        let mut place = Self::new();
        place.account("a", port, &format!("tls = \"none\"\n{more}"));
        place
    }

    pub(crate) fn account(&mut self, id: &str, port: u16, more: &str) {
        let password = self.path("password");
        std::fs::write(&password, "secret\n").unwrap();
        std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let host = if more.contains("tls = \"none\"") { "127.0.0.1" } else { "localhost" };
        let password = if ["password", "oauth2", "token_command"].iter().any(|key| more.contains(key)) {
            ""
        } else {
            "password_file = \"password\"\n"
        };
        let user = if more.contains("user =") { "" } else { "user = \"me\"\n" };
        writeln!(
            self.config,
            "[[account]]\nid = \"{id}\"\nhost = \"{host}\"\nport = {port}\n{user}{password}{more}"
        )
        .unwrap();
    }

    pub(crate) fn append(&mut self, config: &str) {
        self.config.push_str(config);
    }

    /// Changes what the next command is configured with.
    pub(crate) fn configure(&mut self, change: impl FnOnce(&str) -> String) {
        self.config = change(&self.config);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.path("archive")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let file = self.path("vigie.toml");
        std::fs::write(&file, &self.config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigie-ingest"));
        command.args(arguments).arg("--config").arg(file).current_dir(self.folder.path());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs `sync` and gives back its summary.
    pub(crate) fn sync(&self) -> Summary {
        let output = self.run(&["sync", "--json"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let json: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{said}"));
        Summary { json, code: output.status.code(), said }
    }

    /// All records of the catalog.
    pub(crate) fn records(&self) -> Vec<Record> {
        let output = self.run(&["follow", "--once"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.records().into_iter().filter_map(|r| r.entry.map(|e| *e)).collect()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.records().into_iter().filter_map(|r| r.event.map(|e| *e)).collect()
    }

    pub(crate) fn document(&self, entry: &Entry) -> Document {
        let path = self.archive().join(&entry.path);
        let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_slice(&text).unwrap()
    }

    /// `verify` finds nothing, and the archive has so many messages.
    pub(crate) fn assert_whole(&self, messages: u64) {
        let output = self.run(&["verify", "--deep", "--json"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(report["problems"], Value::Array(vec![]), "{report:#}");
        assert_eq!(report["messages"], messages, "{report:#}");
        assert!(output.status.success());
    }

    /// The exact bytes of all messages, by `zstd -dc` of the raw segments: how often each is there.
    pub(crate) fn raw_messages(&self) -> Vec<u8> {
        let mut segments = Vec::new();
        collect(&self.archive().join("raw"), &mut segments);
        segments.sort();
        let output = Command::new("zstd")
            .arg("-dc")
            .args(segments)
            .output()
            .expect("zstd is installed by `cargo xtask test`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

pub(crate) fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

/// What `sync --json` printed.
#[derive(Debug)]
pub(crate) struct Summary {
    json: Value,
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Summary {
    /// A count by mailbox.
    pub(crate) fn by_mailbox(&self, count: &str) -> BTreeMap<String, u64> {
        let lines = self.json["mailboxes"].as_array().unwrap().iter();
        lines
            .filter_map(|l| Some((l["mailbox"].as_str()?.to_owned(), l["result"][count].as_u64()?)))
            .collect()
    }

    pub(crate) fn stored(&self) -> u64 {
        self.by_mailbox("stored").values().sum()
    }

    pub(crate) fn errors(&self) -> Vec<String> {
        let lines = self.json["mailboxes"].as_array().unwrap().iter();
        lines.filter_map(|l| l["error"].as_str().map(str::to_owned)).collect()
    }

    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert_eq!((self.code, self.errors()), (Some(0), vec![]), "{self:#?}");
    }
}

/// A process that is watched: its log is collected, and it does not outlive the test.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    lines: std::sync::mpsc::Receiver<String>,
    pub(crate) seen: Vec<String>,
}

impl Running {
    /// Starts a command whose stdout (`follow`) or stderr (`run`) is read line by line.
    pub(crate) fn start(mut command: Command, stdout: bool) -> Self {
        command.stdin(Stdio::piped());
        if stdout {
            command.stdout(Stdio::piped())
        } else {
            command.stderr(Stdio::piped())
        };
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let output: Box<dyn std::io::Read + Send> = if stdout {
            Box::new(child.stdout.take().unwrap())
        } else {
            Box::new(child.stderr.take().unwrap())
        };
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines, seen: Vec::new() }
    }

    /// Waits for a line that holds `text`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("{error} while waiting for {text:?}; seen:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Reads along for so long, or to the end.
    pub(crate) fn listen(&mut self, most: Duration) {
        let until = Instant::now() + most;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
        }
    }

    /// What it has said so far, as read.
    pub(crate) fn log(&self) -> String {
        self.seen.join("\n")
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end; the exit code.
    #[track_caller]
    pub(crate) fn end(mut self) -> Option<i32> {
        let until = Instant::now() + DEADLINE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            // Nothing tells of a child's end but asking; a line of its log is as good a moment as any.
            if let Ok(line) = self.lines.recv_timeout(Duration::from_millis(20)) {
                self.seen.push(line);
            }
        }
        panic!("did not end; seen:\n{}", self.seen.join("\n"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
