//! The task of one service: it alone touches the process. What happens goes into the machine, what comes out is done.

mod process;
mod report;

use std::collections::{BTreeSet, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use vigie_web::Alarm;

use self::process::Process;
use self::report::Report;
use super::handle::{Handle, Message, Status};
use super::state::{Action, Event, Machine, Policy, Restart, Said as Told};
use super::words::{Ended, State, Verb};
use crate::desired::Wishes;
use crate::fleet::event::{Actor, Events};
use crate::logs::Log;
use crate::process::leftover::Note;
use crate::process::notify::{Said, Socket};
use crate::settings::{Kind, Service, Settings};

/// Messages that may wait for a service.
const MESSAGES: usize = 64;

/// What the tasks of all services share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// Times of the machines are measured from here.
    pub(crate) epoch: Instant,
    pub(crate) wishes: Wishes,
    pub(crate) events: Events,
    /// What our probe shows to our own programs, so that they tell it their alarms. New at each start.
    pub(crate) probe_token: String,
    /// Ids of the services that are ready.
    pub(crate) ready: watch::Sender<BTreeSet<String>>,
    /// A service gave up, and everything is to end because of it.
    pub(crate) give_up: CancellationToken,
    /// A task failed by a fault of ours.
    pub(crate) fault: CancellationToken,
}

/// See the module.
pub(super) struct Task {
    service: Arc<Service>,
    shared: Arc<Shared>,
    machine: Machine,
    messages: mpsc::Receiver<Message>,
    /// To itself: for probes.
    own: mpsc::WeakSender<Message>,
    ready: watch::Receiver<BTreeSet<String>>,
    socket: Option<Socket>,
    note: Note,
    log: Arc<Log>,
    process: Option<Process>,
    report: Report,
}

/// Starts the task of `service`.
pub(crate) fn start(service: Service, shared: &Arc<Shared>, log: Arc<Log>) -> Handle {
    let service = Arc::new(service);
    let run_folder = shared.settings.run_folder();
    let socket = service.notify.then(|| Socket::bind(&run_folder, &service.id)).and_then(|bound| {
        bound
            .inspect_err(|error| tracing::error!(service = service.id, %error, "no socket for its notifications: it counts as ready once it is started"))
            .ok()
    });
    let policy = Policy {
        notify: socket.is_some(),
        // Only metrics serves people; trouble of a provider must never restart ingest.
        probe_restarts: service.kind == Kind::Metrics,
        restart: Restart::Always,
        give_up: shared.settings.give_up,
    };
    let machine = Machine::new(shared.settings.numbers, policy, shared.wishes.of(&service.id));
    let (sender, messages) = mpsc::channel(MESSAGES);
    let (report, status) = Report::new(&machine, &service);
    let task = Task {
        machine,
        messages,
        own: sender.downgrade(),
        ready: shared.ready.subscribe(),
        socket,
        note: Note::new(&run_folder, &service.id),
        log: Arc::clone(&log),
        process: None,
        report,
        service: Arc::clone(&service),
        shared: Arc::clone(shared),
    };
    let (running, watched) = (tokio::spawn(task.run()), Arc::clone(shared));
    tokio::spawn(async move {
        if let Err(fault) = running.await {
            // Nobody would look after its process: better the next life of the supervisor does.
            tracing::error!(%fault, "the task of a service failed by a fault of ours: stopping everything");
            watched.fault.cancel();
        }
    });
    Handle { service, messages: sender, status, log }
}

/// What woke the task.
enum Woken {
    Ended(Ended),
    Message(Option<Message>),
    Said(Vec<Said>),
    Needs,
    Due,
}

