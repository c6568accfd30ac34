//! The machine against a kernel that is made up: any events in any order, and what must hold after each.

use proptest::prelude::*;

use super::*;

/// What a service's surroundings may do next.
#[derive(Debug, Clone)]
enum Step {
    Command(Verb),
    Needs(bool),
    Said(Said),
    Probed(bool),
    /// The process ends by itself.
    Dies(Ended),
    /// Time passes, in milliseconds; the timers that become due fire.
    Passes(u64),
    /// Something is told of an earlier run.
    Late(u64, Ended),
    /// From now on TERM is obeyed, or not.
    Obeys(bool),
    /// From now on programs can be executed, or not.
    Executes(bool, bool),
    /// The supervisor ends, with so many milliseconds of grace.
    End(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let verb = prop::sample::select(vec![Verb::Start, Verb::Stop, Verb::Restart, Verb::Reset]);
    let ended = prop_oneof![
        prop::sample::select(vec![0, 1, 64, 75, 78])
            .prop_map(|code| Ended { code: Some(code), signal: None }),
        Just(Ended { code: None, signal: Some(9) }),
    ];
    let said = prop_oneof![
        3 => Just(Said::Ready),
        3 => Just(Said::Ping),
        1 => Just(Said::Trigger),
        1 => (0..1000u64).prop_map(|s| Said::Extend(Duration::from_secs(s))),
    ];
    prop_oneof![
        4 => verb.prop_map(Step::Command),
        2 => any::<bool>().prop_map(Step::Needs),
        4 => said.prop_map(Step::Said),
        2 => any::<bool>().prop_map(Step::Probed),
        4 => ended.clone().prop_map(Step::Dies),
        6 => (0..120_000u64).prop_map(Step::Passes),
        1 => (1..4u64, ended).prop_map(|(back, ended)| Step::Late(back, ended)),
        1 => any::<bool>().prop_map(Step::Obeys),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(can, is_final)| Step::Executes(can, is_final)),
        1 => prop::sample::select(vec![0, 1, 10_000]).prop_map(Step::End),
    ]
}

/// One machine and the processes that it has.
struct World {
    machine: Machine,
    now: Duration,
    /// Whether the supervisor ends: then nothing is started any more.
    ending: bool,
    /// The living process.
    process: Option<(u64, u32)>,
    pids: u32,
    obeys: bool,
    executes: (bool, bool),
}

