//! A series as CSV, safe to open in a spreadsheet. Pure.

use jiff::Timestamp;

use crate::query::series::{Answer, Kind, Line, Point, Value};

/// One row a point, one column a series.
#[must_use]
pub fn csv(answer: &Answer) -> String {
    let mut out = String::new();
    match answer.kind {
        Kind::Time => {
            let names = answer.series.iter().map(|line| name(line, answer.unit));
            row(&mut out, ["time".to_owned()].into_iter().chain(names));
            let length = answer.series.iter().map(|line| line.points.len()).max().unwrap_or(0);
            for index in 0..length {
                let points = || answer.series.iter().map(|line| line.points.get(index));
                let time = points().flatten().find_map(time).map(|at| at.to_string()).unwrap_or_default();
                row(&mut out, [time].into_iter().chain(points().map(value)));
            }
        }
        Kind::Histogram | Kind::Matrix => {
            let head: &[&str] = if answer.kind == Kind::Matrix {
                &["weekday", "hour", answer.unit]
            } else {
                &["from_bytes", answer.unit]
            };
            row(&mut out, head.iter().map(|&name| name.to_owned()));
            for point in answer.series.iter().flat_map(|line| &line.points) {
                match point {
                    Point::Size(bound, count) => row(&mut out, [bound, count].map(u64::to_string)),
                    Point::Hour(day, hour, count) => {
                        row(&mut out, [day.to_string(), hour.to_string(), count.to_string()]);
                    }
                    Point::Time(..) => {}
                }
            }
        }
    }
    out
}

/// What a line is called: its labels, or the unit where it has none.
#[must_use]
pub fn name(line: &Line, unit: &str) -> String {
    if line.rest {
        return "others".to_owned();
    }
    let labels: Vec<&str> = line.labels.values().map(|value| value.as_deref().unwrap_or("none")).collect();
    match (line.labels.get("quantile"), labels.is_empty()) {
        (Some(Some(quantile)), _) => format!("quantile {quantile}"),
        (_, true) => unit.to_owned(),
        _ => labels.join("/"),
    }
}

fn time(point: &Point) -> Option<Timestamp> {
    match point {
        Point::Time(at, _) => Some(*at),
        _ => None,
    }
}

fn value(point: Option<&Point>) -> String {
    match point {
        Some(Point::Time(_, Some(Value::Count(count)))) => count.to_string(),
        Some(Point::Time(_, Some(Value::Measure(measure)))) => measure.to_string(),
        _ => String::new(),
    }
}

fn row(out: &mut String, cells: impl IntoIterator<Item = String>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&safe(&cell));
    }
    out.push_str("\r\n");
}

/// A cell that no spreadsheet takes for a formula, whoever wrote its text.
fn safe(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let number = cell.parse::<f64>().is_ok();
    let mut text = if formula && !number { format!("'{cell}") } else { cell.to_owned() };
    if text.contains([',', '"', '\n', '\r', '\'', ';']) {
        text = format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, written) in [
            ("plain", "plain"),
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-5.5", "-5.5"),
            ("-x", "\"'-x\""),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("\tx", "\"'\tx\""),
        ] {
            assert_eq!(safe(cell), written, "{cell}");
        }
    }
}
