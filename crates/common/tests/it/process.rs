//! How a process of ours ends, tried on a real one: this test binary, run again.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use vigie_common::{shutdown, telemetry};

const CHILD: &str = "VIGIE_TEST_CHILD";

/// Not a test of its own: the child of the tests below.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    telemetry::start(telemetry::Format::Json, "info").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let shutdown = shutdown::on_signals().unwrap();
        // Thousands of lines, so that a pipe nobody reads would fill up or break.
        for n in 0..20_000 {
            tracing::info!(n, "line");
        }
        println!("ready");
        tokio::time::timeout(Duration::from_secs(60), shutdown.cancelled()).await.expect("told to stop");
    });
}

fn start(lifeline: bool) -> (std::process::Child, std::process::ChildStdin) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process::child", "--nocapture"]).env(CHILD, "1");
    if lifeline {
        command.env("VIGIE_LIFELINE", "1");
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The reader of its log goes away at once.
    drop(child.stderr.take());
    let stdin = child.stdin.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("ready")), "the child never became ready");
    // Its last words ("test result: ok") may still come.
    std::thread::spawn(move || lines.for_each(drop));
    (child, stdin)
}

#[test]
fn it_ends_when_its_lifeline_does_though_nobody_reads_its_log() {
    let (mut child, mut stdin) = start(true);
    stdin.write_all(b"still here\n").unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_ends_on_sigterm_and_sigint_and_without_lifeline_lets_stdin_close() {
    for signal in ["TERM", "INT"] {
        let (mut child, stdin) = start(false);
        drop(stdin);
        let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert!(child.wait().unwrap().success(), "{signal}");
    }
}
