//! The machine of one service (pure): what happened goes in, what is to be done comes out. It knows no clock, no
//! process and no chance: all three are arguments.
//!
//! There is at most one process, and none is started before the last one's end was seen. Every start has a number
//! (`run`): what is told of another run than the present one is dropped. There is one deadline, which lies in the
//! state itself: a timer of an earlier state cannot fire.

mod event;
mod phase;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use vigie_common::backoff::Backoff;
use vigie_common::config::GiveUp;

pub use self::event::{Action, Event, Policy, Restart, Said};
use self::phase::Phase;
use super::numbers::Numbers;
use super::words::{Desired, Ended, Health, Reason, State, Verb};

/// The machine. Times are measured from any fixed instant.
#[derive(Debug, Clone)]
pub struct Machine {
    numbers: Numbers,
    policy: Policy,
    desired: Desired,
    /// Counts commands.
    generation: u64,
    /// Counts starts.
    run: u64,
    phase: Phase,
    needs_met: bool,
    ending: bool,
    /// Failures since the last healthy minute, command or reset.
    failures: u32,
    /// Of these, the instants of the last ones.
    recent: VecDeque<Duration>,
    backoff: Backoff,
    crash_loop: bool,
}

type Actions = Vec<Action>;

impl Machine {
    /// A service without a process; it begins when [`Event::Needs`] first says that all is ready.
    #[must_use]
    pub fn new(numbers: Numbers, policy: Policy, desired: Desired) -> Self {
        let phase = if desired == Desired::Up { Phase::Waiting } else { Phase::Stopped };
        let backoff = Backoff::new(numbers.backoff.0, numbers.backoff.1, numbers.jitter);
        Self {
            numbers,
            policy,
            desired,
            generation: 0,
            run: 0,
            phase,
            needs_met: false,
            ending: false,
            failures: 0,
            recent: VecDeque::new(),
            backoff,
            crash_loop: false,
        }
    }

    /// Takes in what happened at `now`; `random` is uniform in 0..1.
    pub fn on(&mut self, event: Event, now: Duration, random: f64) -> Actions {
        let mut out = Actions::new();
        match event {
            Event::Command(verb) => self.command(verb, now, &mut out),
            Event::Needs(met) => {
                self.needs_met = met;
                if met && matches!(self.phase, Phase::Waiting) {
                    self.begin(Reason::Started, now, &mut out);
                }
            }
            Event::Spawned(run, pid) if run == self.run => self.spawned(pid, now, &mut out),
            Event::NotSpawned(run, why, is_final) if run == self.run => match self.phase {
                Phase::Starting { .. } if is_final => {
                    self.go(Phase::Fatal, Reason::NotExecuted(why), &mut out);
                }
                Phase::Starting { .. } => self.failed(Reason::NotExecuted(why), now, random, &mut out),
                Phase::Stopping { pid: None, .. } => self.begin(Reason::NotExecuted(why), now, &mut out),
                _ => {}
            },
            Event::Said(run, said) if run == self.run => self.said(said, now, &mut out),
            Event::Probed(run, good) if run == self.run => self.probed(good, now, &mut out),
            Event::Ended(run, ended) if run == self.run => self.ended(ended, now, random, &mut out),
            Event::Tick => self.tick(now, &mut out),
            Event::End(grace) => self.end(grace, now, &mut out),
            // Of a run that is over.
            Event::Spawned(..)
            | Event::NotSpawned(..)
            | Event::Said(..)
            | Event::Probed(..)
            | Event::Ended(..) => {}
        }
        out
    }

    fn command(&mut self, verb: Verb, now: Duration, out: &mut Actions) {
        if self.ending {
            return;
        }
        self.generation += 1;
        if verb != Verb::Reset {
            self.desired = if verb == Verb::Stop { Desired::Down } else { Desired::Up };
        }
        // A person has looked at it: what it did before no longer counts.
        self.forget();
        let reason = Reason::Command(verb);
        match (&mut self.phase, verb) {
            (Phase::Stopped | Phase::Waiting, Verb::Reset | Verb::Restart | Verb::Start)
                if self.desired == Desired::Down => {}
            (Phase::Waiting, Verb::Start | Verb::Restart | Verb::Reset) => {}
            (Phase::Exited, Verb::Reset) => {}
            (Phase::Stopped, Verb::Stop) => {}
            (Phase::Waiting | Phase::Backoff { .. } | Phase::Exited | Phase::Fatal, Verb::Stop) => {
                self.go(Phase::Stopped, reason, out);
            }
            (Phase::Stopped | Phase::Backoff { .. } | Phase::Exited | Phase::Fatal, _) => {
                self.begin(reason, now, out);
            }
            // Why it was to end no longer matters: what is wanted now does.
            (Phase::Stopping { failure, .. }, Verb::Start | Verb::Stop | Verb::Restart) => *failure = None,
            (Phase::Starting { .. } | Phase::Running { .. }, Verb::Stop | Verb::Restart) => {
                self.terminate(None, reason, self.numbers.grace, now, out);
            }
            (Phase::Starting { .. } | Phase::Running { .. }, Verb::Start)
            | (Phase::Starting { .. } | Phase::Running { .. } | Phase::Stopping { .. }, Verb::Reset) => {}
        }
    }

