//! The door of the built program: page, API, set-up, command line, and what it forwards.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::place::*;

/// The program with its door on a free port of loopback.
struct House {
    place: TempDir,
    process: Child,
    address: SocketAddr,
}

impl Drop for House {
    fn drop(&mut self) {
        // In good order: its services are other programs, which know no lifeline.
        if let Ok(None) = self.process.try_wait() {
            kill(self.process.id(), rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap_or("")
    }

    fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap_or("").to_owned()
    }

    fn token(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap_or("").to_owned()
    }
}

impl House {
    async fn start(config: &str) -> Self {
        Self::start_with("127.0.0.1:0", "", config).await
    }

    async fn start_with(listen: &str, supervisor: &str, config: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let none = "[ingest]\nenabled = false\n[metrics]\nenabled = false\nlisten = \"127.0.0.1:9\"\n";
        let none = if config.contains("[metrics]") { "[ingest]\nenabled = false\n" } else { none };
        let text = format!("[supervisor]\nlisten = \"{listen}\"\n{supervisor}{none}{config}");
        std::fs::write(place.path().join("vigie.toml"), text).unwrap();
        let log = std::fs::File::create(place.path().join("log")).unwrap();
        let process = program(&place, &["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut house = Self { place, process, address: "127.0.0.1:9".parse().unwrap() };
        eventually("the door says where it is", || {
            let told = lines(house.log()).into_iter().find_map(|line| {
                let (_, rest) = line.split_once("door=")?;
                rest.trim().parse().ok()
            });
            house.address = told.unwrap_or(house.address);
            told.is_some()
        })
        .await;
        house.address.set_ip([127, 0, 0, 1].into());
        house
    }

    fn log(&self) -> PathBuf {
        self.place.path().join("log")
    }

    async fn ask(&self, line: &str, headers: &str, body: &str) -> Answer {
        let form = if body.is_empty() { "" } else { "Content-Type: application/x-www-form-urlencoded\r\n" };
        let (host, length) = (self.address, body.len());
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {host}\r\n{form}Content-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        timeout(DEADLINE, stream.read_to_end(&mut text)).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "Accept: text/html\r\n", "").await
    }

    /// A form of one of our pages.
    async fn post(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let headers = format!("Origin: http://{}\r\nCookie: {cookie}\r\n", self.address);
        self.ask(&format!("POST {path}"), &headers, body).await
    }

    fn call(&self, arguments: &[&str]) -> Output {
        program(&self.place, arguments).output().unwrap()
    }

    fn service(&self, id: &str) -> Value {
        let output = self.call(&["status", "--json"]);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let items = answer["items"].as_array().unwrap();
        items.iter().find(|item| item["id"] == id).unwrap().clone()
    }
}

fn program(place: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie-supervisor"));
    command.args(arguments).arg("--config").arg(place.path().join("vigie.toml")).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned() + String::from_utf8_lossy(&output.stderr).trim()
}

const SLEEPER: &str = "[[service]]\nid = \"sleeper\"\ncommand = [\"sleep\", \"100000\"]\n";
const LOUD: &str = "[[service]]\nid = \"loud\"\ncommand = [\"sh\", \"-c\", \"printf 'one\\\\n\\\\033[2J<script>two</script>\\\\n'; sleep 100000\"]\n";

#[tokio::test]
async fn the_page_stops_and_starts_by_its_forms_and_no_other_way() {
    let house = House::start(SLEEPER).await;
    let page = house.get("/services").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("data-testid=\"service-sleeper\" data-state=\"running\""), "{}", page.body);
    let (cookie, form) = (page.cookie(), format!("csrf={}", page.token()));

    // What a page of a stranger could send.
    let stranger = format!("Origin: http://evil.example\r\nCookie: {cookie}\r\n");
    assert_eq!(house.ask("POST /services/sleeper/stop", &stranger, &form).await.status, 403);
    assert_eq!(house.post("/services/sleeper/stop", &cookie, "csrf=guess").await.status, 403);
    assert_eq!(house.get("/services/sleeper/stop").await.status, 405);
    assert_eq!(house.service("sleeper")["state"], "running");

