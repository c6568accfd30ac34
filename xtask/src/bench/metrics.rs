//! `cargo xtask bench metrics`: every answer of the API over made-up mail, for several ranges, buckets, zones and
//! groupings, asked one after the other over loopback.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::measure::{median, quantile};
use crate::terminal::{say, thousands};
use crate::{cargo, clock, workspace};

/// No median may take longer.
const BUDGET_MS: f64 = 100.0;

#[derive(Args)]
pub(crate) struct Options {
    /// Messages of the read model
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,
    /// Days over which they are spread
    #[arg(long, default_value_t = 1400)]
    days: u32,
    /// Requests of each kind
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
}

/// Answers in milliseconds.
struct Measured {
    path: String,
    milliseconds: Vec<f64>,
    octets: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    cargo::run(cargo::command(["build", "--release", "--locked", "--bin", "vigie-metrics"]))?;
    let target = workspace::target()?;
    let program = target.join("release/vigie-metrics");
    let directory = target.join("bench").join(format!("metrics-{}", clock::epoch_seconds()));
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let measured = measure(options, &program, &directory);
    fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    let measured = measured?;
    say(table(&measured))?;
    let file = target.join("bench/metrics.json");
    fs::write(&file, format!("{:#}\n", summary(options, &measured)))
        .with_context(|| format!("cannot write {}", file.display()))?;
    say(format_args!("the numbers are in {}", file.display()))?;
    let slow: Vec<&str> = measured
        .iter()
        .filter(|one| median(&one.milliseconds) > BUDGET_MS)
        .map(|one| one.path.as_str())
        .collect();
    ensure!(slow.is_empty(), "slower than {BUDGET_MS} ms: {}", slow.join(", "));
    Ok(())
}

fn measure(options: &Options, program: &Path, directory: &Path) -> Result<Vec<Measured>> {
    let configuration = directory.join("vigie.toml");
    fs::write(&configuration, "[metrics]\nlisten = \"127.0.0.1:0\"\n")
        .context("cannot write the configuration")?;
    let command = |argument: &str| {
        let mut command = Command::new(program);
        command.arg("--config").arg(&configuration).arg(argument).env_remove("NOTIFY_SOCKET");
        command
    };
    say(format_args!("making up {} messages", thousands(options.records)))?;
    let started = clock::now();
    let status = command("generate")
        .args(["--records", &options.records.to_string(), "--days", &options.days.to_string()])
        .stdout(Stdio::null())
        .status()
        .context("cannot run the generator")?;
    ensure!(status.success(), "the generator failed: {status}");
    let seconds = started.elapsed().as_secs_f64();
    let octets = fs::metadata(directory.join("metrics.db")).context("cannot find the read model")?.len();
    say(format_args!(
        "counted in {seconds:.1} s, {} records/s, {} MiB",
        thousands((options.records as f64 / seconds) as u64),
        octets >> 20
    ))?;

    let server = Server::start(command("run"))?;
    let mut measured = Vec::new();
    for path in paths() {
        let octets = server.ask(&path)?;
        let mut milliseconds = Vec::new();
        for _ in 0..options.requests {
            let started = clock::now();
            server.ask(&path)?;
            milliseconds.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        measured.push(Measured { path, milliseconds, octets });
    }
    say(format_args!("memory at the peak: {} MiB", server.peak()? >> 10))?;
    Ok(measured)
}

/// Every series with what makes it slow: all time, small buckets, zones, groupings.
fn paths() -> Vec<String> {
    let mut paths: Vec<String> =
        ["summary?tz=Europe/Paris", "mailboxes", "host", "session"].map(String::from).into();
    let all = "from=now-4y";
    for zone in ["UTC", "Asia/Kathmandu"] {
        for metric in ["messages", "bytes", "senders", "delay"] {
            paths.push(format!("series/{metric}?{all}&bucket=1d&tz={zone}"));
        }
        paths.push(format!("series/hours?{all}&tz={zone}"));
    }
    paths.push(format!("series/sizes?{all}"));
    for metric in ["messages", "bytes"] {
        for group in ["account", "mailbox", "domain"] {
            paths.push(format!("series/{metric}?{all}&bucket=1d&tz=Europe/Paris&group_by={group}&limit=50"));
        }
    }
    for metric in ["messages", "senders", "delay"] {
        paths.push(format!("series/{metric}?{all}&bucket=1mo&account=support"));
        paths.push(format!("series/{metric}?from=now-30d&tz=Europe/Paris"));
        paths.push(format!("series/{metric}?from=now-2d&bucket=1m"));
        paths.push(format!("series/{metric}?from=now-120d&bucket=1h"));
    }
    for by in ["address", "domain"] {
        paths.push(format!("senders?{all}&by={by}&limit=100"));
        paths.push(format!("senders?from=now-30d&by={by}"));
    }
    for metric in ["host_cpu", "host_memory", "host_load", "host_disk", "host_network"] {
        paths.push(format!("series/{metric}?from=now-7d&bucket=15m"));
    }
    paths.push(format!("series/messages.svg?{all}&group_by=account"));
    paths.push(format!("series/hours.svg?{all}"));
    paths.push(format!("series/messages.csv?{all}&bucket=1d&group_by=domain"));
    paths
}

/// The program, serving; it ends with us, however we end, because its stdin does.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(mut command: Command) -> Result<Self> {
        command.args(["--log-format", "json"]).env("VIGIE_LIFELINE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().context("cannot start vigie-metrics")?;
        let mut log = BufReader::new(process.stderr.take().context("it has no stderr")?);
        let mut line = String::new();
        loop {
            line.clear();
            ensure!(log.read_line(&mut line).context("cannot read its log")? > 0, "vigie-metrics ended");
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = said.get("address").and_then(Value::as_str) {
                let address = address.to_owned();
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                return Ok(Self { process, address });
            }
        }
    }

    /// Octets of a successful answer.
    fn ask(&self, path: &str) -> Result<usize> {
        let mut stream = TcpStream::connect(&self.address).context("cannot connect to vigie-metrics")?;
        write!(
            stream,
            "GET /api/v1/{path} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
            self.address
        )
        .context("cannot ask vigie-metrics")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).context("cannot read the answer")?;
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            bail!("{path}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(answer.len())
    }

    /// KiB in memory at the peak.
    fn peak(&self) -> Result<u64> {
        let file = PathBuf::from(format!("/proc/{}/status", self.process.id()));
        let status = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = peak.and_then(|rest| rest.split_whitespace().next()).and_then(|text| text.parse().ok());
        number.context("the system does not tell the peak of its memory")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Waiting closes its stdin first, which is what it waits for.
        let _ = self.process.wait();
    }
}

/// For a person.
fn table(measured: &[Measured]) -> String {
    let mut out = format!("\n{:76}  {:>9}  {:>9}  {:>9}\n", "", "median ms", "p95 ms", "KiB");
    for one in measured {
        out.push_str(&format!(
            "{:76}  {:>9.1}  {:>9.1}  {:>9.1}\n",
            one.path,
            median(&one.milliseconds),
            quantile(&one.milliseconds, 0.95),
            one.octets as f64 / 1024.0
        ));
    }
    out
}

/// For a program.
fn summary(options: &Options, measured: &[Measured]) -> Value {
    let of = |one: &Measured| {
        json!({
            "path": one.path,
            "medianMilliseconds": median(&one.milliseconds),
            "p95Milliseconds": quantile(&one.milliseconds, 0.95),
            "bytes": one.octets,
        })
    };
    json!({ "records": options.records, "answers": measured.iter().map(of).collect::<Vec<_>>() })
}
