//! The host: what it is and what it does now. One long-lived `System`, refreshed by one task: a fresh one would read 0 %.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use sysinfo::{
    CpuRefreshKind, MemoryRefreshKind, Networks, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use vigie_common::clock;
use vigie_common::shutdown::Shutdown;

use crate::model::Sample;

/// Between two samples.
const EVERY: Duration = Duration::from_secs(10);
/// Networks within the machine, whose traffic would be counted twice.
const INNER: [&str; 5] = ["lo", "veth", "br-", "docker", "virbr"];

/// What is answered about the host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Host {
    /// When it was looked at.
    pub as_of: Timestamp,
    /// Name of the host.
    pub hostname: Option<String>,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Its cores.
    pub cpu: Cpu,
    /// Load over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Memory.
    pub memory: Memory,
    /// Swap.
    pub swap: Swap,
    /// File systems that matter to us.
    pub disks: Vec<Disk>,
    /// Traffic.
    pub network: Network,
    /// Our processes.
    pub processes: Vec<Process>,
}

/// Cores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cpu {
    /// How many.
    pub cores: usize,
    /// Share of all of them in use, 0 to 1.
    pub usage: f64,
}

/// Memory, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Of the machine.
    pub total_bytes: u64,
    /// In use, by us all within the limit where there is one.
    pub used_bytes: u64,
    /// Available on the machine.
    pub available_bytes: u64,
    /// What the control group allows, where that is less than the machine has.
    pub limit_bytes: Option<u64>,
}

/// Swap, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Swap {
    /// All.
    pub total_bytes: u64,
    /// In use.
    pub used_bytes: u64,
}

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// What lies there: `archive` or `data`.
    pub purpose: &'static str,
    /// Where it is mounted.
    pub mount: String,
    /// Octets of it.
    pub total_bytes: u64,
    /// Octets free for us.
    pub free_bytes: u64,
}

/// Traffic of the host with others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Network {
    /// Octets received a second.
    pub received_bytes_per_second: f64,
    /// Octets sent a second.
    pub sent_bytes_per_second: f64,
}

/// A process of ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Process {
    /// Name of the program.
    pub name: String,
    /// Its number.
    pub pid: u32,
    /// Cores in use.
    pub cpu: f64,
    /// Octets in memory.
    pub resident_bytes: u64,
}

/// Samples the host until the shutdown.
pub async fn run(
    archive: PathBuf,
    data: PathBuf,
    samples: mpsc::Sender<Sample>,
    seen: watch::Sender<Option<Host>>,
    shutdown: Shutdown,
) {
    let mut sampler = match Sampler::new(archive, data) {
        Ok(sampler) => sampler,
        Err(error) => {
            tracing::error!(%error, "the host cannot be looked at: its charts stay empty");
            return;
        }
    };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Use of the cores is known between two looks: the first one is not kept.
    let mut looks = 0u8;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        let looked = tokio::task::spawn_blocking(move || {
            let host = sampler.look(clock::now());
            (sampler, host)
        });
        let Ok((back, host)) = looked.await else { return };
        sampler = back;
        if looks > 0 {
            // A thread that does not take it has more important things to do.
            let _ = samples.try_send(host.sample());
        } else {
            looks = 1;
            ticks.reset_after(Duration::from_secs(1));
        }
        seen.send_replace(Some(host));
    }
}