    /// Starts, unless it is not wanted or what it needs is not ready. There must be no process.
    fn begin(&mut self, reason: Reason, now: Duration, out: &mut Actions) {
        if !self.wanted() {
            self.go(Phase::Stopped, reason, out);
        } else if !self.needs_met {
            self.go(Phase::Waiting, Reason::Needs, out);
        } else {
            self.run += 1;
            self.go(Phase::Starting { pid: None, until: now + self.numbers.start }, reason, out);
            out.push(Action::Spawn(self.run));
        }
    }

    fn spawned(&mut self, pid: u32, now: Duration, out: &mut Actions) {
        match &mut self.phase {
            Phase::Starting { pid: known, .. } if known.is_none() => {
                *known = Some(pid);
                if !self.policy.notify {
                    self.go(Phase::running(pid, now), Reason::Ready, out);
                }
            }
            // It was to end before it was there.
            Phase::Stopping { pid: known, killed, .. } if known.is_none() => {
                *known = Some(pid);
                out.push(if *killed { Action::Kill(pid) } else { Action::Terminate(pid) });
            }
            _ => {}
        }
    }

    fn said(&mut self, said: Said, now: Duration, out: &mut Actions) {
        let longer = |until: &mut Duration, by: Duration| *until = (*until).max(now + by);
        match (&mut self.phase, said) {
            (Phase::Starting { pid: Some(pid), .. }, Said::Ready) => {
                let pid = *pid;
                self.go(Phase::running(pid, now), Reason::Ready, out);
            }
            // The watchdog counts from the first ping on: a program that never pings has not promised to, and the
            // time until its work begins is bounded by the start already.
            (Phase::Running { ping_until, health, .. }, Said::Ping) => {
                *ping_until = Some(now + self.numbers.watchdog);
                if *health == Health::Unknown {
                    *health = Health::Healthy;
                }
            }
            (Phase::Starting { .. } | Phase::Running { .. }, Said::Trigger) => {
                self.terminate(Some(Reason::Trigger), Reason::Trigger, self.numbers.watchdog_grace, now, out);
            }
            (Phase::Starting { until, .. }, Said::Extend(by)) => longer(until, by.min(self.numbers.extend)),
            (Phase::Running { ping_until: Some(until), .. }, Said::Extend(by)) => {
                longer(until, by.min(self.numbers.extend));
            }
            // Not while the supervisor itself ends: its budget is fixed.
            (Phase::Stopping { until: Some(until), killed: false, .. }, Said::Extend(by)) if !self.ending => {
                longer(until, by.min(self.numbers.extend));
            }
            _ => {}
        }
    }

    fn probed(&mut self, good: bool, now: Duration, out: &mut Actions) {
        let Phase::Running { health, misses, answered, healthy_since, .. } = &mut self.phase else { return };
        if good {
            if *health == Health::Unhealthy {
                *healthy_since = Some(now);
            }
            (*misses, *answered, *health) = (0, true, Health::Healthy);
            return;
        }
        *misses = misses.saturating_add(1);
        // A page that is only looked at may not be served at all; it counts once it has been there.
        if *misses < self.numbers.probe_misses || !(*answered || self.policy.probe_restarts) {
            return;
        }
        *health = Health::Unhealthy;
        *healthy_since = None;
        if self.policy.probe_restarts {
            let reason = Reason::Probes(*misses);
            self.terminate(Some(reason.clone()), reason, self.numbers.grace, now, out);
        }
    }

    fn ended(&mut self, ended: Ended, now: Duration, random: f64, out: &mut Actions) {
        let reason = Reason::Ended(ended);
        match &mut self.phase {
            Phase::Stopping { failure, .. } => match failure.take() {
                Some(failure) if self.wanted() => self.failed(failure, now, random, out),
                _ => self.begin(reason, now, out),
            },
            Phase::Starting { .. } | Phase::Running { .. } => {
                if ended.is_final() {
                    self.go(Phase::Fatal, reason, out);
                } else if self.policy.restart == Restart::OnFailure && ended.code == Some(0) {
                    self.go(Phase::Exited, reason, out);
                } else {
                    self.failed(reason, now, random, out);
                }
            }
            _ => {}
        }
    }