impl World {
    fn feed(&mut self, event: Event, random: f64) -> Result<(), TestCaseError> {
        let mut state = self.machine.state();
        let mut actions = VecDeque::from(self.machine.on(event, self.now, random));
        let mut ends = false;
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Spawn(run) => {
                    prop_assert_eq!(self.process, None, "a second process");
                    prop_assert!(!self.ending, "a start while all is to end");
                    prop_assert_eq!(run, self.machine.run());
                    let event = if self.executes.0 {
                        self.pids += 1;
                        self.process = Some((run, self.pids));
                        Event::Spawned(run, self.pids)
                    } else {
                        Event::NotSpawned(run, "cannot".into(), self.executes.1)
                    };
                    actions.extend(self.machine.on(event, self.now, random));
                }
                Action::Terminate(pid) | Action::Kill(pid) | Action::Unkillable(pid) => {
                    prop_assert_eq!(self.process.map(|(_, pid)| pid), Some(pid), "a signal to a stranger");
                    ends |= match action {
                        Action::Kill(_) => true,
                        Action::Terminate(_) => self.obeys,
                        _ => false,
                    };
                }
                Action::Moved(from, to, _) => {
                    prop_assert_eq!(from, state, "a transition was not told");
                    state = to;
                }
                Action::GiveUp => {}
            }
        }
        prop_assert_eq!(state, self.machine.state());
        self.check()?;
        // The end is noticed in its own time: it is the next event.
        match self.process.take_if(|_| ends) {
            Some((run, _)) => self.feed(Event::Ended(run, Ended { code: None, signal: Some(15) }), random),
            None => Ok(()),
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let machine = &self.machine;
        prop_assert_eq!(machine.pid(), self.process.map(|(_, pid)| pid), "what it knows of its process");
        if self.ending {
            let rests =
                matches!(machine.state(), State::Stopped | State::Stopping | State::Exited | State::Fatal);
            prop_assert!(rests, "it would go on: {}", machine.state());
        }
        let has = matches!(machine.state(), State::Starting | State::Running | State::Stopping);
        prop_assert_eq!(has, self.process.is_some());
        if machine.desired() == Desired::Down {
            prop_assert!(matches!(machine.state(), State::Stopped | State::Stopping), "stop wins");
        }
        if machine.state() == State::Stopped {
            prop_assert!(machine.desired() == Desired::Down || machine.ending());
        }
        if matches!(machine.state(), State::Starting | State::Backoff) {
            prop_assert!(machine.deadline().is_some(), "it would hang for ever");
        }
        Ok(())
    }

    /// Time passes to `until`, through all timers.
    fn pass(&mut self, until: Duration, random: f64) -> Result<(), TestCaseError> {
        for _ in 0..10_000 {
            match self.machine.deadline() {
                Some(due) if due <= until => {
                    self.now = self.now.max(due);
                    self.feed(Event::Tick, random)?;
                    prop_assert_ne!(self.machine.deadline(), Some(due), "a timer that fires for ever");
                }
                _ => {
                    self.now = until;
                    return Ok(());
                }
            }
        }
        Err(TestCaseError::fail("timers without end"))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn one_process_and_stop_wins(
        notify in any::<bool>(), probe_restarts in any::<bool>(), down in any::<bool>(),
        give_up in prop::sample::select(vec![GiveUp::Retry, GiveUp::Hold, GiveUp::Exit]),
        restart in prop::sample::select(vec![Restart::Always, Restart::OnFailure]),
        steps in prop::collection::vec(step(), 1..60), random in 0.0..1.0f64,
    ) {
        let policy = Policy { notify, probe_restarts, restart, give_up };
        let desired = if down { Desired::Down } else { Desired::Up };
        let mut world = World {
            machine: Machine::new(Numbers::default(), policy, desired),
            now: Duration::ZERO, ending: false, process: None, pids: 100, obeys: true, executes: (true, false),
        };
        world.feed(Event::Needs(true), random)?;
        for step in steps {
            let run = world.machine.run();
            match step {
                Step::Command(verb) => {
                    let generation = world.machine.generation();
                    world.feed(Event::Command(verb), random)?;
                    prop_assert_eq!(world.machine.generation(), generation + u64::from(!world.ending));
                }
                Step::Needs(met) => world.feed(Event::Needs(met), random)?,
                Step::Said(said) => world.feed(Event::Said(run, said), random)?,
                Step::Probed(good) => world.feed(Event::Probed(run, good), random)?,
                Step::Dies(ended) => {
                    if let Some((run, _)) = world.process.take() {
                        world.feed(Event::Ended(run, ended), random)?;
                    }
                }
                Step::Passes(millis) => world.pass(world.now + Duration::from_millis(millis), random)?,
                Step::Late(back, ended) => {
                    let before = world.machine.state();
                    world.feed(Event::Ended(run.wrapping_sub(back), ended), random)?;
                    prop_assert_eq!(world.machine.state(), before);
                }
                Step::Obeys(obeys) => world.obeys = obeys,
                Step::Executes(can, is_final) => world.executes = (can, is_final),
                Step::End(millis) => {
                    world.ending = true;
                    world.feed(Event::End(Duration::from_millis(millis)), random)?;
                }
            }
        }
        // Whatever happened, a stop ends in STOPPED, within grace and KILL; the end of all leaves no process.
        world.feed(Event::Command(Verb::Stop), random)?;
        world.pass(world.now + Duration::from_secs(700), random)?;
        prop_assert_eq!(world.process, None);
        if !world.ending {
            prop_assert_eq!(world.machine.state(), State::Stopped);
        }
    }
}
