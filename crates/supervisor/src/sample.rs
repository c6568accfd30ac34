//! What the processes and the machine take, every few seconds while somebody looks, and seldom otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sysinfo::System;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use vigie_common::clock;

use crate::fleet::view::HostView;
use crate::process::stat;
use crate::service::handle::Handle;
use crate::service::task::Shared;

/// Between two samples while somebody looks.
const FAST: Duration = Duration::from_secs(5);
/// And while nobody does.
const SLOW: Duration = Duration::from_secs(30);
/// Somebody who looked so long ago looks no more.
const LOOKS: Duration = Duration::from_secs(30);

/// What a process takes.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) pid: u32,
    /// Since the sample before, in cores.
    pub(crate) cpu: Option<f64>,
    pub(crate) resident_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) open_fds: Option<u64>,
    ticks: u64,
    at: Instant,
}

/// The last samples.
#[derive(Debug)]
pub(crate) struct Samples {
    services: Mutex<BTreeMap<String, Sample>>,
    host: Mutex<HostView>,
    looked: Mutex<Option<Instant>>,
    wake: Notify,
}

impl Samples {
    pub(crate) fn new() -> Self {
        let host = HostView {
            hostname: System::host_name().unwrap_or_default(),
            load: [0.0; 3],
            memory_bytes: 0,
            memory_available_bytes: 0,
            data_bytes: 0,
            data_free_bytes: 0,
            resident_bytes: 0,
            version: env!("CARGO_PKG_VERSION").into(),
            since: clock::now(),
        };
        Self {
            services: Mutex::default(),
            host: Mutex::new(host),
            looked: Mutex::default(),
            wake: Notify::new(),
        }
    }

    pub(crate) fn of(&self, id: &str) -> Option<Sample> {
        lock(&self.services).get(id).cloned()
    }

    pub(crate) fn host(&self) -> HostView {
        lock(&self.host).clone()
    }

    /// Somebody looks.
    pub(crate) fn looked_at(&self) {
        let before = lock(&self.looked).replace(Instant::now());
        if before.is_none_or(|at| at.elapsed() > LOOKS) {
            self.wake.notify_one();
        }
    }

    /// Samples until the end of the process.
    pub(crate) async fn run(self: Arc<Self>, shared: Arc<Shared>, handles: Arc<[Handle]>) {
        let mut system =
            System::new().inspect_err(|error| tracing::warn!(%error, "no figures of this machine")).ok();
        loop {
            // On a thread that may wait: a network file system that hangs under the data folder hangs `statvfs`, and
            // must not take the door and the services with it. One at a time; the figures are old meanwhile.
            let (samples, settings, handles) = (Arc::clone(&self), Arc::clone(&shared), Arc::clone(&handles));
            let sampled = tokio::task::spawn_blocking(move || {
                samples.sample(system.as_mut(), &settings, &handles);
                system
            });
            system = match sampled.await {
                Ok(system) => system,
                Err(fault) => {
                    tracing::error!(%fault, "no more figures by a fault of ours");
                    return;
                }
            };
            shared.events.sampled();
            let looks = lock(&self.looked).is_some_and(|at| at.elapsed() <= LOOKS);
            let next = Instant::now() + if looks { FAST } else { SLOW };
            // Woken early by the first who looks.
            let _ = timeout_at(next, self.wake.notified()).await;
        }
    }

    fn sample(&self, system: Option<&mut System>, shared: &Shared, handles: &[Handle]) {
        for handle in handles {
            let id = &handle.service.id;
            let pid = handle.status.borrow().pid;
            let before = self.of(id);
            let now = pid.and_then(|pid| take(pid, before.as_ref()));
            let mut services = lock(&self.services);
            match now {
                Some(sample) => drop(services.insert(id.clone(), sample)),
                None => drop(services.remove(id)),
            }
        }
        let load = System::load_average().unwrap_or_default();
        let disk = rustix::fs::statvfs(&shared.settings.data).ok();
        let resident = stat::read(std::process::id()).map_or(0, |us| us.pages * page());
        let mut host = lock(&self.host);
        host.load = [load.one, load.five, load.fifteen];
        if let Some(system) = system {
            system.refresh_memory();
            host.memory_bytes = system.total_memory();
            host.memory_available_bytes = system.available_memory();
        }
        if let Some(disk) = disk {
            host.data_bytes = disk.f_blocks * disk.f_frsize;
            host.data_free_bytes = disk.f_bavail * disk.f_frsize;
        }
        host.resident_bytes = resident;
    }
}

fn take(pid: u32, before: Option<&Sample>) -> Option<Sample> {
    let stat = stat::read(pid)?;
    let at = Instant::now();
    let cpu = before.filter(|before| before.pid == pid).and_then(|before| {
        let ticks = u32::try_from(stat.ticks.checked_sub(before.ticks)?).ok()?;
        let wall = at.duration_since(before.at).as_secs_f64();
        (wall > 0.0).then(|| f64::from(ticks) / ticks_per_second() / wall)
    });
    let open_fds =
        fs::read_dir(format!("/proc/{pid}/fd")).ok().and_then(|entries| u64::try_from(entries.count()).ok());
    Some(Sample {
        pid,
        cpu,
        resident_bytes: stat.pages * page(),
        threads: stat.threads,
        open_fds,
        ticks: stat.ticks,
        at,
    })
}

fn page() -> u64 {
    u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}

fn ticks_per_second() -> f64 {
    u32::try_from(rustix::param::clock_ticks_per_second()).map_or(100.0, f64::from)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
