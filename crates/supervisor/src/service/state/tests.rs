//! The machine, step by step: every command in every state, every end of a process, every number.

use super::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const CODE: fn(i32) -> Ended = |code| Ended { code: Some(code), signal: None };
const KILLED: Ended = Ended { code: None, signal: Some(9) };

fn policy() -> Policy {
    Policy { notify: true, probe_restarts: true, restart: Restart::Always, give_up: GiveUp::Retry }
}

fn machine(policy: Policy) -> Machine {
    Machine::new(Numbers::default(), policy, Desired::Up)
}

/// Brings a new machine into a state, at time 0.
fn into(state: State, policy: Policy) -> Machine {
    let mut machine = machine(policy);
    let mut on = |event| drop(machine.on(event, Duration::ZERO, 0.0));
    match state {
        State::Stopped => on(Event::Command(Verb::Stop)),
        State::Waiting => {}
        _ => {
            on(Event::Needs(true));
            match state {
                State::Starting => on(Event::Spawned(1, 100)),
                State::Running => {
                    on(Event::Spawned(1, 100));
                    on(Event::Said(1, Said::Ready));
                }
                State::Stopping => {
                    on(Event::Spawned(1, 100));
                    on(Event::Command(Verb::Stop));
                }
                State::Backoff => {
                    on(Event::Spawned(1, 100));
                    on(Event::Ended(1, CODE(1)));
                    on(Event::Spawned(2, 101));
                    on(Event::Ended(2, CODE(1)));
                }
                State::Exited => {
                    on(Event::Spawned(1, 100));
                    on(Event::Ended(1, CODE(0)));
                }
                State::Fatal => on(Event::NotSpawned(1, "gone".into(), true)),
                State::Stopped | State::Waiting => {}
            }
        }
    }
    assert_eq!(machine.state(), state);
    machine
}

const ALL: [State; 8] = [
    State::Stopped,
    State::Waiting,
    State::Starting,
    State::Running,
    State::Stopping,
    State::Backoff,
    State::Exited,
    State::Fatal,
];

/// Where each command leads to from each state, what is to be done, and where the end of the process leads then.
#[test]
fn every_command_in_every_state() {
    use State::*;
    type Row = (State, [(State, Option<State>); 4]);
    let table: [Row; 8] = [
        // start, stop, restart, reset; then: what follows the end of the process
        (Stopped, [(Starting, None), (Stopped, None), (Starting, None), (Stopped, None)]),
        (Waiting, [(Waiting, None), (Stopped, None), (Waiting, None), (Waiting, None)]),
        (
            Starting,
            [
                (Starting, Some(Starting)),
                (Stopping, Some(Stopped)),
                (Stopping, Some(Starting)),
                (Starting, Some(Starting)),
            ],
        ),
        (
            Running,
            [
                (Running, Some(Starting)),
                (Stopping, Some(Stopped)),
                (Stopping, Some(Starting)),
                (Running, Some(Starting)),
            ],
        ),
        (
            Stopping,
            [
                (Stopping, Some(Starting)),
                (Stopping, Some(Stopped)),
                (Stopping, Some(Starting)),
                (Stopping, Some(Stopped)),
            ],
        ),
        (Backoff, [(Starting, None), (Stopped, None), (Starting, None), (Starting, None)]),
        (Exited, [(Starting, None), (Stopped, None), (Starting, None), (Exited, None)]),
        (Fatal, [(Starting, None), (Stopped, None), (Starting, None), (Starting, None)]),
    ];
    for (state, row) in table {
        for (verb, (after, ended)) in
            [Verb::Start, Verb::Stop, Verb::Restart, Verb::Reset].into_iter().zip(row)
        {
            let mut machine = into(
                state,
                Policy {
                    restart: if state == Exited { Restart::OnFailure } else { Restart::Always },
                    ..policy()
                },
            );
            if state == Stopped {
                machine.on(Event::Needs(true), s(1), 0.0);
            }
            let (generation, pid) = (machine.generation(), machine.pid());
            let actions = machine.on(Event::Command(verb), s(1), 0.0);
            assert_eq!(machine.state(), after, "{verb:?} in {state:?}");
            assert_eq!(machine.generation(), generation + 1);
            let spawns = actions.iter().any(|action| matches!(action, Action::Spawn(_)));
            assert_eq!(spawns, after == Starting && pid.is_none(), "{verb:?} in {state:?}: {actions:?}");
            let terminates = actions.contains(&Action::Terminate(100));
            assert_eq!(terminates, after == Stopping && state != Stopping, "{verb:?} in {state:?}");
            if let Some(ended) = ended {
                let run = machine.run();
                machine.on(Event::Ended(run, KILLED), s(2), 0.0);
                assert_eq!(machine.state(), ended, "the end after {verb:?} in {state:?}");
            }
        }
    }
}