    let answer = house.post("/services/sleeper/stop", &cookie, &form).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/services?log=sleeper#service-sleeper"));
    assert_eq!(house.service("sleeper")["state"], "stopped");
    assert!(house.get("/services").await.body.contains("data-testid=\"start-sleeper\""));
    assert_eq!(house.post("/services/sleeper/start", &cookie, &form).await.status, 303);
    assert_eq!(house.service("sleeper")["state"], "running");
    // Only what is configured, and only what can be asked.
    assert_eq!(house.post("/services/other/start", &cookie, &form).await.status, 404);
    assert_eq!(house.post("/services/sleeper/exec", &cookie, &form).await.status, 404);
}

#[tokio::test]
async fn what_a_service_prints_is_shown_and_does_nothing() {
    let house = House::start(LOUD).await;
    eventually("it has printed", || said(&house.call(&["logs", "loud"])).contains("two")).await;
    let page = house.get("/services?log=loud").await;
    assert!(page.body.contains("\\u{1b}[2J&#60;script&#62;two&#60;/script&#62;"), "{}", page.body);
    let output = house.call(&["logs", "loud"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("\\u{1b}[2J<script>two</script>\n"), "{text}");
}

#[tokio::test]
async fn the_command_line_controls_and_tells_how_it_went() {
    let house = House::start(SLEEPER).await;
    let before = house.service("sleeper")["pid"].as_u64().unwrap();
    let output = house.call(&["restart", "sleeper"]);
    assert!(output.status.success(), "{}", said(&output));
    let after = house.service("sleeper")["pid"].as_u64().unwrap();
    assert_ne!(before, after);
    assert_eq!(said(&output), format!("sleeper: running, process {after}"));
    assert_eq!(said(&house.call(&["stop", "sleeper"])), "sleeper: stopped");
    assert_eq!(said(&house.call(&["health"])), "ready");

    let output = house.call(&["start", "other"]);
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(said(&output), "vigie-supervisor: there is no service `other`");
    assert_eq!(house.call(&["check"]).status.code(), Some(0));
}

#[tokio::test]
async fn a_service_that_cannot_start_is_told_by_exit_code_page_and_alarm() {
    let house = House::start("[[service]]\nid = \"bad\"\ncommand = [\"vigie-no-such-program\"]\n").await;
    let output = house.call(&["start", "bad"]);
    assert_eq!(output.status.code(), Some(74), "{}", said(&output));
    assert!(said(&output).starts_with("bad: fatal"), "{}", said(&output));
    assert_eq!(house.call(&["health"]).status.code(), Some(74));
    let page = house.get("/services").await;
    assert!(page.body.contains("bad has given up"), "{}", page.body);
    assert_eq!(house.call(&["check"]).status.code(), Some(69));
    let ready = house.ask("GET /readyz", "", "").await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("\"service-fatal\""), "{}", ready.body);
}

#[tokio::test]
async fn nobody_there_and_a_taken_port_are_told() {
    let place = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = format!(
        "[supervisor]\nlisten = \"{address}\"\n[ingest]\nenabled = false\n[metrics]\nenabled = false\n"
    );
    std::fs::write(place.path().join("vigie.toml"), config).unwrap();
    let output = program(&place, &["status"]).output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    assert!(said(&output).contains("no supervisor runs at"), "{}", said(&output));
    let output = program(&place, &["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    assert!(said(&output).contains(&format!("cannot listen on {address}")), "{}", said(&output));
}

#[tokio::test]
async fn a_password_becomes_a_hash_and_is_not_repeated() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie-supervisor"));
    let mut process =
        command.arg("hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut process.stdin.take().unwrap(), b"canary\n").unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(said(&output).starts_with("$argon2id$") && !said(&output).contains("canary"));
}

/// Answers one connection after the other with what it was sent.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read_exact(&mut byte).await.is_err() {
                    break;
                }
                request.push(byte[0]);
            }
            let length = request.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\nX-Theirs: 1\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&request).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn other_paths_are_forwarded_without_what_a_client_could_pretend() {
    let metrics = echo().await;
    let house = House::start(&format!("[metrics]\nenabled = false\nlisten = \"{metrics}\"\n")).await;
    let answer = house.ask("GET /api/v1/series/messages?tz=UTC", "X-Mine: 1\r\n", "").await;
    assert_eq!((answer.status, answer.header("x-theirs")), (200, "1"));
    let sent = answer.body.to_lowercase();
    assert!(sent.starts_with("get /api/v1/series/messages?tz=utc http/1.1\r\n"), "{sent}");
    assert!(sent.contains("x-mine: 1") && sent.contains(&format!("host: {}", house.address)), "{sent}");
    // The session that this request began is what metrics sees, too.
    assert!(sent.contains("cookie: vigie="), "{sent}");
    assert!(!sent.contains("connection:"), "{sent}");
    let answer = house.ask("GET /", "X-Forwarded-For: 192.0.2.1\r\n", "").await;
    assert_eq!(answer.status, 403);
    // What is the door's own is nobody else's.
    assert_eq!(house.get("/services/nothing").await.status, 404);
    assert_eq!(house.get("/api/v1/services/nothing/at/all").await.status, 404);
}

