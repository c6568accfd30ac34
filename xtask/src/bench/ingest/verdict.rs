//! What was measured against what is promised.

use std::fmt::Write;

use serde_json::{Value, json};

/// What a budget says of the figure.
#[derive(Clone, Copy)]
pub(super) enum Bound {
    /// No less.
    Least(f64),
    /// No more.
    Most(f64),
}

/// One budget.
pub(super) struct Row {
    what: String,
    measured: f64,
    unit: &'static str,
    bound: Bound,
    /// What it was measured beside, or what else is to be known.
    note: String,
}

impl Row {
    pub(super) fn new(
        what: impl Into<String>,
        measured: f64,
        bound: Bound,
        unit: &'static str,
        note: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), measured, unit, bound, note: note.into() }
    }

    /// What could not be measured is not met.
    pub(super) fn is_met(&self) -> bool {
        match self.bound {
            Bound::Least(least) => self.measured >= least,
            Bound::Most(most) => self.measured <= most,
        }
    }

    fn verdict(&self) -> &'static str {
        if self.is_met() { "met" } else { "NOT MET" }
    }

    /// For a program.
    pub(super) fn json(&self) -> Value {
        let (bound, limit) = match self.bound {
            Bound::Least(limit) => ("least", limit),
            Bound::Most(limit) => ("most", limit),
        };
        json!({
            "what": self.what,
            "measured": self.measured,
            "unit": self.unit,
            "budget": { bound: limit },
            "met": self.is_met(),
            "note": self.note,
        })
    }
}

/// For a person.
pub(super) fn table(rows: &[Row]) -> String {
    let mut out = format!("\n{:70}  {:>16}  {:>16}  {:8}\n", "", "measured", "budget", "");
    for row in rows {
        let (sign, limit) = match row.bound {
            Bound::Least(limit) => (">=", limit),
            Bound::Most(limit) => ("<=", limit),
        };
        let measured = format!("{} {}", figure(row.measured), row.unit);
        let budget = format!("{sign} {} {}", figure(limit), row.unit);
        // Writing to a string cannot fail.
        let _ =
            writeln!(out, "{:70}  {measured:>16}  {budget:>16}  {:8}  {}", row.what, row.verdict(), row.note);
    }
    out
}

/// Three digits that count.
fn figure(number: f64) -> String {
    if number.abs() >= 100.0 || number.fract() == 0.0 {
        format!("{number:.0}")
    } else {
        format!("{number:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_met_or_not() {
        let rows = [
            Row::new("speed", 6.1, Bound::Least(5.0), "times", "ours 2 s"),
            Row::new("time", 31.0, Bound::Most(30.0), "ms", ""),
            Row::new("nothing", f64::NAN, Bound::Most(30.0), "ms", ""),
        ];
        assert_eq!(rows.iter().map(Row::is_met).collect::<Vec<_>>(), [true, false, false]);
        let table = table(&rows);
        let words = |at: usize| table.lines().nth(at).unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(words(2), ["speed", "6.10", "times", ">=", "5", "times", "met", "ours", "2", "s"]);
        assert_eq!(words(3), ["time", "31", "ms", "<=", "30", "ms", "NOT", "MET"]);
        assert_eq!(rows[0].json()["budget"]["least"], 5.0);
    }
}
