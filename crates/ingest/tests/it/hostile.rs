//! One process with good accounts and hostile ones: the good ones get all of their mail, the memory stays small, and
//! the process lives.

use std::collections::BTreeSet;

use tokio::time::Instant;
use vigie_archive::Reader;
use vigie_testkit::hostile::{self, Kind};
use vigie_testkit::mailbox_server::{Account, Draft, MailboxServer, Security, Service};
use vigie_testkit::server::Server;

use crate::messages::small;
use crate::place::{DEADLINE, Place, Running};

/// Memory that the process may have taken at any time.
const MEMORY: u64 = 128 << 10;

/// Servers, and the accounts that watch them.
struct Crowd {
    place: Place,
    good: Vec<MailboxServer>,
    hostile: Vec<(Kind, Server)>,
    messages: u64,
}

impl Crowd {
    async fn new(good: usize, messages: u64, kinds: Vec<Kind>) -> Self {
        let mut place = Place::new();
        let mut crowd = Vec::new();
        for number in 0..good {
            let account = Account::new("me", "secret");
            let seed = number as u64 * messages;
            account.mailbox("INBOX").append_all((0..messages).map(|n| Draft::new(small(seed + n))));
            let server = MailboxServer::start(&Service::new([account]), Security::None).await.unwrap();
            place.account(&format!("good-{number}"), server.port(), "tls = \"none\"\n");
            crowd.push(server);
        }
        let mut hostile = Vec::new();
        for (number, kind) in kinds.into_iter().enumerate() {
            let server = kind.start().await;
            let id = format!("h{number}-{}", kind.name);
            place.account(&id, server.port(), &format!("tls = \"none\"\n{}", kind.account));
            hostile.push((kind, server));
        }
        Self { place, good: crowd, hostile, messages }
    }

    /// Waits until all mail of the good accounts is stored and each hostile server was met; how long the mail took.
    fn wait(&self, run: &mut Running) -> std::time::Duration {
        let begun = Instant::now();
        let mut took = None;
        loop {
            if took.is_none() && self.good_ones() == self.good.len() as u64 * self.messages {
                took = Some(begun.elapsed());
            }
            let unmet: Vec<_> =
                self.hostile.iter().filter(|(_, s)| s.connections() == 0).map(|(k, _)| k.name).collect();
            if let (Some(took), true) = (took, unmet.is_empty()) {
                return took;
            }
            assert_eq!(run.child.try_wait().unwrap(), None, "the process died");
            assert!(begun.elapsed() < 4 * DEADLINE, "{} stored, never met {unmet:?}", self.good_ones());
            // Something of the log, or a moment.
            run.listen(std::time::Duration::from_millis(100));
        }
    }

    /// Messages of good accounts that are stored.
    fn good_ones(&self) -> u64 {
        let Ok(reader) = Reader::open(&self.place.archive()) else { return 0 };
        let mailboxes = reader.mailboxes().unwrap_or_default();
        mailboxes.iter().filter(|m| m.account.starts_with("good-")).map(|m| m.stored).sum()
    }
}

/// High-water mark of the memory of a process, in KiB.
fn peak_memory(run: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.child.id())).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn good_accounts_do_not_notice_hostile_ones() {
    let crowd = Crowd::new(8, 50, hostile::kinds()).await;
    let names: BTreeSet<_> = crowd.hostile.iter().map(|(kind, _)| kind.name).collect();
    assert_eq!(names.len(), crowd.hostile.len(), "each kind once");
    let mut run = Running::start(crowd.place.command(&["run"]), false);
    crowd.wait(&mut run);
    let peak = peak_memory(&run);
    assert!(peak < MEMORY, "{peak} KiB");
    let log = run.seen.join("\n");
    assert!(!log.contains("internal fault") && !log.contains("panicked"), "{log}");
    assert!(!log.contains('\u{1b}') && !log.contains('\u{9b}'), "escapes in the log");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}

/// Fifty beside fifty; says how the speed of the good ones compares with a run without the others.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo test --release -p vigie-ingest --test it hostile -- --ignored --nocapture"]
async fn fifty_good_accounts_beside_fifty_hostile_ones() {
    use std::io::Write as _;
    let mut took = Vec::new();
    for kinds in [Vec::new(), hostile::kinds()] {
        let crowd = Crowd::new(50, 400, kinds).await;
        let mut run = Running::start(crowd.place.command(&["run"]), false);
        let time = crowd.wait(&mut run);
        let peak = peak_memory(&run);
        let hostile = crowd.hostile.len();
        writeln!(
            std::io::stdout(),
            "50 good accounts beside {hostile} hostile ones: {:.1} s, {peak} KiB",
            time.as_secs_f64()
        )
        .unwrap();
        assert!(peak < MEMORY, "{peak} KiB");
        run.signal("TERM");
        assert_eq!(run.end(), Some(0));
        took.push(time.as_secs_f64());
    }
    writeln!(std::io::stdout(), "slower by {:.0} %", 100.0 * (took[1] / took[0] - 1.0)).unwrap();
}
