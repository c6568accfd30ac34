//! A series as a drawing (SVG), for pages without script, reports and other sites. Pure.

use charts_rs::{BarChart, Box as Margin, HeatmapChart, LineChart, Series, Symbol, YAxisConfig};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::query::series::{Answer, Kind, Point, Value};
use crate::table::name;

/// What a browser may do with a drawing: show it, with the styles in it.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Lines that can be told apart.
const LINES: usize = 12;

/// Of a drawing, in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// From left to right.
    pub width: usize,
    /// From top to bottom.
    pub height: usize,
}

/// Draws an answer, with the times of a zone.
///
/// # Errors
/// What the drawing cannot be made of.
pub fn svg(answer: &Answer, title: &str, zone: &TimeZone, size: Size) -> Result<String, charts_rs::Error> {
    match answer.kind {
        Kind::Time => over_time(answer, title, zone, size),
        Kind::Histogram => histogram(answer, title, size),
        Kind::Matrix => matrix(answer, title, size),
    }
}

fn over_time(answer: &Answer, title: &str, zone: &TimeZone, size: Size) -> Result<String, charts_rs::Error> {
    let (scale, unit) = scale(answer);
    let times = answer.series.first().map_or(&[][..], |line| &line.points);
    let labels: Vec<String> = times.iter().filter_map(|point| time_label(point, answer, zone)).collect();
    let lines: Vec<Series> = answer
        .series
        .iter()
        .take(LINES)
        .map(|line| {
            let values = line.points.iter().map(|point| match point {
                Point::Time(_, value) => value.map(|value| to_f32(value.number() / scale)),
                _ => None,
            });
            Series { name: shown(&name(line, &unit)), data: values.collect(), ..Series::default() }
        })
        .collect();
    let head = head(title, &unit);
    let from = local(answer.from, zone, "%F %H:%M");
    let to = local(answer.to, zone, "%F %H:%M");
    let below = format!("{from} to {to}, {}", answer.tz);
    let one = lines.len() < 2;
    let counted = matches!(answer.metric, "messages" | "bytes" | "senders");
    if counted && labels.len() <= 400 {
        let stacked = lines.into_iter().map(|line| Series { stack: Some("all".into()), ..line }).collect();
        let mut chart = BarChart::new(stacked, labels);
        frame!(chart, head, below, size);
        chart.legend.show = Some(!one);
        axis(&mut chart.y_axis_configs);
        return chart.svg();
    }
    let mut chart = LineChart::new(lines, labels);
    frame!(chart, head, below, size);
    chart.legend.show = Some(!one);
    chart.series.symbol = Some(Symbol::None);
    axis(&mut chart.y_axis_configs);
    chart.svg()
}

fn histogram(answer: &Answer, title: &str, size: Size) -> Result<String, charts_rs::Error> {
    let points = answer.series.iter().flat_map(|line| &line.points);
    let classes = points.filter_map(|point| match point {
        Point::Size(bound, count) => Some((octets(*bound), Some(to_f32(Value::Count(*count).number())))),
        _ => None,
    });
    let (labels, counts): (Vec<_>, Vec<_>) = classes.unzip();
    let series = Series { name: answer.unit.to_owned(), data: counts, ..Series::default() };
    let mut chart = BarChart::new(vec![series], labels);
    let below = "by size, each class up to the next bound".to_owned();
    frame!(chart, head(title, answer.unit), below, size);
    chart.legend.show = Some(false);
    axis(&mut chart.y_axis_configs);
    chart.svg()
}

fn matrix(answer: &Answer, title: &str, size: Size) -> Result<String, charts_rs::Error> {
    let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let points = answer.series.iter().flat_map(|line| &line.points);
    // The drawing counts rows from the bottom.
    let cells: Vec<(usize, f32)> = points
        .filter_map(|point| match point {
            Point::Hour(day, hour, count) => {
                let row = 7usize.checked_sub(usize::from(*day))?;
                Some((row * 24 + usize::from(*hour), to_f32(Value::Count(*count).number())))
            }
            _ => None,
        })
        .collect();
    let most = cells.iter().map(|(_, count)| *count).fold(1.0, f32::max);
    let hours = (0..24).map(|hour| format!("{hour:02}")).collect();
    let rows = days.iter().rev().map(|&day| day.to_owned()).collect();
    let mut chart = HeatmapChart::new(cells, hours, rows);
    let below = format!("hours of {}", answer.tz);
    frame!(chart, head(title, answer.unit), below, size);
    chart.heatmap_series.max = most;
    chart.svg()
}

/// What all drawings have in common; they share no type that could be named.
macro_rules! frame {
    ($chart:expr, $title:expr, $below:expr, $size:expr) => {
        $chart.width = pixels($size.width);
        $chart.height = pixels($size.height);
        $chart.margin = Margin { left: 10.0, top: 8.0, right: 16.0, bottom: 6.0 };
        $chart.title.text = $title;
        $chart.sub_title.text = $below;
        $chart.empty_text = Some("nothing in this range".to_owned());
    };
}
use frame;

