//! The whole binary, disturbed at its disk steps: killed there, failed there once or for good. The next run ends as if
//! nothing had been. Some steps in the test suite; all of them with `VIGIE_STEPS=all` (`cargo xtask trial steps`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use vigie_testkit::generate::{self, Profile};
use vigie_testkit::mailbox_server::{Account, Draft, MailboxServer, Security, Service};

use crate::place::{Place, collect};

const CANARY: &str = "secret";

/// Mail with attachments, duplicates in one mailbox and over two, and flags.
async fn server() -> MailboxServer {
    let account = Account::new("me", CANARY);
    let at =
        |n: u64| jiff::Timestamp::from_second(1_780_000_000 + i64::try_from(n).unwrap() * 7_000).unwrap();
    let draft = |n: u64| Draft::new(generate::message(7, n, Profile::Mixed)).received(at(n));
    let inbox = account.mailbox("INBOX");
    inbox.append_all((0..14).map(draft));
    inbox.append(draft(3).flag("\\Seen"));
    account.mailbox("Other").append_all([draft(3), draft(20)]);
    MailboxServer::start(&Service::new([account]), Security::None).await.unwrap()
}

fn place(server: &MailboxServer) -> Place {
    Place::plain(server.port(), "mailboxes = [\"*\"]\n")
}

/// Documents without what differs from run to run, and attachments.
fn kept(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let mut files = Vec::new();
    for folder in ["messages", "attachments"] {
        collect(&place.archive().join(folder), &mut files);
    }
    let root = place.archive();
    let read = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        let Ok(mut json) = serde_json::from_slice::<serde_json::Value>(&bytes) else { return bytes };
        json["vigie"]["ingest"] = serde_json::Value::Null;
        json.to_string().into_bytes()
    };
    files.iter().map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), read(path))).collect()
}

/// After a run to the end: as if nothing had ever gone wrong.
fn check(place: &Place, expected: &BTreeMap<String, Vec<u8>>, what: &str) {
    place.sync().assert_clean();
    let kept = kept(place);
    assert_eq!(kept.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    assert!(kept == *expected, "{what}: other content");
    place.assert_whole(17);
    let records = place.records();
    let ids: BTreeSet<_> = records.iter().filter_map(|r| r.entry.as_ref()).map(|e| e.id.clone()).collect();
    assert_eq!((ids.len(), records.len()), (17, 17), "{what}: nothing twice, nothing else");
    let mut files = Vec::new();
    collect(&place.archive(), &mut files);
    for path in files {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{what}: {}", path.display());
        assert!(!path.starts_with(place.archive().join(".tmp")), "{what}: {}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("catalog") {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            assert!(!found, "{what}: the password is in {name}");
        }
    }
}

/// Disturbs at every step, or at some, until a run was not touched.
async fn disturbed(plan: &str, stride: usize, first: usize) {
    let server = server().await;
    let undisturbed = place(&server);
    undisturbed.sync().assert_clean();
    let expected = kept(&undisturbed);
    let stride = if std::env::var("VIGIE_STEPS").is_ok_and(|all| all == "all") { 1 } else { stride };
    let (mut hit, mut untouched) = (0, 0);
    for step in (first.min(stride)..).step_by(stride) {
        let what = plan.replace('N', &step.to_string());
        let place = place(&server);
        let output = place.command(&["sync"]).env("VIGIE_FAULTS", &what).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{what}: {said}");
        let done = output.status.success();
        if !done && !plan.starts_with("kill") {
            let code = output.status.code();
            assert!(matches!(code, Some(73)), "{what}: {code:?} {said}");
            assert!(!said.contains("internal fault"), "{what}: {said}");
        }
        check(&place, &expected, &what);
        // A failure may be got over: that a run ended well does not say that there was none.
        untouched = if done { untouched + 1 } else { 0 };
        hit += usize::from(!done);
        if untouched > 0 && (plan.starts_with("kill") || untouched >= 10) {
            break;
        }
    }
    // One that fails once is mostly got over by the store, which tries again.
    let least = if plan.starts_with("fail ") { 1 } else { 3 };
    assert!(hit >= least, "{plan}: only {hit} runs were disturbed");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_its_steps() {
    disturbed("kill N", 23, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_space_from_a_step_on() {
    disturbed("fail-from N 28", 41, 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ill_disk_once() {
    disturbed("fail N 5", 47, 3).await;
}
