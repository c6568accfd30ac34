//! `/proc/PID/stat`: who a process is, and what it takes.

use std::fs;

/// What one line of the kernel tells about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Its process group.
    pub(crate) group: u32,
    /// Its session.
    pub(crate) session: u32,
    /// Processor time so far, in ticks.
    pub(crate) ticks: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// When it started, in ticks since the machine did: together with the pid it names a process for good.
    pub(crate) started: u64,
    /// Resident memory, in pages.
    pub(crate) pages: u64,
    /// Ended, and only not waited for.
    pub(crate) zombie: bool,
}

/// The process `pid`, if there is one.
pub(crate) fn read(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// All processes of this pid namespace.
pub(crate) fn all() -> impl Iterator<Item = (u32, Stat)> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).filter_map(|pid| Some((pid, read(pid)?)))
}

/// The name in parentheses is the program's own choice and may hold anything: fields count from the last one.
fn parse(line: &str) -> Option<Stat> {
    let (_, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // proc(5) counts from 1, and the state, the first here, is its field 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let id = |field: usize| u32::try_from(number(field)?).ok();
    Some(Stat {
        group: id(5)?,
        session: id(6)?,
        ticks: number(14)? + number(15)?,
        threads: number(20)?,
        started: number(22)?,
        pages: number(24)?,
        zombie: matches!(fields.first(), Some(&("Z" | "X"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_moves_no_field() {
        let line = "7 (a) R 1 2 (b) S 1 70 71 0 -1 4194304 1 0 0 0 30 12 0 0 20 0 3 0 12345 1000 250 18446744073709551615";
        let stat = parse(line).unwrap();
        let expected =
            Stat { group: 70, session: 71, ticks: 42, threads: 3, started: 12345, pages: 250, zombie: false };
        assert_eq!(stat, expected);
        assert_eq!(parse("7 (a"), None);
        assert_eq!(parse("7 (a) S 1"), None);
    }

    #[test]
    fn we_are_among_all() {
        let us = std::process::id();
        assert!(all().any(|(pid, stat)| pid == us && stat.threads > 0));
    }
}