impl Task {
    async fn run(mut self) {
        self.take(Event::Needs(self.needs_met()), None);
        loop {
            let deadline = self.machine.deadline().map(|at| self.shared.epoch + at);
            let due = async {
                match deadline {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            let leader = self.process.as_ref().map(|process| process.pid);
            let woken = tokio::select! {
                ended = process::ended(self.process.as_mut()) => Woken::Ended(ended),
                message = self.messages.recv() => Woken::Message(message),
                said = hear(self.socket.as_mut(), leader) => Woken::Said(said),
                _ = self.ready.changed(), if !self.service.needs.is_empty() => Woken::Needs,
                () = due => Woken::Due,
            };
            match woken {
                Woken::Ended(ended) => self.ended(ended),
                Woken::Message(Some(message)) => self.message(message),
                // Nobody holds a handle any more.
                Woken::Message(None) => return,
                Woken::Said(said) => said.into_iter().for_each(|said| self.said(said)),
                Woken::Needs => self.take(Event::Needs(self.needs_met()), None),
                Woken::Due => {
                    // Where this process stood still, what was said meanwhile lies in the socket: said in time.
                    let unheard =
                        self.socket.as_mut().zip(leader).map(|(socket, leader)| socket.unheard(leader));
                    unheard.into_iter().flatten().for_each(|said| self.said(said));
                    self.take(Event::Tick, None);
                }
            }
        }
    }

    fn needs_met(&self) -> bool {
        let ready = self.ready.borrow();
        self.service.needs.iter().all(|need| ready.contains(need))
    }

    fn waiting_for(&self) -> Vec<String> {
        if self.machine.state() != State::Waiting {
            return Vec::new();
        }
        let ready = self.ready.borrow();
        self.service.needs.iter().filter(|need| !ready.contains(*need)).cloned().collect()
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Command(verb, actor, answer) => self.command(verb, actor, answer),
            Message::Probed(run, good, alarms) => self.probed(run, good, alarms),
            Message::End(grace) => self.take(Event::End(grace), None),
            Message::Alive(answer) => drop(answer),
        }
    }

    fn command(
        &mut self,
        verb: Verb,
        actor: Actor,
        answer: oneshot::Sender<Result<u64, (State, &'static str)>>,
    ) {
        if self.machine.ending() {
            let _ = answer.send(Err((self.machine.state(), "the supervisor stops")));
            return;
        }
        tracing::info!(service = self.service.id, verb = verb.as_str(), %actor, "command");
        self.take(Event::Command(verb), Some(actor));
        let (generation, desired) = (self.machine.generation(), self.machine.desired());
        if verb == Verb::Reset {
            let _ = answer.send(Ok(generation));
            return;
        }
        // Answered when it is durable; the service does not wait for the disk meanwhile.
        let (shared, service) = (Arc::clone(&self.shared), Arc::clone(&self.service));
        tokio::task::spawn_blocking(move || {
            shared.wishes.set(&service.id, generation, desired);
            let _ = answer.send(Ok(generation));
        });
    }

    fn probed(&mut self, run: u64, good: bool, alarms: Option<Vec<Alarm>>) {
        let news = run == self.machine.run() && alarms.is_some_and(|alarms| self.report.alarms(alarms));
        self.take(Event::Probed(run, good), None);
        if news {
            self.publish(true);
        }
    }

    fn said(&mut self, said: Said) {
        let run = self.machine.run();
        match said {
            Said::State(told) => {
                if told == Told::Ping {
                    self.report.heartbeat = Some(Instant::now());
                }
                self.take(Event::Said(run, told), None);
            }
            Said::Status(text) => {
                self.report.text = Some(text).filter(|text| !text.is_empty());
                self.publish(true);
            }
            Said::Stopping => {
                self.report.text = Some("stopping".into());
                self.publish(true);
            }
        }
    }

    fn ended(&mut self, ended: Ended) {
        let Some(process) = self.process.take() else { return };
        process.end();
        self.note.remove();
        self.report.ended(&process, ended);
        self.take(Event::Ended(process.run, ended), None);
    }

    /// Puts an event into the machine, and does and tells what comes out.
    fn take(&mut self, event: Event, actor: Option<Actor>) {
        let actor = actor.unwrap_or_else(Actor::supervisor);
        let before = (self.machine.health(), self.machine.crash_loop(), self.machine.generation());
        let mut actions: VecDeque<Action> = self.feed(event).into();
        let mut news = !actions.is_empty();
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Spawn(run) => {
                    let event = self.spawn(run);
                    actions.extend(self.feed(event));
                }
                Action::Terminate(pid) => {
                    crate::process::group::signal(pid, rustix::process::Signal::TERM);
                }
                Action::Kill(pid) => crate::process::group::signal(pid, rustix::process::Signal::KILL),
                Action::Moved(from, to, reason) => {
                    let event = self.report.moved(&self.machine, from, to, &reason);
                    self.shared.events.tell(&self.service.id, event, &actor, self.machine.crash_loop());
                }
                Action::Unkillable(pid) => {
                    tracing::error!(
                        service = self.service.id,
                        pid,
                        "KILL did not end the process: it hangs in the kernel, most likely on a disk or a network file system"
                    );
                }
                Action::GiveUp => {
                    tracing::error!(
                        service = self.service.id,
                        "failed too often, and `give_up` is \"exit\": stopping everything"
                    );
                    self.shared.give_up.cancel();
                }
            }
        }
        news |= before != (self.machine.health(), self.machine.crash_loop(), self.machine.generation());
        self.publish(news);
    }

