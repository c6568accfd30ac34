//! What was measured, as a table, as JSON, and against the budgets.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::kind::Kind;
use crate::bench::measure::{median, quantile};
use crate::processes::Memory;

const MIB: f64 = 1_048_576.0;

/// All of one supervisor.
pub(super) struct Measured {
    pub(super) kind: Kind,
    pub(super) processes: usize,
    pub(super) memory: Memory,
    /// A second.
    pub(super) wakeups: f64,
    /// From the end of a child to the next one.
    pub(super) milliseconds: Vec<f64>,
}

/// What ours is allowed to take.
pub(super) struct Budget {
    what: &'static str,
    most: f64,
    unit: &'static str,
    measured: f64,
}

impl Budget {
    pub(super) fn holds(&self) -> bool {
        self.measured <= self.most
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, most, unit, measured } = self;
        let word = if self.holds() { "holds" } else { "EXCEEDED" };
        write!(f, "budget {word}: {what} {measured:.2} {unit} of {most} {unit}")
    }
}

pub(super) fn budgets(measured: &[Measured]) -> Vec<Budget> {
    let ours = measured.iter().filter(|measured| measured.kind == Kind::Ours);
    ours.flat_map(|of| {
        let p95 = quantile(&of.milliseconds, 0.95);
        [
            Budget { what: "kill to respawn, p95", most: 10.0, unit: "ms", measured: p95 },
            Budget {
                what: "idle memory",
                most: 12.0,
                unit: "MiB",
                measured: of.memory.resident as f64 / MIB,
            },
            Budget { what: "idle wakeups", most: 1.0, unit: "a second", measured: of.wakeups },
        ]
    })
    .collect()
}

/// For a person.
pub(super) fn table(measured: &[Measured]) -> String {
    let mut out = format!(
        "\n{:28}  {:>5}  {:>9}  {:>9}  {:>9}  {:>9}  {:>8}  {:>8}  {:>9}\n",
        "", "kills", "median ms", "p95 ms", "max ms", "processes", "RSS MiB", "PSS MiB", "wakeups/s"
    );
    for of in measured {
        let times = &of.milliseconds;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:28}  {:>5}  {:>9.2}  {:>9.2}  {:>9.2}  {:>9}  {:>8.1}  {:>8.1}  {:>9.2}",
            of.kind.name(),
            times.len(),
            median(times),
            quantile(times, 0.95),
            quantile(times, 1.0),
            of.processes,
            of.memory.resident as f64 / MIB,
            of.memory.proportional as f64 / MIB,
            of.wakeups
        );
    }
    out
}

/// For a program.
pub(super) fn json(measured: &[Measured]) -> Value {
    let of = |of: &Measured| {
        json!({
            "name": of.kind.name(),
            "respawnMilliseconds": of.milliseconds,
            "medianMilliseconds": median(&of.milliseconds),
            "p95Milliseconds": quantile(&of.milliseconds, 0.95),
            "processes": of.processes,
            "residentBytes": of.memory.resident,
            "proportionalBytes": of.memory.proportional,
            "wakeupsPerSecond": of.wakeups,
        })
    };
    json!({ "supervisors": measured.iter().map(of).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(milliseconds: &[f64]) -> Measured {
        Measured {
            kind: Kind::Ours,
            processes: 1,
            memory: Memory { resident: 6 << 20, proportional: 3 << 20 },
            wakeups: 0.25,
            milliseconds: milliseconds.to_vec(),
        }
    }

    #[test]
    fn the_table_has_every_figure() {
        let table = table(&[ours(&[1.0, 2.0, 9.0])]);
        let cells: Vec<&str> = table.lines().last().unwrap().split_whitespace().skip(3).collect();
        assert_eq!(cells, ["3", "2.00", "9.00", "9.00", "1", "6.0", "3.0", "0.25"]);
    }

    #[test]
    fn a_budget_holds_or_is_exceeded() {
        let said = |times: &[f64]| budgets(&[ours(times)]).iter().map(Budget::to_string).collect::<Vec<_>>();
        assert_eq!(said(&[1.0, 9.0])[0], "budget holds: kill to respawn, p95 9.00 ms of 10 ms");
        assert_eq!(said(&[1.0, 11.0])[0], "budget EXCEEDED: kill to respawn, p95 11.00 ms of 10 ms");
        assert_eq!(said(&[1.0])[2], "budget holds: idle wakeups 0.25 a second of 1 a second");
        // Without a single kill nothing is known.
        assert!(!budgets(&[ours(&[])])[0].holds());
    }
}
