//! What fails comes back, or does not, for the right reason.

use rustix::process::Signal;
use vigie_common::config::GiveUp;
use vigie_common::exit::Exit;
use vigie_supervisor::service::words::{State, Verb};
use vigie_supervisor::settings::Service;

use crate::place::*;

#[tokio::test]
async fn what_is_killed_comes_back() {
    let rig = Rig::start(vec![faulty("a", &["forever"])], quick()).await;
    for count in 1..=20 {
        let pid = rig.until_state("a", State::Running).await.pid.unwrap();
        kill(pid, Signal::KILL);
        let view = rig.until("a", |view| view.state == State::Running && view.pid != Some(pid)).await;
        assert_eq!(view.restarts, count);
        let exit = view.last_exit.unwrap();
        assert_eq!((exit.signal, exit.code, exit.pid), (Some(9), None, pid));
        assert_eq!(exit.reason, "signal 9 (KILL)");
    }
    assert_eq!(rig.finish().await.0, Exit::Done);
}

#[tokio::test]
async fn each_exit_code_has_its_consequence() {
    let services = [0, 1, 75, 64, 78].map(|code| faulty(&format!("e{code}"), &[&format!("exit={code}")]));
    let rig = Rig::start(services.to_vec(), quick()).await;
    for (id, reason) in [("e0", "exit 0"), ("e1", "exit 1"), ("e75", "exit 75: another instance")] {
        let view = rig.until(id, |view| view.restarts >= 3).await;
        assert!(view.last_exit.unwrap().reason.starts_with(reason));
    }
    for (id, reason) in [("e64", "exit 64: wrong arguments"), ("e78", "exit 78: bad configuration")] {
        let view = rig.until_state(id, State::Fatal).await;
        assert_eq!((view.restarts, view.last_exit.unwrap().reason.as_str()), (0, reason));
    }
    rig.finish().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_waits_for_a_person() {
    let rig = Rig::start(vec![Service::program("a", &["./not-there"])], quick()).await;
    let view = rig.until_state("a", State::Fatal).await;
    let reason = rig.fleet.events(0).last().unwrap().reason.clone();
    assert_eq!(view.reason.as_ref(), Some(&reason));
    assert!(reason.starts_with("cannot be executed") && reason.contains("not-there"), "{reason}");
    std::os::unix::fs::symlink("/bin/cat", rig.path("not-there")).unwrap();
    rig.command("a", Verb::Reset).await;
    // `cat` without a lifeline reads nothing, and ends.
    rig.until("a", |view| view.last_exit.as_ref().is_some_and(|exit| exit.code == Some(0))).await;
    rig.finish().await;
}

#[tokio::test]
async fn the_fifth_failure_is_a_crash_loop() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = settings(place.path(), vec![faulty("a", &["append=starts", "exit=1"])], quick());
    settings.give_up = GiveUp::Hold;
    let rig = Rig::with(place, settings).await;
    let view = rig.until_state("a", State::Fatal).await;
    assert!(view.crash_loop);
    assert_eq!(lines(rig.path("starts")).len(), 5);
    rig.command("a", Verb::Start).await;
    rig.until("a", |view| view.state == State::Fatal && view.restarts == 9).await;
    assert_eq!(lines(rig.path("starts")).len(), 10);
    rig.finish().await;
}

#[tokio::test]
async fn giving_up_may_end_everything() {
    let place = tempfile::tempdir().unwrap();
    let services = vec![faulty("a", &["exit=1"]), faulty("b", &["append=b", "forever"])];
    let mut settings = settings(place.path(), services, quick());
    settings.give_up = GiveUp::Exit;
    let rig = Rig::with(place, settings).await;
    let (fleet, pid) = (rig.fleet.clone(), rig.until_state("b", State::Running).await.pid.unwrap());
    assert_eq!(rig.finished().await, Exit::Unavailable);
    assert!(!alive(pid));
    assert_eq!(fleet.view("b").unwrap().state, State::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_restarts_at_once_leave_one_process() {
    let rig = Rig::start(vec![faulty("a", &["append=pids", "forever"])], quick()).await;
    rig.until_state("a", State::Running).await;
    let commands: Vec<_> = (0..100)
        .map(|_| {
            let fleet = rig.fleet.clone();
            tokio::spawn(async move {
                let actor = vigie_supervisor::fleet::event::Actor::user("test");
                let generation = fleet.command("a", Verb::Restart, actor).await.unwrap();
                fleet.settled("a", generation, DEADLINE).await.unwrap()
            })
        })
        .collect();
    let mut last = 0;
    for command in commands {
        let view = command.await.unwrap();
        assert_eq!(view.state, State::Running);
        last = last.max(view.generation);
    }
    assert_eq!(last, 100);
    let pid = rig.view("a").pid.unwrap();
    eventually("the process has said so", || pids(rig.path("pids")).contains(&pid)).await;
    let living: Vec<u32> = pids(rig.path("pids")).into_iter().filter(|&pid| alive(pid)).collect();
    assert_eq!(living, [pid]);
    rig.finish().await;
    assert!(!alive(pid));
}
