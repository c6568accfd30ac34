//! A data folder of one test, a fleet on it, and looks at the processes of this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use vigie_common::config::GiveUp;
use vigie_common::exit::Exit;
use vigie_supervisor::fleet::Fleet;
use vigie_supervisor::fleet::event::Actor;
use vigie_supervisor::fleet::view::ServiceView;
use vigie_supervisor::service::numbers::Numbers;
use vigie_supervisor::service::words::{State, Verb};
use vigie_supervisor::settings::{Service, Settings};

/// Far more than anything here takes, even on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The child with faults, which cargo builds along with the tests.
pub(crate) fn fault_child() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().with_file_name("examples").join("fault-child");
    assert!(path.exists(), "{} is not there: run `cargo test -p vigie-supervisor`", path.display());
    path
}

/// A service that runs the child with faults.
pub(crate) fn faulty(id: &str, steps: &[&str]) -> Service {
    let program = fault_child();
    let mut command = vec![program.to_str().unwrap()];
    command.extend(steps);
    let mut service = Service::program(id, &command);
    service.environment = vec![("NAME".into(), id.into())];
    service
}

/// The same, which tells when it is ready.
pub(crate) fn notifying(id: &str, steps: &[&str]) -> Service {
    Service { notify: true, ..faulty(id, steps) }
}

/// Numbers for people who do not want to wait.
pub(crate) fn quick() -> Numbers {
    Numbers { backoff: (Duration::from_millis(1), Duration::from_millis(20)), ..Numbers::default() }
}

pub(crate) struct Rig {
    pub(crate) place: TempDir,
    pub(crate) fleet: Fleet,
    pub(crate) shutdown: CancellationToken,
    pub(crate) at_once: CancellationToken,
    finishing: JoinHandle<Exit>,
}

/// What a fleet on `data` needs to know.
pub(crate) fn settings(data: &Path, services: Vec<Service>, numbers: Numbers) -> Settings {
    let stop_budget = Duration::from_secs(20);
    let mut services = services;
    for service in &mut services {
        service.working_directory = data.to_owned();
        service.data = data.to_owned();
    }
    Settings { data: data.to_owned(), services, stop_budget, give_up: GiveUp::Retry, numbers }
}

impl Rig {
    pub(crate) async fn start(services: Vec<Service>, numbers: Numbers) -> Self {
        let place = tempfile::tempdir().unwrap();
        let settings = settings(place.path(), services, numbers);
        Self::with(place, settings).await
    }

    pub(crate) async fn with(place: TempDir, settings: Settings) -> Self {
        let (shutdown, at_once) = (CancellationToken::new(), CancellationToken::new());
        let (fleet, running) = Fleet::start(settings, shutdown.clone()).await.unwrap();
        let finishing = tokio::spawn(running.finish(at_once.clone()));
        Self { place, fleet, shutdown, at_once, finishing }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.place.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn view(&self, id: &str) -> ServiceView {
        self.fleet.view(id).unwrap()
    }

    /// Waits until the view of `id` is as wanted.
    pub(crate) async fn until(&self, id: &str, wanted: impl Fn(&ServiceView) -> bool) -> ServiceView {
        let deadline = Instant::now() + DEADLINE;
        let mut changes = self.fleet.changes();
        loop {
            let view = self.view(id);
            if wanted(&view) {
                return view;
            }
            assert!(Instant::now() < deadline, "{view:#?}\n{:#?}", self.fleet.events(0));
            let _ = timeout(Duration::from_millis(50), changes.recv()).await;
        }
    }

    pub(crate) async fn until_state(&self, id: &str, state: State) -> ServiceView {
        self.until(id, |view| view.state == state).await
    }

    pub(crate) async fn command(&self, id: &str, verb: Verb) -> u64 {
        self.fleet.command(id, verb, Actor::user("test")).await.unwrap()
    }

    /// The transitions of `id` so far, as `from>to`.
    pub(crate) fn moves(&self, id: &str) -> Vec<String> {
        let events = self.fleet.events(0).into_iter().filter(|event| event.service == id);
        events.map(|event| format!("{}>{}", event.from, event.to)).collect()
    }

    /// Waits for the end, which has begun or begins now.
    pub(crate) async fn finish(self) -> (Exit, TempDir) {
        self.shutdown.cancel();
        (timeout(DEADLINE, self.finishing).await.unwrap().unwrap(), self.place)
    }

    /// Waits for the end, which comes by itself.
    pub(crate) async fn finished(self) -> Exit {
        timeout(DEADLINE, self.finishing).await.unwrap().unwrap()
    }
}

/// The lines of a file, none while it is not there.
pub(crate) fn lines(path: impl AsRef<Path>) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The pids that children appended to a file.
pub(crate) fn pids(path: impl AsRef<Path>) -> Vec<u32> {
    lines(path).iter().map(|line| line.parse().unwrap()).collect()
}

/// Whether the process runs: a zombie does not.
pub(crate) fn alive(pid: u32) -> bool {
    state(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// State and parent of a process.
pub(crate) fn state(pid: u32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

pub(crate) fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Waits until `wanted`.
pub(crate) async fn eventually(what: &str, mut wanted: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !wanted() {
        assert!(Instant::now() < deadline, "never: {what}");
        let _ = timeout(Duration::from_millis(10), std::future::pending::<()>()).await;
    }
}
