//! Figures as people read them. Pure.

use jiff::Timestamp;

/// A length of time in its two largest units: `2 h 05 min`.
pub(crate) fn span(seconds: f64) -> String {
    let all = seconds.max(0.0) as u64;
    let (days, hours, minutes, seconds) = (all / 86_400, all / 3600 % 24, all / 60 % 60, all % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {seconds:02} s"),
        (0, _, _) => format!("{hours} h {minutes:02} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Octets: `12.4 MiB`.
pub(crate) fn size(octets: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = octets as f64;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{octets} B") } else { format!("{value:.1} {unit}") }
}

/// An instant to the second, in UTC.
pub(crate) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The time of day of an instant, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let spans = [
            (0.4, "0 s"),
            (59.9, "59 s"),
            (61.0, "1 min 01 s"),
            (7_500.0, "2 h 05 min"),
            (90_000.0, "1 d 1 h"),
        ];
        for (seconds, text) in spans {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(
            [size(0), size(1023), size(1536), size(12 << 30)],
            ["0 B", "1023 B", "1.5 KiB", "12.0 GiB"]
        );
        let at: Timestamp = "2026-11-01T08:15:30.9Z".parse().unwrap();
        assert_eq!((instant(at).as_str(), time(at).as_str()), ("2026-11-01 08:15:30", "08:15:30"));
    }
}
