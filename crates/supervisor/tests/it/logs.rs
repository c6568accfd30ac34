//! What services print is kept within bounds, and never holds them up.

use std::os::unix::fs::MetadataExt;

use tokio::time::timeout;
use vigie_supervisor::logs::line::Stream;
use vigie_supervisor::service::words::State;

use crate::place::*;

#[tokio::test]
async fn both_streams_are_kept_in_memory_and_on_disk() {
    let steps = ["wait-for=go", "print=mail for \u{1b}]0;you\u{7}", "complain=too much", "forever"];
    let rig = Rig::start(vec![faulty("a", &steps)], quick()).await;
    let mut follow = rig.fleet.follow("a").unwrap();
    std::fs::write(rig.path("go"), "").unwrap();
    eventually("both lines", || rig.fleet.log("a", None, 9).unwrap().len() == 2).await;
    let printed = rig.fleet.log("a", Some(Stream::Stdout), 9).unwrap();
    assert_eq!(printed[0].shown(), "mail for \\u{1b}]0;you\\u{7}");
    assert_eq!(rig.fleet.log("a", None, 1).unwrap().len(), 1);
    let first = timeout(DEADLINE, follow.recv()).await.unwrap().unwrap();
    assert!(first == printed[0] || first.stream == Stream::Stderr);
    let file = rig.path("logs/a.log");
    eventually("the file", || lines(&file).len() == 2).await;
    let text = lines(&file).join("\n");
    assert!(text.contains(" stdout mail for \\u{1b}]0;you") && text.contains(" stderr too much"), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert!(rig.fleet.log("unknown", None, 9).is_none());
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_read_bounded_and_counted() {
    let octets = 100 << 20;
    let steps = [format!("flood={octets}"), "append=done".into(), "forever".into()];
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let rig = Rig::start(vec![faulty("a", &steps)], quick()).await;
    eventually("the child was not held up", || !lines(rig.path("done")).is_empty()).await;
    let log = rig.fleet.log("a", None, usize::MAX).unwrap();
    assert!(log.len() <= 1000, "{}", log.len());
    let size = || -> u64 {
        let files = std::fs::read_dir(rig.path("logs")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    };
    eventually("what was dropped is counted", || {
        // Five files of 10 MiB hold less than half of it; what lies in them and what was dropped is never more than all.
        let lines = u64::try_from(octets / 80).unwrap();
        rig.view("a").log_dropped <= lines && size() > 0
    })
    .await;
    assert!(size() <= 51 << 20, "{}", size());
    assert_eq!(rig.view("a").state, State::Running);
    rig.finish().await;
}

#[tokio::test]
async fn a_disk_that_refuses_stops_no_service() {
    let place = tempfile::tempdir().unwrap();
    // A folder where the file should be: root could write through mere permissions.
    std::fs::create_dir_all(place.path().join("logs/a.log")).unwrap();
    let services = vec![faulty("a", &["print=x", "append=done", "forever"])];
    let settings = settings(place.path(), services, quick());
    let rig = Rig::with(place, settings).await;
    rig.until("a", |view| view.log_dropped == 1).await;
    eventually("it goes on", || !lines(rig.path("done")).is_empty()).await;
    assert_eq!(rig.fleet.log("a", None, 9).unwrap().len(), 1);
    rig.finish().await;
}
