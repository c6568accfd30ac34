//! What the kernel tells of running processes, in `/proc`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// All that is resident.
    pub(crate) resident: u64,
    /// The same, with what is shared divided among those who share it.
    pub(crate) proportional: u64,
}

/// All processes: numbers and command lines. One that has ended and was not waited for has no command line and is left
/// out.
pub(crate) fn all() -> impl Iterator<Item = (u32, Vec<String>)> {
    numbers(Path::new("/proc")).map(|pid| (pid, words(pid))).filter(|(_, words)| !words.is_empty())
}

/// The command line; empty when there is no such process any more.
pub(crate) fn words(pid: u32) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|&octet| octet == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let mut words: Vec<String> = words.collect();
    // Each word is ended by its zero.
    words.pop();
    words
}

/// The children that any of its threads has started.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let of = |thread: u32| fs::read_to_string(format!("/proc/{pid}/task/{thread}/children"));
    threads(pid)
        .filter_map(|thread| of(thread).ok())
        .flat_map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// What it takes now.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let file = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    Ok(Memory { resident: field(&text, "Rss:") << 10, proportional: field(&text, "Pss:") << 10 })
}

/// How often its threads have left a processor so far: each wakeup ends in one of these.
pub(crate) fn switches(pid: u32) -> u64 {
    threads(pid)
        .filter_map(|thread| fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).ok())
        .map(|text| field(&text, "voluntary_ctxt_switches:") + field(&text, "nonvoluntary_ctxt_switches:"))
        .sum()
}

/// The most that was ever resident, in bytes.
pub(crate) fn peak(pid: u32) -> u64 {
    field(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default(), "VmHWM:") << 10
}

/// The time that processors have spent on it so far.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th after it.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// How many files it has open, sockets among them.
pub(crate) fn descriptors(pid: u32) -> usize {
    numbers(Path::new(&format!("/proc/{pid}/fd"))).count()
}

/// How many connections a server on this port of 127.0.0.1 has.
pub(crate) fn connections_to(port: u16) -> usize {
    const ESTABLISHED: &str = "01";
    let local = format!("0100007F:{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let is_one = |line: &&str| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some(local.as_str()) && words.nth(1) == Some(ESTABLISHED)
    };
    table.lines().filter(is_one).count()
}

/// Sends a signal; whether there was somebody to receive it.
pub(crate) fn signal(pid: u32, signal: Signal) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// Its threads.
pub(crate) fn threads(pid: u32) -> impl Iterator<Item = u32> {
    numbers(Path::new(&format!("/proc/{pid}/task")))
}

fn numbers(folder: &Path) -> impl Iterator<Item = u32> + use<> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok())
}

/// The number in the line that begins with `name`.
fn field(text: &str, name: &str) -> u64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_seen() {
        let us = std::process::id();
        assert!(all().any(|(pid, words)| pid == us && words == super::words(us)));
        let memory = memory(us).unwrap();
        assert!(memory.resident >= memory.proportional && memory.proportional > 0);
        assert!(switches(us) > 0 && peak(us) >= memory.resident / 2 && cpu_seconds(us) >= 0.0);
        assert!(descriptors(us) > 2 && threads(us).count() > 0);
    }

    #[test]
    fn a_connection_is_counted_where_it_leads() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(connections_to(port), 0);
        let _connected = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(connections_to(port), 1);
    }

    #[test]
    fn a_child_is_seen_until_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("100000").spawn().unwrap();
        assert!(children(std::process::id()).contains(&child.id()));
        assert!(signal(child.id(), Signal::KILL));
        child.wait().unwrap();
        assert_eq!(words(child.id()), Vec::<String>::new());
        assert!(!children(std::process::id()).contains(&child.id()));
    }
}
