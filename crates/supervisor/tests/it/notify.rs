//! Readiness and watchdog: whom the supervisor believes, and what silence means.

use std::time::Duration;

use vigie_supervisor::service::numbers::Numbers;
use vigie_supervisor::service::words::{Health, State};

use crate::place::*;

#[tokio::test]
async fn who_never_gets_ready_is_ended_and_what_needs_it_waits() {
    let numbers = Numbers { start: Duration::from_millis(150), ..quick() };
    let mut above = faulty("above", &["append=above", "forever"]);
    above.needs = vec!["never".into()];
    let rig = Rig::start(vec![notifying("never", &["forever"]), above], numbers).await;
    let view = rig.until("never", |view| view.crash_loop).await;
    assert_eq!(view.last_exit.unwrap().reason, "not ready within 0.15 s; signal 15 (TERM)");
    let view = rig.view("above");
    assert_eq!((view.state, view.waiting_for), (State::Waiting, vec!["never".to_owned()]));
    assert!(lines(rig.path("above")).is_empty());
    rig.finish().await;
}

#[tokio::test]
async fn strangers_and_garbage_are_not_believed() {
    let steps = [
        "forge=ready",
        "garbage",
        "append=told",
        "wait-for=go",
        "status=in \u{1b}[2J good order",
        "ready",
        "forever",
    ];
    let rig = Rig::start(vec![notifying("a", &steps)], Numbers::default()).await;
    eventually("the forged ones are sent", || !lines(rig.path("told")).is_empty()).await;
    std::fs::write(rig.path("go"), "").unwrap();
    let view = rig.until("a", |view| view.state == State::Running).await;
    // One of a stranger, three that say nothing; the order of datagrams is kept.
    assert_eq!(view.notifications_ignored, 4);
    assert_eq!(view.restarts, 0);
    rig.until("a", |view| view.status.as_deref() == Some("as told")).await;
    rig.finish().await;
}

#[tokio::test]
async fn silence_after_the_first_ping_ends_it() {
    let numbers = Numbers { watchdog: Duration::from_secs(2), ..quick() };
    let services = vec![
        notifying("silent", &["ready", "ping", "stuck"]),
        notifying("lively", &["ready", "ping-until=enough", "forever"]),
        notifying("mute", &["ready", "forever"]),
        notifying("asks", &["ready", "trigger", "forever"]),
    ];
    let rig = Rig::start(services, numbers).await;
    let view = rig.until("silent", |view| view.restarts > 0).await;
    assert_eq!(view.last_exit.unwrap().reason, "watchdog: no ping for 2 s; signal 15 (TERM)");
    let view = rig.until("asks", |view| view.restarts > 0).await;
    assert!(view.last_exit.unwrap().reason.starts_with("watchdog: it asked to be restarted"));
    let view = rig.until("lively", |view| view.health == Health::Healthy).await;
    assert!(view.heartbeat_age_seconds.is_some());
    assert_eq!((view.restarts, rig.view("mute").restarts), (0, 0));
    assert_eq!(rig.view("mute").health, Health::Unknown);
    rig.finish().await;
}

#[tokio::test]
async fn pings_that_lay_in_the_socket_while_we_stood_still_count() {
    // Only what is heard counts here, not that the deadline is noticed late.
    let numbers = Numbers { watchdog: Duration::from_secs(2), late: Duration::from_secs(60), ..quick() };
    let rig = Rig::start(vec![notifying("a", &["ready", "ping-until=enough", "forever"])], numbers).await;
    for _ in 0..4 {
        rig.until("a", |view| view.heartbeat_age_seconds.is_some_and(|age| age < 0.5)).await;
        // This thread is all that the supervisor has here.
        std::process::Command::new("sleep").arg("2.2").status().unwrap();
    }
    rig.until("a", |view| view.heartbeat_age_seconds.is_some_and(|age| age < 0.5)).await;
    assert_eq!(rig.moves("a"), ["waiting>starting", "starting>running"]);
    rig.finish().await;
}

#[tokio::test]
async fn a_long_path_is_no_obstacle() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("x".repeat(120));
    std::fs::create_dir(&data).unwrap();
    let settings = settings(&data, vec![notifying("a", &["ready", "forever"])], Numbers::default());
    let rig = Rig::with(place, settings).await;
    rig.until_state("a", State::Running).await;
    rig.finish().await;
}