    fn feed(&mut self, event: Event) -> Vec<Action> {
        let now = Instant::now().saturating_duration_since(self.shared.epoch);
        self.machine.on(event, now, rand::random())
    }

    /// Starts a process; what came of it is the next event.
    fn spawn(&mut self, run: u64) -> Event {
        let socket = self.socket.as_ref().map(Socket::path);
        match Process::start(&self.service, run, socket, &self.shared, &self.note, &self.log) {
            Ok(process) => {
                self.report.started();
                let event = Event::Spawned(run, process.pid);
                self.process = Some(process);
                event
            }
            Err(failed) => {
                self.report.not_started(&failed.why);
                Event::NotSpawned(run, failed.why, failed.is_final)
            }
        }
    }

    /// Makes the present status known; `news` wakes those who follow changes.
    fn publish(&mut self, news: bool) {
        let state = self.machine.state();
        let is_ready = state == State::Running;
        self.shared.ready.send_if_modified(|ready| {
            if is_ready { ready.insert(self.service.id.clone()) } else { ready.remove(&self.service.id) }
        });
        if let Some(process) = &mut self.process {
            process.probe_while(is_ready, self.service.probe, &self.shared, &self.own);
        }
        let next_start = self.machine.next_start().map(|at| self.shared.epoch + at);
        let ignored = self.socket.as_ref().map_or(0, Socket::ignored);
        self.report.publish(&self.machine, next_start, self.waiting_for(), ignored);
        if news {
            self.shared.events.changed(&self.service.id);
        }
    }
}

/// What the process says next; without one, nothing.
async fn hear(socket: Option<&mut Socket>, leader: Option<u32>) -> Vec<Said> {
    let (Some(socket), Some(leader)) = (socket, leader) else { return pending().await };
    match socket.hear(leader).await {
        Ok(said) => said,
        Err(error) => {
            // A socket that fails would fail again at once.
            tracing::error!(%error, "the notification socket failed");
            sleep_until(Instant::now() + Duration::from_secs(1)).await;
            Vec::new()
        }
    }
}

impl Status {
    /// Before anything happened.
    fn first(machine: &Machine) -> Self {
        Self {
            desired: machine.desired(),
            state: machine.state(),
            health: machine.health(),
            crash_loop: false,
            unkillable: false,
            generation: 0,
            pid: None,
            started: None,
            ready_at: None,
            restarts: 0,
            recent_restarts: Arc::new([]),
            last_exit: None,
            reason: None,
            next_start: None,
            text: None,
            heartbeat: None,
            waiting_for: Vec::new(),
            notifications_ignored: 0,
            alarms: Arc::new([]),
        }
    }
}
