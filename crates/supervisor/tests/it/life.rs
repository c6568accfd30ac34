//! The program itself: its sudden death, its next life, and as process 1.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::place::*;

/// A folder with a configuration, and the programs side by side as they are installed.
struct Installed {
    place: TempDir,
}

impl Installed {
    fn new(config: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("bin")).unwrap();
        let programs = [("vigie-supervisor", PathBuf::from(env!("CARGO_BIN_EXE_vigie-supervisor")))];
        for (name, from) in programs.into_iter().chain([("vigie-fault-child", fault_child())]) {
            let to = place.path().join("bin").join(name);
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).unwrap();
        }
        let none =
            "[supervisor]\nlisten = \"127.0.0.1:0\"\n[ingest]\nenabled = false\n[metrics]\nenabled = false\n";
        fs::write(place.path().join("vigie.toml"), format!("{none}{config}")).unwrap();
        Self { place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn arguments(&self) -> Vec<String> {
        let supervisor = self.path("bin/vigie-supervisor").to_str().unwrap().to_owned();
        vec![supervisor, "run".into(), "--config".into(), self.path("vigie.toml").to_str().unwrap().into()]
    }

    fn command(&self, before: &[&str]) -> Command {
        let words: Vec<String> = before.iter().map(|&w| w.to_owned()).chain(self.arguments()).collect();
        let mut command = Command::new(&words[0]);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    fn start(&self) -> Guard {
        Guard(self.command(&[]).spawn().unwrap())
    }

    async fn pid_in(&self, file: &str, count: usize) -> u32 {
        let path = self.path(file);
        eventually(&format!("line {count} in {file}"), || lines(&path).len() >= count).await;
        pids(&path)[count - 1]
    }
}

/// Killed when the test ends, whichever way.
struct Guard(Child);

impl Guard {
    async fn end(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the supervisor ends", || {
            ended = self.0.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        ended.unwrap()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn service(id: &str, program: &Path, steps: &str) -> String {
    format!("[[service]]\nid = \"{id}\"\ncommand = [{:?}, {steps}]\n", program.to_str().unwrap())
}

#[tokio::test]
async fn after_its_sudden_death_there_is_exactly_one_of_each() {
    let ours = service("ours", Path::new("vigie-fault-child"), r#""append=ours", "forever""#);
    let strange = service("strange", &fault_child(), r#""child=grandchildren", "append=strange", "forever""#);
    let headless = service("headless", &fault_child(), r#""child=orphans", "append=headless", "forever""#);
    let installed = Installed::new(&format!("{ours}{strange}{headless}"));
    let mut first = installed.start();
    let (ours, strange) = (installed.pid_in("ours", 1).await, installed.pid_in("strange", 1).await);
    let grandchild = installed.pid_in("grandchildren", 1).await;
    let (leader, orphan) = (installed.pid_in("headless", 1).await, installed.pid_in("orphans", 1).await);
    // A child may be quicker than the note of it.
    for id in ["strange", "headless"] {
        let note = installed.path(&format!("run/{id}.process"));
        eventually("it is noted on disk", || note.exists()).await;
    }
    first.0.kill().unwrap();
    first.end().await;
    eventually("our child ends by its lifeline", || !alive(ours)).await;
    assert!(alive(strange), "another program knows no lifeline");
    kill(leader, Signal::KILL);
    eventually("a group has lost its leader", || !alive(leader)).await;

    let mut second = installed.start();
    let (next_ours, next_strange) = (installed.pid_in("ours", 2).await, installed.pid_in("strange", 2).await);
    assert!(
        !alive(strange) && !alive(grandchild) && !alive(orphan),
        "the next life ends what the first left, before anything starts"
    );
    assert!(alive(next_ours) && alive(next_strange));
    kill(second.0.id(), Signal::TERM);
    assert_eq!(second.end().await.code(), Some(0));
    assert!(!alive(next_ours) && !alive(next_strange));
    assert_eq!((lines(installed.path("ours")).len(), lines(installed.path("strange")).len()), (2, 2));
}

/// A number that was given to another program since is not ours to end.
#[tokio::test]
async fn a_stranger_with_an_old_number_is_left_alone() {
    let installed = Installed::new(&service("a", &fault_child(), r#""append=a", "forever""#));
    let mut stranger = Command::new(fault_child());
    // It leads a group, as a child of the first life would.
    stranger.arg("forever").process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
    let mut stranger = Guard(stranger.spawn().unwrap());
    fs::create_dir(installed.path("run")).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let pid = stranger.0.id();
    let note = format!(r#"{{"pid":{pid},"started":1,"session":1,"boot":"{}"}}"#, boot.trim());
    fs::write(installed.path("run/a.process"), note).unwrap();
    fs::write(installed.path("run/old.process"), "no note").unwrap();
    let mut supervisor = installed.start();
    installed.pid_in("a", 1).await;
    assert!(stranger.0.try_wait().unwrap().is_none());
    assert!(!installed.path("run/old.process").exists());
    kill(supervisor.0.id(), Signal::HUP);
    kill(supervisor.0.id(), Signal::INT);
    assert_eq!(supervisor.end().await.code(), Some(0));
}

#[tokio::test]
async fn it_ends_with_its_lifeline_and_tells_its_own_starter() {
    let steps = r#""-c", "env > variables; echo 1 > a; exec sleep 600""#;
    let installed = Installed::new(&service("a", Path::new("sh"), steps));
    let socket = UnixDatagram::bind(installed.path("notify.sock")).unwrap();
    let mut command = installed.command(&[]);
    command.stdin(Stdio::piped()).env("VIGIE_LIFELINE", "1");
    command.env("NOTIFY_SOCKET", installed.path("notify.sock")).env("WATCHDOG_USEC", "300000");
    let mut supervisor = Guard(command.spawn().unwrap());
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut said = String::new();
    while !(said.contains("READY=1") && said.contains("WATCHDOG=1")) {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        said += &String::from_utf8_lossy(&buffer[..length]);
    }
    installed.pid_in("a", 1).await;
    let variables = lines(installed.path("variables")).join("\n");
    assert!(
        !variables.contains("NOTIFY") && !variables.contains("WATCHDOG") && !variables.contains("LIFELINE")
    );
    drop(supervisor.0.stdin.take());
    assert_eq!(supervisor.end().await.code(), Some(0));
}

/// Whether this machine lets us have process 1.
fn namespaces() -> bool {
    let tried = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).output();
    let works = tried.as_ref().is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("NOT TESTED: process 1, because `unshare --pid` does not work here: {tried:?}");
    }
    works
}

const NAMESPACE: [&str; 4] = ["unshare", "--pid", "--fork", "--mount-proc"];

/// The children of a process.
fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&pid| state(pid).is_some_and(|(_, of)| of == parent)).collect()
}

#[tokio::test]
async fn as_process_1_it_reaps_hands_signals_on_and_ends_as_its_child() {
    if !namespaces() {
        return;
    }
    let orphans =
        r#""-c", "for i in $(seq 200); do (true & echo $i >> orphans); done; echo 1 > made; exec sleep 600""#;
    let installed = Installed::new(&service("a", Path::new("sh"), orphans));
    let mut outside = Guard(installed.command(&NAMESPACE).spawn().unwrap());
    installed.pid_in("made", 1).await;
    assert_eq!(lines(installed.path("orphans")).len(), 200);
    let process_1 = children(outside.0.id())[0];
    let zombies = || children(process_1).into_iter().filter(|&pid| !alive(pid)).count();
    eventually("all orphans are reaped", || zombies() == 0).await;
    assert_eq!(children(process_1).len(), 1, "the supervisor alone");
    kill(process_1, Signal::TERM);
    assert_eq!(outside.end().await.code(), Some(0));
    let log = lines(installed.path("log")).join("\n");
    assert!(log.contains("SIGTERM") && !log.contains("stopping at once"), "once, not twice: {log}");

    let mut outside = Guard(installed.command(&NAMESPACE).spawn().unwrap());
    eventually("it is there", || {
        children(outside.0.id()).first().is_some_and(|&one| !children(one).is_empty())
    })
    .await;
    let process_1 = children(outside.0.id())[0];
    kill(children(process_1)[0], Signal::KILL);
    assert_eq!(outside.end().await.code(), Some(137), "128 and the signal");

    fs::write(installed.path("vigie.toml"), "[nonsense]\n").unwrap();
    assert_eq!(Guard(installed.command(&NAMESPACE).spawn().unwrap()).end().await.code(), Some(78));
}

#[tokio::test]
async fn the_command_line_resets_what_waits_and_leaves_down_what_is_down() {
    let waits = service("waits", Path::new("./not-there-yet"), r#""forever""#);
    let installed = Installed::new(&waits);
    let mut supervisor = installed.start();
    let ask = |verb: &str| {
        let [program, _, config, file] = &installed.arguments()[..] else { panic!("other arguments") };
        let output = Command::new(program).args([verb, "waits", config, file]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    eventually("it listens", || installed.path("run/supervisor.sock").exists()).await;
    let (code, said) = ask("reset");
    assert!(code == Some(74) && said.starts_with("waits: fatal"), "{code:?} {said}");
    fs::copy(fault_child(), installed.path("not-there-yet")).unwrap();
    let (code, said) = ask("reset");
    assert!(code == Some(0) && said.starts_with("waits: running, process "), "{code:?} {said}");
    assert_eq!(ask("stop"), (Some(0), "waits: stopped\n".into()));
    assert_eq!(ask("reset"), (Some(0), "waits: stopped\n".into()));
    kill(supervisor.0.id(), Signal::TERM);
    assert_eq!(supervisor.end().await.code(), Some(0));
}

/// `docker run -it` gives process 1 a terminal; the command reads from it, and Ctrl-C is for the command.
#[tokio::test]
async fn as_process_1_it_leaves_the_terminal_to_its_child() {
    if !namespaces() {
        return;
    }
    let installed = Installed::new("");
    let supervisor = installed.path("bin/vigie-supervisor");
    // As an engine starts it: process 1 leads the session of the terminal.
    let command =
        format!("{} --kill-child setsid --ctty {} hash-password", NAMESPACE.join(" "), supervisor.display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command]).arg(installed.path("seen"));
    let mut terminal = Guard(script.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    terminal.0.stdin.as_mut().unwrap().write_all(b"long enough\nlong enough\n").unwrap();
    assert_eq!(terminal.end().await.code(), Some(0));
    assert!(lines(installed.path("seen")).join("\n").contains("$argon2id$"));
}
