//! What was measured, as a table and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::ways::Way;
use crate::bench::measure::{Run, median};
use crate::bench::server::Mailbox;
use crate::terminal::thousands;

pub(super) const MIB: f64 = 1_048_576.0;

/// Every measurement on one mailbox.
pub(super) struct Series {
    pub(super) profile: &'static str,
    /// Under what circumstances.
    suffix: &'static str,
    messages: u64,
    bytes: u64,
    runs: Vec<(Way, Run)>,
}

/// The measurements of one way, summed up.
pub(super) struct Summary {
    pub(super) median: f64,
    least: f64,
    most: f64,
    pub(super) peak: Option<u64>,
}

impl Series {
    pub(super) fn new(mailbox: &Mailbox, suffix: &'static str) -> Self {
        let &Mailbox { profile, messages, bytes, .. } = mailbox;
        Self { profile, suffix, messages, bytes, runs: Vec::new() }
    }

    /// The ways that were measured.
    fn ways(&self) -> impl Iterator<Item = Way> {
        Way::ALL.into_iter().filter(|way| self.of(*way).next().is_some())
    }

    pub(super) fn add(&mut self, way: Way, run: Run) {
        self.runs.push((way, run));
    }

    fn of(&self, way: Way) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |(other, _)| *other == way).map(|(_, run)| run)
    }

    fn seconds(&self, way: Way) -> Vec<f64> {
        self.of(way).map(|run| run.seconds).collect()
    }

    pub(super) fn summary(&self, way: Way) -> Summary {
        let seconds = self.seconds(way);
        Summary {
            median: median(&seconds),
            least: seconds.iter().copied().fold(f64::INFINITY, f64::min),
            most: seconds.iter().copied().fold(0.0, f64::max),
            peak: self.of(way).filter_map(|run| run.peak).max(),
        }
    }
}

/// For a person.
pub(super) fn table(series: &Series) -> String {
    let mebibytes = mebibytes(series.bytes);
    let ours = series.summary(Way::Ours).median;
    let mut out = format!(
        "\n{} {} messages{}, {mebibytes:.1} MiB\n",
        thousands(series.messages),
        series.profile,
        series.suffix
    );
    let header = ["", "median s", "min", "max", "messages/s", "MiB/s", "peak MiB", "time / ours"];
    row(&mut out, &header.map(String::from));
    for way in series.ways() {
        let of = series.summary(way);
        row(
            &mut out,
            &[
                way.name().to_owned(),
                format!("{:.2}", of.median),
                format!("{:.2}", of.least),
                format!("{:.2}", of.most),
                thousands(per_second(series.messages, of.median)),
                format!("{:.1}", mebibytes / of.median),
                of.peak.map_or_else(|| "-".to_owned(), |bytes| format!("{:.1}", self::mebibytes(bytes))),
                format!("{:.2}", of.median / ours),
            ],
        );
    }
    out
}

/// The first cell to the left, numbers to the right.
fn row(out: &mut String, cells: &[String; 8]) {
    for (at, cell) in cells.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = if at == 0 { write!(out, "{cell:26}") } else { write!(out, "  {cell:>11}") };
    }
    out.push('\n');
}

/// For a program.
pub(super) fn json(all: &[Series]) -> Value {
    let of = |series: &Series, way: Way| {
        let summary = series.summary(way);
        json!({
            "name": way.name(),
            "seconds": series.seconds(way),
            "medianSeconds": summary.median,
            "peakBytes": summary.peak,
            "timesOurs": summary.median / series.summary(Way::Ours).median,
        })
    };
    all.iter()
        .map(|series| {
            json!({
                "profile": format!("{}{}", series.profile, series.suffix),
                "messages": series.messages,
                "bytes": series.bytes,
                "ways": series.ways().map(|way| of(series, way)).collect::<Vec<_>>(),
            })
        })
        .collect()
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

fn per_second(messages: u64, seconds: f64) -> u64 {
    (messages as f64 / seconds) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Series {
        let run = |way, seconds, peak| (way, Run { seconds, peak });
        Series {
            profile: "small",
            suffix: "",
            messages: 20_000,
            bytes: 1_048_576 * 70,
            runs: vec![
                run(Way::Ours, 2.0, Some(41_943_040)),
                run(Way::Ours, 1.0, Some(20_971_520)),
                run(Way::Ours, 4.0, Some(20_971_520)),
                run(Way::MbsyncDurable, 10.0, Some(20_971_520)),
                run(Way::MbsyncFast, 2.0, Some(20_971_520)),
                run(Way::Drain, 0.5, None),
            ],
        }
    }

    #[test]
    fn the_table_sets_all_against_ours() {
        let table = table(&series());
        let row = |name: &str| {
            let line = table.lines().find(|line| line.starts_with(name)).unwrap();
            line.trim_start_matches(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(row("vigie-ingest sync"), ["2.00", "1.00", "4.00", "10,000", "35.0", "40.0", "1.00"]);
        assert_eq!(row("mbsync, FSync yes")[6], "5.00");
        assert_eq!(row("FETCH, read and discarded")[5..], ["-", "0.25"]);
    }

    #[test]
    fn the_json_has_every_measurement() {
        let json = json(&[series()]);
        assert_eq!(json[0]["ways"][0]["seconds"], json!([2.0, 1.0, 4.0]));
        assert_eq!(json[0]["ways"][0]["peakBytes"], 41_943_040);
    }
}
