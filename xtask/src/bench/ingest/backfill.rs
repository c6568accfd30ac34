//! A whole mailbox fetched and made durable, in turn by each way, over plain TCP from a real Dovecot: near by, and at
//! 40 ms round trip.

use anyhow::{Result, ensure};

use super::report::{MIB, Series};
use super::verdict::{Bound, Row};
use super::ways::Way;
use super::{Found, Options, Part, Place, drain};
use crate::bench::measure;
use crate::bench::server::{self, Mailbox, Server};
use crate::terminal::say;

/// Half of the round trip.
const EACH_WAY_MS: u64 = 20;

pub(super) fn measure(options: &Options, place: &Place<'_>, found: &mut Found) -> Result<()> {
    let delayed = options.wants(Part::Delay);
    let source = place.directory.join("source");
    let mut mailboxes = Vec::new();
    if delayed || options.wants(Part::Small) {
        mailboxes.push(server::generate(place.binaries, &source, "small", options.messages_small)?);
    }
    if delayed || options.wants(Part::Mixed) {
        mailboxes.push(server::generate(place.binaries, &source, "mixed", options.messages_mixed)?);
    }
    let server = Server::start(place.binaries, &mailboxes)?;
    // Read once unmeasured: the first of all readers finds the server's caches cold.
    for mailbox in &mailboxes {
        drain::drain(server.port, mailbox.profile)?;
    }
    for mailbox in &mailboxes {
        let (part, times) = if mailbox.profile == "small" { (Part::Small, 5.0) } else { (Part::Mixed, 3.0) };
        if options.wants(part) {
            let series = series(options.runs, place, server.port, mailbox, &Way::ALL, "")?;
            found.rows.extend(near(&series, times));
            found.series.push(series);
        }
    }
    if delayed {
        let port = server.port.to_string();
        let words = ["delay", &port, &EACH_WAY_MS.to_string()];
        let far_away = server::Scripted::start(place.binaries, &words)?;
        let ways = [Way::Ours, Way::MbsyncFast, Way::Drain];
        for mailbox in &mailboxes {
            let runs = options.runs.div_ceil(2);
            let series = series(runs, place, far_away.port, mailbox, &ways, " at 40 ms")?;
            found.rows.push(far(&series));
            found.series.push(series);
        }
    }
    Ok(())
}

/// Against mbsync, and the memory.
fn near(series: &Series, times: f64) -> Vec<Row> {
    let profile = series.profile;
    let against = |way: Way, least| {
        let (ours, theirs) = (series.summary(Way::Ours), series.summary(way));
        let what = format!("backfill, {profile}: speed against {}", way.name());
        let note = format!("ours {:.2} s, theirs {:.2} s", ours.median, theirs.median);
        Row::new(what, theirs.median / ours.median, Bound::Least(least), "times", note)
    };
    let mut rows = vec![against(Way::MbsyncDurable, times), against(Way::MbsyncFast, 1.0)];
    if profile == "mixed" {
        let peak = series.summary(Way::Ours).peak.map_or(f64::NAN, |bytes| bytes as f64 / MIB);
        rows.push(Row::new("memory at the peak, mixed mailbox", peak, Bound::Most(64.0), "MiB", ""));
    }
    rows
}

/// Against the bare FETCH under the same delay.
fn far(series: &Series) -> Row {
    let (ours, limit) = (series.summary(Way::Ours), series.summary(Way::Drain));
    let what = format!("backfill at 40 ms, {}: share of the bare FETCH's speed", series.profile);
    let mbsync = series.summary(Way::MbsyncFast).median;
    let note = format!("ours {:.2} s, FETCH {:.2} s, mbsync {mbsync:.2} s", ours.median, limit.median);
    Row::new(what, 100.0 * limit.median / ours.median, Bound::Least(90.0), "%", note)
}

/// Measures every way `runs` times, in turn, so that a slow minute of the machine hits all of them.
fn series(
    runs: u32,
    place: &Place<'_>,
    port: u16,
    mailbox: &Mailbox,
    ways: &[Way],
    suffix: &'static str,
) -> Result<Series> {
    let mut series = Series::new(mailbox, suffix);
    for run in 1..=runs {
        for &way in ways {
            let name = format!("{}{}-{run}-{}", mailbox.profile, suffix.replace(' ', "-"), way.slug());
            let fresh = place.fresh(&name)?;
            let (measured, messages) = way.measure(place.binaries, &fresh, port, mailbox.profile)?;
            ensure!(
                messages == mailbox.messages,
                "{} took {messages} of {} {} messages: see {}",
                way.name(),
                mailbox.messages,
                mailbox.profile,
                fresh.display()
            );
            let label = format!("{}{suffix}", mailbox.profile);
            say(format_args!("{label} {run}/{runs}  {:26} {:7.2} s", way.name(), measured.seconds))?;
            series.add(way, measured);
        }
    }
    measure::settle();
    Ok(series)
}
