//! Measures how long a message takes from its arrival until it is durable, that is, in the catalog:
//!
//! `arrivals exists DIR COUNT INGEST` from the moment at which an honest server tells an idling client;
//! `arrivals lmtp DIR COUNT INGEST` from the beginning of its delivery to a Dovecot;
//! `arrivals kill DIR COUNT INGEST SUPERVISOR` from `kill -9` of ingest, with a delivery to a Dovecot at once.
//!
//! The archive is made in DIR. The milliseconds come as one JSON line on stdout.

mod archive;
mod process;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};
use vigie_testkit::dovecot::Dovecot;
use vigie_testkit::generate::{self, Profile, Random};
use vigie_testkit::mailbox_server::{Account, MailboxServer, Security, Service};

use archive::Arrivals;
use process::Process;

/// Messages that are there before.
const BEFORE: u64 = 20;
const USAGE: &str =
    "usage: arrivals exists|lmtp DIR COUNT INGEST | arrivals kill DIR COUNT INGEST SUPERVISOR";

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (what, folder, count, programs) = match *words {
        [what, folder, count, ref programs @ ..] => (what, PathBuf::from(folder), count, programs),
        _ => bail!(USAGE),
    };
    let count = count.parse().with_context(|| format!("`{count}` is no count; {USAGE}"))?;
    let times = match (what, programs) {
        ("exists", [ingest]) => exists(&folder, count, Path::new(ingest)).await?,
        ("lmtp", [ingest]) => lmtp(&folder, count, Path::new(ingest)).await?,
        ("kill", [_, supervisor]) => kill(&folder, count, Path::new(supervisor)).await?,
        _ => bail!(USAGE),
    };
    let milliseconds: Vec<String> =
        times.iter().map(|took| format!("{:.3}", took.as_secs_f64() * 1000.0)).collect();
    writeln!(io::stdout(), "[{}]", milliseconds.join(","))?;
    Ok(())
}

async fn exists(folder: &Path, count: u64, ingest: &Path) -> Result<Vec<Duration>> {
    let account = Account::new("bench", "secret");
    let inbox = account.mailbox("INBOX");
    for index in 0..BEFORE {
        inbox.append(small(index));
    }
    let server = MailboxServer::start(&Service::new([account]), Security::None).await?;
    let _ingest = Process::start(ingest, &config(folder, server.port(), "")?)?;
    let mut arrivals = Arrivals::after(folder, BEFORE).await?;
    let mut random = Random::of(&[1]);
    let mut times = Vec::new();
    for index in 0..count {
        let idle = usize::try_from(index).unwrap_or(usize::MAX).saturating_add(1);
        server.service().wait_for_command("IDLE", idle).await;
        sleep(Duration::from_millis(random.below(40))).await;
        let message = small(BEFORE + index);
        // The session is told within microseconds, which count against us.
        let since = Instant::now();
        inbox.append(message);
        arrivals.next().await?;
        times.push(since.elapsed());
    }
    Ok(times)
}

async fn lmtp(folder: &Path, count: u64, ingest: &Path) -> Result<Vec<Duration>> {
    let dovecot = filled()?;
    let _ingest = Process::start(ingest, &config(folder, dovecot.port(), "")?)?;
    let mut arrivals = Arrivals::after(folder, BEFORE).await?;
    let mut random = Random::of(&[2]);
    let mut times = Vec::new();
    for index in 0..count {
        sleep(Duration::from_millis(100 + random.below(400))).await;
        let message = small(BEFORE + index);
        let since = Instant::now();
        dovecot.deliver("bench", &message)?;
        arrivals.next().await?;
        times.push(since.elapsed());
    }
    Ok(times)
}

async fn kill(folder: &Path, count: u64, supervisor: &Path) -> Result<Vec<Duration>> {
    let dovecot = filled()?;
    let others = "[metrics]\nenabled = false\n[supervisor]\nlisten = \"127.0.0.1:0\"\n";
    let config = config(folder, dovecot.port(), others)?;
    let supervising = Process::start(supervisor, &config)?;
    let mut arrivals = Arrivals::after(folder, BEFORE).await?;
    let mut random = Random::of(&[3]);
    let mut times = Vec::new();
    for index in 0..count {
        // The next kill is a first failure again: for a repeated one, a supervisor waits.
        supervising.ask(&["reset", "ingest"], &config).await?;
        sleep(Duration::from_millis(200 + random.below(600))).await;
        let message = small(BEFORE + index);
        let ingest = arrivals.writer()?;
        let since = Instant::now();
        process::kill(ingest)?;
        dovecot.deliver("bench", &message)?;
        arrivals.next().await?;
        times.push(since.elapsed());
    }
    Ok(times)
}

fn filled() -> Result<Dovecot> {
    let dovecot = Dovecot::start()?;
    for index in 0..BEFORE {
        dovecot.deliver("bench", &small(index))?;
    }
    Ok(dovecot)
}

fn small(index: u64) -> Vec<u8> {
    generate::message(5, index, Profile::Small)
}

/// The configuration of one account in the clear.
fn config(folder: &Path, port: u16, more: &str) -> Result<PathBuf> {
    let file = folder.join("vigie.toml");
    let text = format!(
        "[ingest]\nlisten = \"\"\n{more}[[account]]\nid = \"bench\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         tls = \"none\"\nuser = \"bench\"\npassword_file = \"password\"\n"
    );
    std::fs::write(folder.join("password"), "secret\n")
        .and_then(|()| std::fs::write(&file, text))
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    Ok(file)
}
