//! A series as it is answered: as JSON, and for drawing. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// What is asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Messages received.
    Messages,
    /// Octets received.
    Bytes,
    /// Distinct senders.
    Senders,
    /// From the header's date to the receipt.
    Delay,
    /// Messages by their size.
    Sizes,
    /// Messages by weekday and hour.
    Hours,
    /// Use of the cores.
    HostCpu,
    /// Use of memory.
    HostMemory,
    /// Load over one minute.
    HostLoad,
    /// Use of the archive's file system.
    HostDisk,
    /// Traffic.
    HostNetwork,
}

/// How the points of a series are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A time and a value.
    Time,
    /// A lower bound and a count.
    Histogram,
    /// Weekday, hour and a count.
    Matrix,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Messages,
        Self::Bytes,
        Self::Senders,
        Self::Delay,
        Self::Sizes,
        Self::Hours,
        Self::HostCpu,
        Self::HostMemory,
        Self::HostLoad,
        Self::HostDisk,
        Self::HostNetwork,
    ];

    /// The name in addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Bytes => "bytes",
            Self::Senders => "senders",
            Self::Delay => "delay",
            Self::Sizes => "sizes",
            Self::Hours => "hours",
            Self::HostCpu => "host_cpu",
            Self::HostMemory => "host_memory",
            Self::HostLoad => "host_load",
            Self::HostDisk => "host_disk",
            Self::HostNetwork => "host_network",
        }
    }

    /// For the title of a drawing.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Messages => "Messages",
            Self::Bytes => "Bytes received",
            Self::Senders => "Senders",
            Self::Delay => "Delivery delay",
            Self::Sizes => "Message sizes",
            Self::Hours => "Messages by weekday and hour",
            Self::HostCpu => "CPU",
            Self::HostMemory => "Memory",
            Self::HostLoad => "Load",
            Self::HostDisk => "Disk of the archive",
            Self::HostNetwork => "Network",
        }
    }

    /// The unit of its values.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Messages | Self::Sizes | Self::Hours => "messages",
            Self::Bytes | Self::HostMemory | Self::HostDisk => "bytes",
            Self::Senders => "senders",
            Self::Delay => "seconds",
            Self::HostCpu => "ratio",
            Self::HostLoad => "load",
            Self::HostNetwork => "bytes/s",
        }
    }

    /// How its points are to be read.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Sizes => Kind::Histogram,
            Self::Hours => Kind::Matrix,
            _ => Kind::Time,
        }
    }
}

/// What a question about a series is answered with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// What was asked for.
    pub metric: &'static str,
    /// Of the values.
    pub unit: &'static str,
    /// How points are to be read.
    pub kind: Kind,
    /// First moment.
    pub from: Timestamp,
    /// First moment after.
    pub to: Timestamp,
    /// The bucket that was used.
    pub bucket: Option<&'static str>,
    /// The zone whose clock and calendar cut the buckets.
    pub tz: String,
    /// By what the series are told apart.
    pub group_by: Option<&'static str>,
    /// The series, the largest first.
    pub series: Vec<Line>,
    /// Whether all of the range is known.
    pub complete: bool,
    /// When this was answered.
    pub generated_at: Timestamp,
}

/// One series.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Line {
    /// What tells it from the others.
    pub labels: BTreeMap<&'static str, Option<String>>,
    /// Whether it sums up those that have none of their own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rest: bool,
    /// Its points.
    pub points: Vec<Point>,
    /// Over the whole range, where that means something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// One point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Point {
    /// Beginning of the bucket, and the value; none where nothing is known.
    Time(Timestamp, Option<Value>),
    /// Lower bound in octets, and how many.
    Size(u64, u64),
    /// Weekday (1 is Monday), hour, and how many.
    Hour(u8, u8, u64),
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Counted.
    Count(u64),
    /// Measured.
    Measure(f64),
}

impl Value {
    /// As a number to draw.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a drawing has fewer points than a float has digits")]
    pub const fn number(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Measure(measure) => measure,
        }
    }
}

/// Points of a line over time: one for each beginning.
pub(super) fn over_time(starts: &[i64], values: impl IntoIterator<Item = Option<Value>>) -> Vec<Point> {
    let points = starts.iter().zip(values);
    // Beginnings come from times: they are some.
    points.filter_map(|(&at, value)| Some(Point::Time(Timestamp::from_second(at).ok()?, value))).collect()
}

/// Labels of one name.
pub(super) fn label(name: &'static str, value: Option<&str>) -> BTreeMap<&'static str, Option<String>> {
    BTreeMap::from([(name, value.map(str::to_owned))])
}
