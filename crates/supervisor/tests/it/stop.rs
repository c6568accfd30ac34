//! A stop ends all that a service started, however it resists, and always wins.

use std::time::Duration;

use rustix::process::Signal;
use vigie_common::exit::Exit;
use vigie_supervisor::service::numbers::Numbers;
use vigie_supervisor::service::words::{Desired, State, Verb};

use crate::place::*;

fn short_grace() -> Numbers {
    Numbers { grace: Duration::from_millis(100), ..quick() }
}

#[tokio::test]
async fn who_ignores_term_is_killed() {
    let rig = Rig::start(vec![notifying("a", &["ignore-term", "ready", "forever"])], short_grace()).await;
    let pid = rig.until_state("a", State::Running).await.pid.unwrap();
    let generation = rig.command("a", Verb::Stop).await;
    let view = rig.fleet.settled("a", generation, DEADLINE).await.unwrap();
    assert_eq!((view.state, view.desired, view.pid), (State::Stopped, Desired::Down, None));
    assert_eq!(view.last_exit.unwrap().reason, "stop; signal 9 (KILL)");
    assert!(!alive(pid));
    let event = rig.fleet.events(0).into_iter().find(|event| event.to == State::Stopping).unwrap();
    assert_eq!((event.reason.as_str(), event.actor.to_string().as_str()), ("stop", "test"));
    rig.finish().await;
}

#[tokio::test]
async fn what_it_left_in_its_group_goes_with_it() {
    let rig = Rig::start(vec![notifying("a", &["child=children", "ready", "forever"])], quick()).await;
    let pid = rig.until_state("a", State::Running).await.pid.unwrap();
    let first = pids(rig.path("children"))[0];
    assert!(alive(first));
    kill(pid, Signal::KILL);
    rig.until("a", |view| view.state == State::Running && view.pid != Some(pid)).await;
    eventually("the first grandchild is gone", || !alive(first)).await;
    let second = pids(rig.path("children"))[1];
    rig.command("a", Verb::Stop).await;
    rig.until_state("a", State::Stopped).await;
    eventually("the second is gone", || !alive(second)).await;
    rig.finish().await;
}

#[tokio::test]
async fn an_output_that_another_holds_open_hides_no_end() {
    let rig = Rig::start(vec![faulty("a", &["escape=escaped", "exit=78"])], quick()).await;
    let view = rig.until_state("a", State::Fatal).await;
    assert_eq!(view.last_exit.unwrap().code, Some(78));
    let escaped = pids(rig.path("escaped"))[0];
    assert!(alive(escaped), "it still holds the output open");
    kill(escaped, Signal::KILL);
    rig.finish().await;
}

#[tokio::test]
async fn it_wins_in_backoff_and_in_starting() {
    let slow = Numbers { backoff: (Duration::from_hours(1), Duration::from_hours(1)), ..Numbers::default() };
    let services = vec![faulty("fails", &["exit=1"]), notifying("starts", &["append=pid", "forever"])];
    let rig = Rig::start(services, slow).await;
    let view = rig.until("fails", |view| view.state == State::Backoff && view.next_start_at.is_some()).await;
    assert_eq!(view.restarts, 1, "the first failure waits for nothing");
    rig.command("fails", Verb::Stop).await;
    let view = rig.until_state("fails", State::Stopped).await;
    assert_eq!((view.next_start_at, view.desired), (None, Desired::Down));

    let pid = rig.until_state("starts", State::Starting).await.pid.unwrap();
    rig.command("starts", Verb::Stop).await;
    rig.until_state("starts", State::Stopped).await;
    assert!(!alive(pid));
    // A start takes a stop back before it is through.
    rig.command("starts", Verb::Start).await;
    rig.until_state("starts", State::Starting).await;
    rig.command("starts", Verb::Stop).await;
    rig.command("starts", Verb::Start).await;
    rig.until_state("starts", State::Starting).await;
    rig.finish().await;
}

#[tokio::test]
async fn a_whole_stop_keeps_its_budget() {
    let place = tempfile::tempdir().unwrap();
    let steps = ["ignore-term", "ready", "forever"];
    let mut above = notifying("above", &steps);
    above.needs = vec!["below".into()];
    let mut settings = settings(place.path(), vec![notifying("below", &steps), above], Numbers::default());
    settings.stop_budget = Duration::from_millis(600);
    let rig = Rig::with(place, settings).await;
    rig.until_state("above", State::Running).await;
    let pids = ["below", "above"].map(|id| rig.view(id).pid.unwrap());
    assert_eq!(rig.finish().await.0, Exit::Done);
    assert!(pids.into_iter().all(|pid| !alive(pid)));
}

#[tokio::test]
async fn a_second_word_ends_everything_at_once() {
    let patient = Numbers { grace: Duration::from_hours(1), ..Numbers::default() };
    let place = tempfile::tempdir().unwrap();
    let services = vec![notifying("a", &["ignore-term", "ready", "forever"])];
    let mut settings = settings(place.path(), services, patient);
    settings.stop_budget = Duration::from_hours(2);
    let rig = Rig::with(place, settings).await;
    let pid = rig.until_state("a", State::Running).await.pid.unwrap();
    rig.shutdown.cancel();
    rig.until_state("a", State::Stopping).await;
    rig.at_once.cancel();
    assert_eq!(rig.finished().await, Exit::Done);
    assert!(!alive(pid));
}