#[tokio::test]
async fn without_metrics_a_page_says_so_and_the_services_are_there() {
    let house = House::start(SLEEPER).await;
    let page = house.get("/").await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("metrics is not run here"), "{}", page.body);
    let api = house.ask("GET /api/v1/summary", "", "").await;
    assert_eq!((api.status, api.header("content-type")), (503, "application/problem+json"));
    assert_eq!(house.get("/services").await.status, 200);
}

#[tokio::test]
async fn the_first_password_is_set_by_the_link_of_this_start_and_only_once() {
    let web = "[web]\nsetup = true\ninsecure_http = true\n";
    let house = House::start_with("0.0.0.0:0", "", &format!("{web}{SLEEPER}")).await;
    for path in ["/", "/services", "/login", "/readyz", "/api/v1/services"] {
        assert_eq!(house.get(path).await.status, 503, "{path}");
    }
    assert_eq!(house.get("/healthz").await.status, 200);
    let log = std::fs::read_to_string(house.log()).unwrap();
    let (_, link) = log.split_once("/setup?token=").expect("the link is told");
    let token = link.split_whitespace().next().unwrap().to_owned();
    assert_eq!(token.len(), 64);
    assert_eq!(house.get("/setup").await.status, 403);
    assert_eq!(house.get("/setup?token=0000").await.status, 403);
    let form = house.get(&format!("/setup?token={token}")).await;
    assert_eq!(form.status, 200);
    let fields = |password: &str| format!("csrf={}&token={token}&name=ada&password={password}", form.token());
    let short = house.post("/setup", &form.cookie(), &fields("short")).await;
    assert_eq!(short.status, 422);
    let set = house.post("/setup", &form.cookie(), &fields("canary-canary")).await;
    assert_eq!((set.status, set.header("location")), (303, "/login"));
    let users = house.place.path().join("users.toml");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&users).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!std::fs::read_to_string(&users).unwrap().contains("canary"));

    assert_eq!(house.post("/setup", &form.cookie(), &fields("another-one")).await.status, 404);
    assert_eq!(house.get("/services").await.status, 303);
    let form = house.get("/login").await;
    let fields = format!("csrf={}&name=ada&password=canary-canary", form.token());
    let answer = house.post("/login", &form.cookie(), &fields).await;
    assert_eq!(answer.status, 303);
    let headers = format!("Accept: text/html\r\nCookie: {}\r\n", answer.cookie());
    let page = house.ask("GET /services", &headers, "").await;
    assert!(page.body.contains("ada (operator)"), "{}", page.body);
    // Nobody's log has the link.
    let logs = house.place.path().join("logs");
    for file in std::fs::read_dir(logs).unwrap() {
        assert!(!std::fs::read_to_string(file.unwrap().path()).unwrap().contains(&token));
    }
}

#[tokio::test]
async fn a_stream_tells_what_happens() {
    let house = House::start(SLEEPER).await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let request = format!("GET /api/v1/services/stream HTTP/1.1\r\nHost: {}\r\n\r\n", house.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("text/event-stream") {
        let length = timeout(DEADLINE, stream.read(&mut buffer)).await.unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    assert_eq!(house.call(&["stop", "sleeper"]).status.code(), Some(0));
    while !text.contains("\"to\":\"stopped\"") {
        let length = timeout(DEADLINE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert_ne!(length, 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    assert!(text.contains("event: event\n") && text.contains("event: service\n"), "{text}");
}