    /// After a failure, when no process is left: again at once, after a while, or not by itself.
    fn failed(&mut self, reason: Reason, now: Duration, random: f64, out: &mut Actions) {
        self.failures = self.failures.saturating_add(1);
        let horizon = now.saturating_sub(self.numbers.crash_loop_within);
        self.recent.retain(|&at| at >= horizon);
        self.recent.push_back(now);
        self.crash_loop |= self.recent.len() >= self.numbers.crash_loop;
        if self.crash_loop && self.policy.give_up != GiveUp::Retry {
            self.go(Phase::Fatal, Reason::GaveUp(Box::new(reason)), out);
            if self.policy.give_up == GiveUp::Exit {
                out.push(Action::GiveUp);
            }
            return;
        }
        let wait = if self.failures == 1 { Duration::ZERO } else { self.backoff.next(random) };
        self.go(Phase::Backoff { until: now + wait }, reason, out);
        if wait.is_zero() {
            self.begin(Reason::Again, now, out);
        }
    }

    fn tick(&mut self, now: Duration, out: &mut Actions) {
        let due = |until: Duration| until <= now;
        let late = |until: Duration| until + self.numbers.late < now;
        match &mut self.phase {
            Phase::Starting { until, .. } if late(*until) => *until = now + self.numbers.start,
            Phase::Running { ping_until: Some(until), .. } if late(*until) => {
                *until = now + self.numbers.watchdog;
            }
            Phase::Starting { until, .. } if due(*until) => {
                let reason = Reason::NotReady(self.numbers.start);
                self.terminate(Some(reason.clone()), reason, self.numbers.grace, now, out);
            }
            Phase::Running { ping_until: Some(until), .. } if due(*until) => {
                let reason = Reason::Silent(self.numbers.watchdog);
                self.terminate(Some(reason.clone()), reason, self.numbers.watchdog_grace, now, out);
            }
            Phase::Running { healthy_since: Some(since), .. } if due(*since + self.numbers.healthy) => {
                self.forget();
            }
            Phase::Stopping { until, killed, unkillable, pid, .. } if until.is_some_and(due) => {
                if *killed {
                    (*until, *unkillable) = (None, true);
                    out.extend(pid.map(Action::Unkillable));
                } else {
                    (*until, *killed) = (Some(now + self.numbers.kill), true);
                    out.extend(pid.map(Action::Kill));
                }
            }
            Phase::Backoff { until } if due(*until) => self.begin(Reason::Again, now, out),
            _ => {}
        }
    }

    fn end(&mut self, grace: Duration, now: Duration, out: &mut Actions) {
        self.ending = true;
        match &mut self.phase {
            Phase::Starting { .. } | Phase::Running { .. } => {
                self.terminate(None, Reason::Ending, grace, now, out);
                // No grace at all: not even the time until the next tick.
                if grace.is_zero() {
                    self.tick(now, out);
                }
            }
            Phase::Stopping { until: Some(until), killed: false, .. } => {
                *until = (*until).min(now + grace);
                self.tick(now, out);
            }
            Phase::Waiting | Phase::Backoff { .. } => self.go(Phase::Stopped, Reason::Ending, out),
            Phase::Stopping { .. } | Phase::Stopped | Phase::Exited | Phase::Fatal => {}
        }
    }

    /// TERM now, KILL after `grace`.
    fn terminate(
        &mut self,
        failure: Option<Reason>,
        reason: Reason,
        grace: Duration,
        now: Duration,
        out: &mut Actions,
    ) {
        let pid = self.phase.pid();
        let until = Some(now + grace);
        self.go(Phase::Stopping { pid, failure, until, killed: false, unkillable: false }, reason, out);
        out.extend(pid.map(Action::Terminate));
    }

    fn go(&mut self, to: Phase, reason: Reason, out: &mut Actions) {
        let from = self.phase.state();
        self.phase = to;
        out.push(Action::Moved(from, self.phase.state(), reason));
    }

    fn forget(&mut self) {
        self.failures = 0;
        self.recent.clear();
        self.backoff.reset();
        self.crash_loop = false;
    }

    fn wanted(&self) -> bool {
        self.desired == Desired::Up && !self.ending
    }
}