fn axis(axes: &mut [YAxisConfig]) {
    for axis in axes {
        axis.min = Some(0.0);
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most some thousand pixels")]
fn pixels(number: usize) -> f32 {
    number as f32
}

#[expect(clippy::cast_possible_truncation, reason = "a drawing shows three digits")]
fn to_f32(value: f64) -> f32 {
    value as f32
}

/// By what values are divided, and the unit that they have then.
fn scale(answer: &Answer) -> (f64, String) {
    let per = answer.unit.strip_prefix("bytes").unwrap_or_default();
    if answer.unit == "ratio" {
        return (0.01, "%".to_owned());
    }
    if !answer.unit.starts_with("bytes") {
        return (1.0, answer.unit.to_owned());
    }
    let values = answer.series.iter().flat_map(|line| &line.points).filter_map(|point| match point {
        Point::Time(_, Some(value)) => Some(value.number()),
        _ => None,
    });
    let most = values.fold(0.0, f64::max);
    let (mut scale, mut name) = (1.0, "B");
    for unit in ["KiB", "MiB", "GiB", "TiB"] {
        if most / scale >= 1024.0 {
            (scale, name) = (scale * 1024.0, unit);
        }
    }
    (scale, format!("{name}{per}"))
}

/// The title, and the unit where it does not say it.
fn head(title: &str, unit: &str) -> String {
    if title.to_lowercase().starts_with(unit) { title.to_owned() } else { format!("{title} ({unit})") }
}

/// `1 KiB`.
fn octets(bound: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let found = units.into_iter().find(|(shift, _)| bound >> shift > 0);
    found.map_or_else(|| bound.to_string(), |(shift, unit)| format!("{} {unit}", bound >> shift))
}

fn time_label(point: &Point, answer: &Answer, zone: &TimeZone) -> Option<String> {
    let Point::Time(at, _) = point else { return None };
    let format = match answer.bucket {
        Some("1m" | "15m" | "1h") if answer.to.duration_since(answer.from).as_hours() <= 24 => "%H:%M",
        Some("1m" | "15m" | "1h") => "%m-%d %H:%M",
        Some("1mo") => "%Y-%m",
        _ if answer.to.duration_since(answer.from).as_hours() > 24 * 300 => "%F",
        _ => "%m-%d",
    };
    Some(local(*at, zone, format))
}

fn local(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

/// A name from a server or a sender.
fn shown(name: &str) -> String {
    vigie_common::text::inert(name, 40)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::series::{Line, Metric};

    fn answer(metric: Metric, labels: &[(&'static str, &str)], points: Vec<Point>) -> Answer {
        let labels = labels.iter().map(|(name, value)| (*name, Some((*value).to_owned()))).collect();
        Answer {
            metric: metric.as_str(),
            unit: metric.unit(),
            kind: metric.kind(),
            from: "2026-01-01T00:00:00Z".parse().unwrap(),
            to: "2026-01-03T00:00:00Z".parse().unwrap(),
            bucket: Some("1d"),
            tz: "Asia/Kathmandu".into(),
            group_by: None,
            series: vec![Line { labels, points, ..Line::default() }; 2],
            complete: true,
            generated_at: "2026-01-03T00:00:00Z".parse().unwrap(),
        }
    }

    fn drawn(answer: &Answer) -> String {
        let zone = TimeZone::get(&answer.tz).unwrap();
        svg(answer, "Bytes received", &zone, Size { width: 600, height: 200 }).unwrap()
    }

    #[test]
    fn names_from_servers_are_text() {
        let at = "2025-12-31T18:15:00Z".parse().unwrap();
        let points = vec![Point::Time(at, Some(Value::Count(5 << 30)))];
        let drawn = drawn(&answer(Metric::Bytes, &[("mailbox", "<script>\u{1b}&\"'")], points));
        assert!(
            !drawn.contains("<script") && !drawn.contains('\u{1b}') && drawn.contains("&lt;script"),
            "{drawn}"
        );
        // The unit, and the time by the clock of the zone.
        assert!(drawn.contains("Bytes received (GiB)") && drawn.contains("01-01"), "{drawn}");
        assert!(drawn.contains("2026-01-01 05:45 to 2026-01-03 05:45, Asia/Kathmandu"), "{drawn}");
    }

    #[test]
    fn where_nothing_is_there_it_says_so() {
        assert!(drawn(&answer(Metric::Sizes, &[], Vec::new())).contains("<svg"));
        assert!(drawn(&answer(Metric::HostCpu, &[], Vec::new())).contains("<svg"));
        assert!(drawn(&answer(Metric::Hours, &[], Vec::new())).contains("<svg"));
    }

    #[test]
    fn bounds_of_sizes_are_short() {
        assert_eq!([0, 1024, 512 << 10, 4 << 30].map(octets), ["0", "1 KiB", "512 KiB", "4 GiB"]);
    }
}
