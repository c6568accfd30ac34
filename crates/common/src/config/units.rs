//! Sizes and durations as people write them: `16MiB`, `20s`.

use std::fmt;
use std::str::FromStr;
use std::time;

use schemars::JsonSchema;
use serde::Deserialize;

/// A number of bytes: `512`, `64KiB`, `16MiB`, `1GiB`, or in powers of ten `kB`, `MB`, `GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is no size: write a number and a unit, such as \"16MiB\"");
        let trimmed = text.trim();
        let (digits, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((trimmed.strip_suffix(name)?, *unit)))
            .unwrap_or((trimmed, 1));
        let count: u64 = digits.trim_end().parse().map_err(|_| refused())?;
        count.checked_mul(unit).map(Size).ok_or_else(refused)
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Size {
    /// In the largest binary unit that leaves at least 1, with one decimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0;
        let mut rest = 0;
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 {
                return if unit == "B" {
                    write!(f, "{value} B")
                } else {
                    write!(f, "{value}.{} {unit}", rest * 10 / 1024)
                };
            }
            rest = value % 1024;
            value /= 1024;
        }
        write!(f, "{value}.{} TiB", rest * 10 / 1024)
    }
}

/// A length of time: `500ms`, `20s`, `5m`, `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Duration(pub time::Duration);

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A bare number is refused: whether it means seconds or milliseconds is anybody's guess.
        let length: Option<jiff::SignedDuration> = text.trim().parse().ok();
        length.and_then(|length| time::Duration::try_from(length).ok()).map(Duration).ok_or_else(|| {
            format!("`{text}` is no length of time: write a number and a unit, such as \"20s\"")
        })
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::SignedDuration::try_from(self.0) {
            Ok(length) => write!(f, "{length:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}
