//! Order: up in the order of needs, down against it.

use vigie_common::exit::Exit;
use vigie_supervisor::fleet::Fleet;
use vigie_supervisor::service::words::{Desired, State, Verb};

use crate::place::*;

#[tokio::test]
async fn up_in_order_and_down_against_it() {
    let service = |id: &str, needs: &[&str]| {
        let mut service = notifying(id, &["on-term=order", "append=up", "ready", "forever"]);
        service.needs = needs.iter().map(|&need| need.to_owned()).collect();
        service
    };
    let rig = Rig::start(vec![service("c", &["b"]), service("a", &[]), service("b", &["a"])], quick()).await;
    rig.until_state("c", State::Running).await;
    let ready: Vec<String> = rig
        .fleet
        .events(0)
        .into_iter()
        .filter(|event| event.to == State::Running || (event.to == State::Starting && event.service != "a"))
        .map(|event| format!("{} {}", event.service, event.to))
        .collect();
    assert_eq!(ready, ["a running", "b starting", "b running", "c starting", "c running"]);
    let path = rig.path("order");
    let (exit, _place) = rig.finish().await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(lines(path), ["c", "b", "a"]);
}

#[tokio::test]
async fn what_is_wanted_outlives_the_supervisor() {
    let services = || vec![faulty("a", &["forever"]), faulty("b", &["forever"])];
    let rig = Rig::start(services(), quick()).await;
    rig.until_state("a", State::Running).await;
    let generation = rig.command("a", Verb::Stop).await;
    rig.fleet.settled("a", generation, DEADLINE).await.unwrap();
    let (_, place) = rig.finish().await;

    let again = settings(place.path(), services(), quick());
    let rig = Rig::with(place, again).await;
    rig.until_state("b", State::Running).await;
    let view = rig.view("a");
    assert_eq!((view.state, view.desired, view.restarts), (State::Stopped, Desired::Down, 0));
    assert!(rig.moves("a").is_empty());
    rig.command("a", Verb::Start).await;
    rig.until_state("a", State::Running).await;
    rig.finish().await;
}

#[tokio::test]
async fn one_supervisor_a_folder() {
    let rig = Rig::start(vec![faulty("a", &["append=a", "forever"])], quick()).await;
    let second = settings(rig.place.path(), vec![], quick());
    let refused = Fleet::start(second, tokio_util::sync::CancellationToken::new()).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Locked);
    let told = format!("another supervisor (process {})", std::process::id());
    assert!(refused.to_string().starts_with(&told), "{refused}");
    rig.finish().await;
}