struct Sampler {
    system: System,
    networks: Networks,
    looked: Option<Instant>,
    places: [(&'static str, PathBuf); 2],
}

impl Sampler {
    fn new(archive: PathBuf, data: PathBuf) -> Result<Self, sysinfo::Error> {
        let places = [("archive", archive), ("data", data)];
        Ok(Self {
            system: System::new()?,
            networks: Networks::new_with_refreshed_list()?,
            looked: None,
            places,
        })
    }

    fn look(&mut self, now: Timestamp) -> Host {
        let memory = MemoryRefreshKind::nothing().with_ram().with_swap();
        self.system.refresh_memory_specifics(memory);
        self.system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_usage());
        let wanted = ProcessRefreshKind::nothing()
            .with_cpu()
            .with_memory()
            .with_exe(UpdateKind::OnlyIfNotSet)
            .without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
        self.networks.refresh(true);
        let took = self.looked.replace(Instant::now()).map(|at| at.elapsed().as_secs_f64());
        let load = System::load_average().map_or([0.0; 3], |load| [load.one, load.five, load.fifteen]);
        Host {
            as_of: now,
            hostname: System::host_name().ok(),
            uptime_seconds: System::uptime().unwrap_or(0),
            cpu: Cpu { cores: self.system.cpus().len(), usage: share(self.system.global_cpu_usage()) },
            load,
            memory: self.memory(),
            swap: Swap { total_bytes: self.system.total_swap(), used_bytes: self.system.used_swap() },
            disks: self.places.iter().filter_map(|(purpose, place)| disk(purpose, place)).collect(),
            network: took.map(|took| self.traffic(took)).unwrap_or_default(),
            processes: self.processes(),
        }
    }

    fn memory(&self) -> Memory {
        let total = self.system.total_memory();
        let limits = self.system.cgroup_limits().filter(|limits| limits.total_memory < total);
        Memory {
            total_bytes: total,
            used_bytes: limits.as_ref().map_or_else(|| self.system.used_memory(), |limits| limits.rss),
            available_bytes: self.system.available_memory(),
            limit_bytes: limits.map(|limits| limits.total_memory),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "no link moves that many octets in ten seconds")]
    fn traffic(&self, seconds: f64) -> Network {
        let outer = self
            .networks
            .iter()
            .filter(|(name, _)| !INNER.iter().any(|inner| name.to_string_lossy().starts_with(inner)));
        let (received, sent) = outer.fold((0, 0), |(received, sent), (_, network)| {
            (received + network.received(), sent + network.transmitted())
        });
        let rate = |octets: u64| (octets as f64 / seconds.max(0.1)).round();
        Network { received_bytes_per_second: rate(received), sent_bytes_per_second: rate(sent) }
    }

    fn processes(&self) -> Vec<Process> {
        let name = |process: &sysinfo::Process| {
            // The system cuts a process's name at 15 characters; that of its file is whole.
            let file = process.exe().and_then(Path::file_name).unwrap_or(process.name());
            // A program that was replaced while it ran.
            file.to_string_lossy().trim_end_matches(" (deleted)").to_owned()
        };
        let all = self.system.processes().values().map(|process| (name(process), process));
        let mut ours: Vec<Process> = all
            .filter(|(name, process)| name.starts_with("vigie-") && process.thread_kind().is_none())
            .map(|(name, process)| Process {
                name,
                pid: process.pid().as_u32(),
                cpu: share(process.cpu_usage()),
                resident_bytes: process.memory(),
            })
            .collect();
        ours.sort_by(|a, b| (&a.name, a.pid).cmp(&(&b.name, b.pid)));
        ours
    }
}

/// From percent.
fn share(percent: f32) -> f64 {
    (f64::from(percent) * 100.0).round() / 10_000.0
}

/// The file system of a place, or of the nearest folder above that exists.
fn disk(purpose: &'static str, place: &Path) -> Option<Disk> {
    let existing = place.ancestors().find(|folder| folder.exists())?.canonicalize().ok()?;
    let room = rustix::fs::statvfs(&existing).ok()?;
    Some(Disk {
        purpose,
        mount: mount(&existing).display().to_string(),
        total_bytes: room.f_blocks.saturating_mul(room.f_frsize),
        free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
    })
}

/// The topmost folder above that is of the same file system.
fn mount(place: &Path) -> &Path {
    let device = |folder: &Path| folder.metadata().ok().map(|m| m.dev());
    let here = device(place);
    place.ancestors().take_while(|folder| device(folder) == here).last().unwrap_or(place)
}

impl Host {
    /// Free and all octets of the archive's file system.
    #[must_use]
    pub fn archive_disk(&self) -> Option<&Disk> {
        self.disks.iter().find(|disk| disk.purpose == "archive")
    }

    #[expect(clippy::cast_precision_loss, reason = "for charts")]
    fn sample(&self) -> Sample {
        let disk = self.archive_disk();
        let total = disk.map_or(0, |disk| disk.total_bytes);
        Sample {
            at: self.as_of.as_second(),
            cpu: self.cpu.usage,
            load: self.load.first().copied().unwrap_or(0.0),
            memory_used: self.memory.used_bytes as f64,
            memory_limit: self.memory.limit_bytes.unwrap_or(self.memory.total_bytes) as f64,
            disk_used: total.saturating_sub(disk.map_or(0, |disk| disk.free_bytes)) as f64,
            disk_total: total as f64,
            received: self.network.received_bytes_per_second,
            sent: self.network.sent_bytes_per_second,
        }
    }
}

/// Octets in memory of our processes, by name.
#[must_use]
pub fn resident(host: &Host) -> HashMap<&str, u64> {
    let mut all = HashMap::new();
    for process in &host.processes {
        *all.entry(process.name.as_str()).or_default() += process.resident_bytes;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let mut sampler = Sampler::new(folder.path().join("none/yet"), folder.path().to_owned()).unwrap();
        let host = sampler.look(clock::now());
        assert!(host.cpu.cores > 0 && host.uptime_seconds > 0);
        assert!(host.memory.total_bytes > 0 && host.memory.used_bytes > 0);
        assert_eq!(host.disks.len(), 2);
        let disk = host.archive_disk().unwrap();
        assert!(disk.total_bytes >= disk.free_bytes && folder.path().starts_with(&disk.mount));
        let sample = host.sample();
        assert!(sample.memory_limit >= 1.0 && sample.disk_total > 0.0);
    }
}
