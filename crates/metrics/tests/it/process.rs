//! The program: how it starts, is killed, comes back and ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use crate::place::{Place, mail, store};

fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie-metrics"));
    command.args(["--config"]).arg(place.path().join("vigie.toml")).args(arguments);
    command.env_remove("VIGIE_LIFELINE").env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
    command
}

fn run(place: &Place, arguments: &[&str]) -> Output {
    command(place, arguments).output().unwrap()
}

struct Running {
    child: Child,
    address: String,
    log: BufReader<std::process::ChildStderr>,
}

impl Running {
    /// Starts it, and waits until it serves.
    fn start(place: &Place) -> Self {
        let mut child =
            command(place, &["run", "--log-format", "json"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("serving charts") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
        }
        let said: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self { child, address: said["address"].as_str().unwrap().to_owned(), log }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn end(&mut self) -> Option<i32> {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {}
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configure(place: &Place, listen: &str) {
    std::fs::write(place.path().join("vigie.toml"), format!("[metrics]\nlisten = \"{listen}\"\n")).unwrap();
}

fn ask(address: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Asks until the answer holds a text.
fn ask_until(address: &str, path: &str, text: &str) {
    for _ in 0..600 {
        if ask(address, path).contains(text) {
            return;
        }
        // The stream says at most once a second that something has changed: its first event is a wait.
        ask_event(address);
    }
    panic!("{path} never said {text}: {}", ask(address, path));
}

/// Reads the stream up to the first event that is not there at once.
fn ask_event(address: &str) {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
    write!(stream, "GET /api/v1/stream HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(_)) = lines.next() {}
}

#[test]
fn killed_at_any_time_it_comes_back_and_counts_each_message_once() {
    let place = Place::new();
    configure(&place, "127.0.0.1:0");
    let mut archive = place.archive();
    let mut uid = 0;
    for round in 1..=4u32 {
        let mut running = Running::start(&place);
        let entries = (0..400).map(|_| {
            uid += 1;
            mail("demo", uid, "2026-01-05T00:00:00Z")
        });
        store(&mut archive, entries.collect());
        if round < 4 {
            running.signal("KILL");
            assert_eq!(running.end(), None);
        } else {
            ask_until(&running.address, "/api/v1/summary", "\"messages\":1600,\"unique_messages\":1600");
            running.signal("TERM");
            assert_eq!(running.end(), Some(0));
        }
    }
}

#[test]
fn each_way_to_fail_has_its_exit_code() {
    let place = Place::new();
    configure(&place, "127.0.0.1:0");
    let first = Running::start(&place);
    let second = run(&place, &["run"]);
    assert_eq!(second.status.code(), Some(75), "{second:?}");
    let rebuild = run(&place, &["rebuild"]);
    assert_eq!(rebuild.status.code(), Some(75));

    let other = Place::new();
    configure(&other, &first.address);
    let taken = run(&other, &["run"]);
    assert_eq!(taken.status.code(), Some(69), "{taken:?}");
    configure(&other, "0.0.0.0:0");
    let open = run(&other, &["run"]);
    assert_eq!(open.status.code(), Some(78), "{open:?}");
    let check = run(&other, &["check"]);
    assert_eq!(check.status.code(), Some(78), "{check:?}");
    assert!(String::from_utf8(check.stdout).unwrap().contains("there is no user"));
    configure(&other, "nowhere");
    assert_eq!(run(&other, &["check"]).status.code(), Some(78));
    std::fs::write(
        other.path().join("vigie.toml"),
        "[metrics]\ndatabase = \"/proc/none/metrics.db\"\nlisten = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    assert_eq!(run(&other, &["run"]).status.code(), Some(73));
    assert_eq!(run(&other, &["dance"]).status.code(), Some(64));
}

#[test]
fn check_and_rebuild_say_what_they_found_and_did() {
    let place = Place::new();
    configure(&place, "127.0.0.1:0");
    let check = run(&place, &["check"]);
    let said = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(0), "{said}");
    assert!(said.contains("none yet"), "{said}");
    assert!(!place.database().exists() && !place.path().join("session.key").exists());
    let rebuild = run(&place, &["rebuild"]);
    assert_eq!(rebuild.status.code(), Some(0));
    let generate = run(&place, &["generate", "--records", "50"]);
    assert_eq!(generate.status.code(), Some(0));
    let running = Running::start(&place);
    assert!(ask(&running.address, "/api/v1/summary").contains("\"messages\":50"));
    assert!(ask(&running.address, "/healthz").contains("\"status\":\"ok\""));
}