/// Restart policy by kind of end, as OTP's supervisor has it in its suite.
#[test]
fn every_policy_with_every_end() {
    let ends = [CODE(0), CODE(1), CODE(64), CODE(69), CODE(70), CODE(75), CODE(78), KILLED];
    for restart in [Restart::Always, Restart::OnFailure] {
        for ended in ends {
            for state in [State::Starting, State::Running] {
                let mut machine = into(state, Policy { restart, ..policy() });
                machine.on(Event::Ended(1, ended), s(1), 0.0);
                let expected = match (ended.code, restart) {
                    (Some(64 | 78), _) => State::Fatal,
                    (Some(0), Restart::OnFailure) => State::Exited,
                    _ => State::Starting,
                };
                assert_eq!(machine.state(), expected, "{restart:?} {ended} in {state:?}");
            }
        }
    }
}

#[test]
fn what_is_told_of_another_run_changes_nothing() {
    for state in ALL {
        let machine = into(
            state,
            Policy {
                restart: if state == State::Exited { Restart::OnFailure } else { Restart::Always },
                ..policy()
            },
        );
        for run in [machine.run() + 1, machine.run().wrapping_sub(1)] {
            let events = [
                Event::Spawned(run, 7),
                Event::NotSpawned(run, String::new(), true),
                Event::Said(run, Said::Ready),
                Event::Said(run, Said::Trigger),
                Event::Probed(run, false),
                Event::Ended(run, CODE(78)),
            ];
            for event in events {
                let mut machine = machine.clone();
                assert_eq!(machine.on(event.clone(), s(1), 0.0), [], "{event:?} in {state:?}");
                assert_eq!(machine.state(), state);
            }
        }
    }
}

/// Fails at once, again and again: the waits before each start, and when it counts as a crash loop.
fn crash(machine: &mut Machine, now: &mut Duration) -> Duration {
    let run = machine.run();
    machine.on(Event::Spawned(run, 100), *now, 0.0);
    machine.on(Event::Ended(run, CODE(1)), *now, 0.0);
    let before = *now;
    if machine.state() == State::Backoff {
        *now = machine.deadline().unwrap();
        machine.on(Event::Tick, *now, 0.0);
    }
    *now - before
}

