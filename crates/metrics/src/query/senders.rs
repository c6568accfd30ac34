//! Who sends most.

use std::cmp::Reverse;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::Connection;
use serde::Serialize;

use super::scan::{Column, Scan};

/// What counts as one sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// An address.
    Address,
    /// A domain.
    Domain,
}

impl By {
    /// The word in questions and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Domain => "domain",
        }
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "address" => Ok(Self::Address),
            "domain" => Ok(Self::Domain),
            _ => Err("write address or domain".into()),
        }
    }
}

/// One sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sender {
    /// Address or domain.
    pub sender: String,
    /// Messages.
    pub messages: u64,
    /// Octets of them.
    pub bytes: u64,
    /// When the first of the range was received.
    pub first_at: Timestamp,
    /// When the last of the range was received.
    pub last_at: Timestamp,
}

/// The largest senders, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Senders {
    /// The largest first.
    pub items: Vec<Sender>,
    /// All of the range.
    pub senders: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    messages: u64,
    bytes: u64,
    first: i64,
    last: i64,
}

/// The largest senders of a range.
///
/// # Errors
/// From the database.
pub fn largest(db: &Connection, scan: &Scan<'_>, by: By, limit: usize) -> rusqlite::Result<Senders> {
    let (column, table) = match by {
        By::Address => (Column::Senders, "sender"),
        By::Domain => (Column::Domains, "domain"),
    };
    let mut sums: Vec<Sum> = Vec::new();
    scan.days(db, &[column, Column::Sizes], |_, _, rows| {
        for row in rows {
            let number = if by == By::Address { row.sender } else { row.domain };
            let index = usize::try_from(number).unwrap_or(0);
            if sums.len() <= index {
                sums.resize(index + 1, Sum::default());
            }
            let Some(sum) = sums.get_mut(index) else { continue };
            if sum.messages == 0 {
                (sum.first, sum.last) = (row.at, row.at);
            }
            sum.messages += 1;
            sum.bytes = sum.bytes.saturating_add(row.size);
            (sum.first, sum.last) = (sum.first.min(row.at), sum.last.max(row.at));
        }
    })?;
    // Number 0 is none.
    let mut all: Vec<(usize, Sum)> =
        sums.into_iter().enumerate().skip(1).filter(|(_, sum)| sum.messages > 0).collect();
    let senders = u64::try_from(all.len()).unwrap_or(u64::MAX);
    let size = |(number, sum): &(usize, Sum)| (Reverse(sum.messages), Reverse(sum.bytes), *number);
    if limit < all.len() {
        all.select_nth_unstable_by_key(limit, size);
        all.truncate(limit);
    }
    all.sort_unstable_by_key(size);
    let mut name = db.prepare_cached(&format!("SELECT name FROM {table} WHERE id = ?1"))?;
    let items = all
        .into_iter()
        .map(|(number, sum)| {
            let number = i64::try_from(number).unwrap_or(0);
            Ok(Sender {
                sender: name.query_row([number], |row| row.get(0))?,
                messages: sum.messages,
                bytes: sum.bytes,
                first_at: Timestamp::from_second(sum.first).unwrap_or_default(),
                last_at: Timestamp::from_second(sum.last).unwrap_or_default(),
            })
        })
        .collect::<rusqlite::Result<_>>()?;
    Ok(Senders { items, senders })
}
