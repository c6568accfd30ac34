//! What a door sees of the fleet.

use std::time::Duration;

use tokio::time::timeout;
use vigie_supervisor::fleet::CommandError;
use vigie_supervisor::fleet::event::{Actor, Change};
use vigie_supervisor::fleet::view::ServiceView;
use vigie_supervisor::service::words::{State, Verb};
use vigie_supervisor::settings::Service;

use crate::place::*;

#[tokio::test]
async fn views_say_how_a_service_is() {
    let rig = Rig::start(vec![faulty("b", &["forever"]), faulty("a", &["forever"])], quick()).await;
    rig.until_state("a", State::Running).await;
    let mut changes = rig.fleet.changes();
    rig.fleet.looked_at();
    let has = |view: &ServiceView| view.resident_bytes > Some(100_000) && view.open_fds > Some(2);
    let view = rig.until("a", |view| has(view) && view.threads >= Some(1) && view.cpu.is_some()).await;
    assert!(view.uptime_seconds.is_some() && view.started_at <= view.ready_at);
    let order: Vec<String> = rig.fleet.views().into_iter().map(|view| view.id).collect();
    assert_eq!(order, ["b", "a"]);
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(
        (&json["state"], &json["kind"], &json["desired"]),
        (&"running".into(), &"service".into(), &"up".into())
    );
    assert!(json["started_at"].as_str().unwrap().ends_with('Z'));
    let host = rig.fleet.host();
    assert!(!host.hostname.is_empty() && host.memory_bytes > host.memory_available_bytes);
    assert!(host.data_bytes > 0 && host.resident_bytes > 0);
    while !matches!(timeout(DEADLINE, changes.recv()).await.unwrap(), Ok(Change::Sample)) {}
    rig.finish().await;
}

#[tokio::test]
async fn commands_are_idempotent_and_refused_with_a_reason() {
    let rig = Rig::start(vec![faulty("a", &["forever"])], quick()).await;
    let pid = rig.until_state("a", State::Running).await.pid;
    for expected in 1..=3 {
        let generation = rig.command("a", Verb::Start).await;
        assert_eq!(generation, expected);
        assert_eq!(rig.fleet.settled("a", generation, DEADLINE).await.unwrap().pid, pid);
    }
    let unknown = rig.fleet.command("x", Verb::Start, Actor::user("me")).await;
    assert_eq!(unknown, Err(CommandError::Unknown));
    assert!(rig.fleet.settled("x", 1, Duration::ZERO).await.is_none());
    let first = rig.fleet.events(0);
    assert_eq!(first.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(rig.fleet.events(1).len(), 1);
    let fleet = rig.fleet.clone();
    rig.finish().await;
    let refused = fleet.command("a", Verb::Start, Actor::local(0)).await;
    assert!(matches!(refused, Err(CommandError::Refused { state: State::Stopped, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_service_gets_its_own_environment_alone() {
    let mut service = Service::program("a", &["sh", "-c", "env > variables; touch done; exec sleep 600"]);
    service.environment = vec![("LEVEL".into(), "fast".into())];
    let rig = Rig::start(vec![service], quick()).await;
    eventually("they are written", || std::path::Path::new(&rig.path("done")).exists()).await;
    let names: Vec<String> = lines(rig.path("variables"))
        .iter()
        .filter_map(|line| Some(line.split_once('=')?.0.to_owned()))
        .collect();
    assert!(names.contains(&"LEVEL".to_owned()) && names.contains(&"PATH".to_owned()));
    // The shell's own: PWD, SHLVL, _.
    let known = ["PATH", "HOME", "TZ", "LANG", "LEVEL", "PWD", "OLDPWD", "SHLVL", "_"];
    assert!(names.iter().all(|name| known.contains(&name.as_str())), "{names:?}");
    rig.finish().await;
}
