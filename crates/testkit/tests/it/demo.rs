//! The program `vigie-demo-mailbox`: what it serves, that a restart changes nothing, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;

struct Demo {
    child: Child,
    port: u16,
    /// Kept, so that the program has somebody to log to.
    _log: BufReader<ChildStderr>,
}

impl Demo {
    fn start(state: &Path, listen: &str, every: &str) -> Self {
        let mut child = command(state, listen, every).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let (_, after) = line.split_once("\"address\":\"127.0.0.1:").unwrap_or_else(|| panic!("{line}"));
        let port = after.split('"').next().unwrap().parse().unwrap();
        Self { child, port, _log: log }
    }

    fn terminate(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }

    async fn client(&self, state: &Path) -> Client {
        let authority = fs::read_to_string(state.join("ca.pem")).unwrap();
        let password = fs::read_to_string(state.join("password")).unwrap();
        let mut client = Client::connect(self.port).await.secure(&authority).await.ok().unwrap();
        assert!(client.line().await.starts_with("* OK"));
        let answer = client.ask(&format!("LOGIN demo@example.org {}", password.trim())).await;
        assert!(answer[0].starts_with("t OK"), "{answer:?}");
        client
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(state: &Path, listen: &str, every: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie-demo-mailbox"));
    command.args([
        "--listen",
        listen,
        "--every",
        every,
        "--messages",
        "200",
        "--log-format",
        "json",
        "--state",
    ]);
    command.arg(state).stdin(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// All messages of INBOX up to a UID, with what is said about them.
async fn inbox(client: &mut Client, last: u32) -> Vec<u8> {
    client.send(&format!("a UID FETCH 1:{last} (UID INTERNALDATE BODY.PEEK[])\r\nb LOGOUT\r\n")).await;
    let (bytes, _) = client.rest().await;
    // New mail is told in between.
    let told = |line: &&[u8]| !line.ends_with(b" EXISTS\r") && !line.starts_with(b"* BYE");
    bytes.split(|byte| *byte == b'\n').filter(told).flatten().copied().collect()
}

#[tokio::test]
async fn a_restart_after_a_kill_gives_the_same_messages() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let demo = Demo::start(&state, "127.0.0.1:0", "20ms");
    let mut client = demo.client(&state).await;
    let selected = client.ask("EXAMINE INBOX").await;
    let validity = selected.iter().find(|line| line.contains("UIDVALIDITY")).unwrap().clone();
    client.send("t IDLE\r\n").await;
    assert_eq!(client.line().await, "+ idling");
    let exists = client.line().await;
    let count: u32 = exists.trim_start_matches("* ").trim_end_matches(" EXISTS").parse().unwrap();
    assert!(count > 130, "{exists}");
    client.send("DONE\r\n").await;
    while client.line().await != "t OK done" {}
    let before = inbox(&mut client, count).await;
    assert!(before.len() > 130 * 1000);
    drop(demo);
    let mut arrivals = fs::read(state.join("arrivals")).unwrap();
    arrivals.extend_from_slice(b"179");
    fs::write(state.join("arrivals"), arrivals).unwrap();

    let demo = Demo::start(&state, "127.0.0.1:0", "1h");
    let mut client = demo.client(&state).await;
    assert!(client.ask("EXAMINE INBOX").await.contains(&validity));
    assert!(inbox(&mut client, count).await == before, "other messages after the restart");
    assert_eq!(demo.terminate(), Some(0));
}

#[tokio::test]
async fn a_taken_port_is_said_and_ends_with_69() {
    let dir = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let output = command(dir.path(), &address, "1h").output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains(&format!("cannot listen on {address}")) && log.contains("--listen"), "{log}");
}

#[tokio::test]
async fn it_ends_with_its_lifeline() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = command(dir.path(), "127.0.0.1:0", "1h");
    let mut child = command.env("VIGIE_LIFELINE", "1").spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    log.read_line(&mut String::new()).unwrap();
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn wrong_arguments_end_with_64_and_a_foreign_folder_with_73() {
    let dir = tempfile::tempdir().unwrap();
    let output = command(dir.path(), "nowhere", "1h").output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    fs::write(dir.path().join("arrivals"), "a diary\n").unwrap();
    let output = command(dir.path(), "127.0.0.1:0", "1h").output().unwrap();
    assert_eq!(output.status.code(), Some(73));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is not a file of this program"));
}

#[test]
fn it_says_that_it_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut child = command(dir.path(), "127.0.0.1:0", "1h").env("NOTIFY_SOCKET", &path).spawn().unwrap();
    let mut buffer = [0; 512];
    let size = socket.recv(&mut buffer).unwrap();
    let said = String::from_utf8_lossy(&buffer[..size]).into_owned();
    assert!(said.contains("READY=1") && said.contains("200 messages on 127.0.0.1:"), "{said}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("SIGINT"), "{log}");
}