#[test]
fn waits_grow_and_the_crash_loop_is_reached_under_them() {
    let mut machine = machine(policy());
    machine.on(Event::Needs(true), Duration::ZERO, 0.0);
    let mut now = Duration::ZERO;
    let mut waits = Vec::new();
    for count in 1..=12 {
        waits.push(crash(&mut machine, &mut now).as_millis());
        assert_eq!(machine.crash_loop(), count >= 5, "failure {count}");
    }
    assert_eq!(waits, [0, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
    machine.on(Event::Command(Verb::Reset), now, 0.0);
    assert!(!machine.crash_loop());
    assert_eq!(crash(&mut machine, &mut now), Duration::ZERO);
}

#[test]
fn a_healthy_minute_makes_good() {
    let mut machine = machine(policy());
    machine.on(Event::Needs(true), Duration::ZERO, 0.0);
    let mut now = Duration::ZERO;
    for _ in 0..20 {
        assert_eq!(crash(&mut machine, &mut now), Duration::ZERO);
        let run = machine.run();
        machine.on(Event::Spawned(run, 100), now, 0.0);
        machine.on(Event::Said(run, Said::Ready), now, 0.0);
        assert_eq!(machine.deadline(), Some(now + s(60)));
        now += s(70);
        machine.on(Event::Tick, now, 0.0);
        assert!(!machine.crash_loop());
        assert_eq!(machine.deadline(), None, "nobody has to wake up for it");
    }
}

#[test]
fn giving_up_as_configured() {
    for (give_up, expected) in [(GiveUp::Hold, false), (GiveUp::Exit, true)] {
        let mut machine = machine(Policy { give_up, ..policy() });
        machine.on(Event::Needs(true), Duration::ZERO, 0.0);
        let mut now = Duration::ZERO;
        for _ in 0..4 {
            crash(&mut machine, &mut now);
        }
        let run = machine.run();
        machine.on(Event::Spawned(run, 100), now, 0.0);
        let actions = machine.on(Event::Ended(run, CODE(1)), now, 0.0);
        assert_eq!((machine.state(), machine.deadline()), (State::Fatal, None));
        assert_eq!(actions.contains(&Action::GiveUp), expected);
    }
}

#[test]
fn term_then_kill_then_the_truth() {
    let mut machine = into(State::Running, policy());
    machine.on(Event::Command(Verb::Stop), s(1), 0.0);
    assert_eq!(machine.deadline(), Some(s(11)));
    assert_eq!(machine.on(Event::Tick, s(11), 0.0), [Action::Kill(100)]);
    assert_eq!(machine.on(Event::Tick, s(13), 0.0), [Action::Unkillable(100)]);
    assert_eq!((machine.state(), machine.pid(), machine.deadline()), (State::Stopping, Some(100), None));
    assert!(machine.unkillable());
    machine.on(Event::Ended(1, KILLED), s(500), 0.0);
    assert_eq!((machine.state(), machine.unkillable()), (State::Stopped, false));
}

#[test]
fn who_is_not_ready_in_time_is_ended() {
    let mut machine = into(State::Starting, policy());
    machine.on(Event::Said(1, Said::Extend(s(90))), s(1), 0.0);
    assert_eq!(machine.deadline(), Some(s(91)));
    let actions = machine.on(Event::Tick, s(91), 0.0);
    assert!(actions.contains(&Action::Terminate(100)), "{actions:?}");
    machine.on(Event::Ended(1, CODE(0)), s(92), 0.0);
    assert_eq!(machine.state(), State::Starting, "the first failure waits for nothing");
}

#[test]
fn the_watchdog_counts_from_the_first_ping() {
    let mut machine = into(State::Running, policy());
    assert_eq!(machine.deadline(), None);
    machine.on(Event::Said(1, Said::Ping), s(10), 0.0);
    assert_eq!((machine.deadline(), machine.health()), (Some(s(40)), Health::Healthy));
    machine.on(Event::Said(1, Said::Ping), s(20), 0.0);
    assert_eq!(machine.on(Event::Tick, s(40), 0.0), [], "not due");
    let actions = machine.on(Event::Tick, s(50), 0.0);
    assert!(actions.contains(&Action::Terminate(100)));
    assert_eq!(machine.on(Event::Tick, s(55), 0.0), [Action::Kill(100)], "5 seconds, not 10");
}

#[test]
fn who_could_not_speak_while_we_stood_still_gets_its_time_once_more() {
    let mut machine = into(State::Running, policy());
    machine.on(Event::Said(1, Said::Ping), s(10), 0.0);
    assert_eq!(machine.on(Event::Tick, s(45), 0.0), [], "due at 40, but nobody looked then");
    assert_eq!((machine.state(), machine.deadline()), (State::Running, Some(s(75))));
    assert!(machine.on(Event::Tick, s(75), 0.0).contains(&Action::Terminate(100)));

    // A pause of all that ends in the moment of the deadline: the ping is on its way.
    let mut machine = into(State::Running, policy());
    machine.on(Event::Said(1, Said::Ping), s(10), 0.0);
    assert_eq!(machine.on(Event::Tick, Duration::from_millis(40_300), 0.0), []);

    let mut machine = into(State::Starting, policy());
    assert_eq!(machine.on(Event::Tick, s(300), 0.0), []);
    assert_eq!((machine.state(), machine.deadline()), (State::Starting, Some(s(330))));
    assert!(machine.on(Event::Tick, s(330), 0.0).contains(&Action::Terminate(100)));
}

#[test]
fn three_probes_in_a_row() {
    for restarts in [true, false] {
        let mut machine = into(State::Running, Policy { probe_restarts: restarts, ..policy() });
        let mut probe = |good| machine.on(Event::Probed(1, good), s(1), 0.0).len();
        assert_eq!(
            [probe(true), probe(false), probe(false), probe(true), probe(false), probe(false)],
            [0; 6]
        );
        probe(false);
        assert_eq!(machine.state(), if restarts { State::Stopping } else { State::Running });
        if !restarts {
            assert_eq!(machine.health(), Health::Unhealthy);
            machine.on(Event::Probed(1, true), s(2), 0.0);
            assert_eq!(machine.health(), Health::Healthy);
        }
    }
    // A page that was never there is not looked at with concern.
    let mut machine = into(State::Running, Policy { probe_restarts: false, ..policy() });
    for _ in 0..9 {
        machine.on(Event::Probed(1, false), s(1), 0.0);
    }
    assert_eq!(machine.health(), Health::Unknown);
}

#[test]
fn while_the_supervisor_ends_nothing_starts() {
    for state in ALL {
        let mut machine = into(
            state,
            Policy {
                restart: if state == State::Exited { Restart::OnFailure } else { Restart::Always },
                ..policy()
            },
        );
        machine.on(Event::End(s(3)), s(1), 0.0);
        for verb in [Verb::Start, Verb::Restart, Verb::Reset] {
            assert_eq!(machine.on(Event::Command(verb), s(2), 0.0), []);
        }
        if machine.pid().is_some() {
            assert_eq!(machine.deadline(), Some(s(4)), "{state:?}");
            machine.on(Event::Ended(1, CODE(0)), s(2), 0.0);
        }
        assert_eq!(machine.pid(), None);
        assert!(matches!(machine.state(), State::Stopped | State::Exited | State::Fatal), "{state:?}");
        if state != State::Stopped && state != State::Stopping {
            assert_eq!(machine.desired(), Desired::Up, "a stop of all is not a wish about one");
        }
    }
    // A second failure, whose process is still there when the end begins.
    let mut machine = into(State::Backoff, policy());
    machine.on(Event::Tick, s(1), 0.0);
    let run = machine.run();
    machine.on(Event::Spawned(run, 102), s(1), 0.0);
    machine.on(Event::Said(run, Said::Trigger), s(1), 0.0);
    machine.on(Event::End(s(3)), s(1), 0.0);
    machine.on(Event::Ended(run, KILLED), s(2), 0.0);
    assert_eq!(machine.state(), State::Stopped);

    let mut machine = into(State::Running, policy());
    let actions = machine.on(Event::End(Duration::ZERO), s(1), 0.0);
    assert!(actions.ends_with(&[Action::Terminate(100), Action::Kill(100)]), "{actions:?}");
}
