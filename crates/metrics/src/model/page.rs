//! A page: the dated messages of one UTC day, or some thousand of them, column by column. Pure.

use jiff::Timestamp;

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Messages of a page; a day with more has several pages.
pub const ROOM: usize = 4096;
/// Numbers of pages of one day.
const PAGES: i64 = 1 << 16;
/// Stands for a delay that is not known.
const NO_DELAY: i32 = i32::MIN;

/// What charts need of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Seconds since 1970.
    pub at: i64,
    /// Number of the account.
    pub account: u32,
    /// Number of the mailbox.
    pub mailbox: u32,
    /// Number of the sender; 0 for none.
    pub sender: u32,
    /// Number of the sender's domain; 0 for none.
    pub domain: u32,
    /// Octets.
    pub size: u64,
    /// Seconds from the header's date to the receipt; may be negative.
    pub delay: Option<i32>,
}

/// The page of a moment: its day, in days since 1970.
#[must_use]
pub fn day_of(at: i64) -> i64 {
    at.div_euclid(DAY)
}

/// The id of the first page that a day may have.
#[must_use]
pub fn first_page(day: i64) -> i64 {
    day.saturating_mul(PAGES)
}

/// The day of a page.
#[must_use]
pub fn day_of_page(id: i64) -> i64 {
    id.div_euclid(PAGES)
}

/// Seconds between two moments, as far as 32 bits can tell.
#[must_use]
pub fn delay(sent: Timestamp, received: Timestamp) -> i32 {
    let seconds = received.duration_since(sent).as_secs();
    i32::try_from(seconds).unwrap_or(if seconds < 0 { -i32::MAX } else { i32::MAX })
}

/// The columns of a page, borrowed from its row. One that was not asked for is empty and reads as none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Columns<'a> {
    /// `seconds`.
    pub seconds: &'a [u8],
    /// `accounts`.
    pub accounts: &'a [u8],
    /// `mailboxes`.
    pub mailboxes: &'a [u8],
    /// `senders`.
    pub senders: &'a [u8],
    /// `domains`.
    pub domains: &'a [u8],
    /// `sizes`.
    pub sizes: &'a [u8],
    /// `delays`.
    pub delays: &'a [u8],
}

impl Columns<'_> {
    /// How many messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seconds.len() / 4
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A message of a page of a day.
    #[inline]
    #[must_use]
    pub fn row(&self, day: i64, index: usize) -> Row {
        Row {
            at: day * DAY + i64::from(u32_at(self.seconds, index)),
            account: u32_at(self.accounts, index),
            mailbox: u32_at(self.mailboxes, index),
            sender: u32_at(self.senders, index),
            domain: u32_at(self.domains, index),
            size: array_at(self.sizes, index).map_or(0, u64::from_le_bytes),
            delay: array_at(self.delays, index).map(i32::from_le_bytes).filter(|&delay| delay != NO_DELAY),
        }
    }

    /// The messages of a page of a day.
    pub fn rows(&self, day: i64) -> impl Iterator<Item = Row> + '_ {
        (0..self.len()).map(move |index| self.row(day, index))
    }
}

#[inline]
fn u32_at(column: &[u8], index: usize) -> u32 {
    array_at(column, index).map_or(0, u32::from_le_bytes)
}

#[inline]
fn array_at<const N: usize>(column: &[u8], index: usize) -> Option<[u8; N]> {
    column.get(index * N..)?.first_chunk().copied()
}

/// The columns of a page, owned, to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    rows: Vec<Row>,
}

impl Page {
    /// Reads a page of a day.
    #[must_use]
    pub fn read(day: i64, columns: Columns<'_>) -> Self {
        Self { rows: columns.rows(day).collect() }
    }

    /// Whether another message has room.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.rows.len() < ROOM
    }

    /// Whether there is no message left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a message.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Takes a message out; `false` if there is none like it.
    pub fn remove(&mut self, row: &Row) -> bool {
        let found = self.rows.iter().position(|one| one == row);
        found.map(|index| self.rows.swap_remove(index)).is_some()
    }

    /// The columns, in the order of the table.
    #[must_use]
    pub fn columns(&self) -> [Vec<u8>; 7] {
        fn column<const N: usize>(rows: &[Row], of: impl Fn(&Row) -> [u8; N]) -> Vec<u8> {
            rows.iter().flat_map(of).collect()
        }
        let rows = &self.rows;
        [
            column(rows, |row| {
                // Of one day: it fits.
                u32::try_from(row.at.rem_euclid(DAY)).unwrap_or_default().to_le_bytes()
            }),
            column(rows, |row| row.account.to_le_bytes()),
            column(rows, |row| row.mailbox.to_le_bytes()),
            column(rows, |row| row.sender.to_le_bytes()),
            column(rows, |row| row.domain.to_le_bytes()),
            column(rows, |row| row.size.to_le_bytes()),
            column(rows, |row| row.delay.unwrap_or(NO_DELAY).to_le_bytes()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn a_row(day: i64)(
            second in 0..DAY, account: u32, mailbox: u32, sender: u32, domain: u32, size: u64,
            delay in prop::option::of(-i32::MAX..),
        ) -> Row {
            Row { at: day * DAY + second, account, mailbox, sender, domain, size, delay }
        }
    }

    proptest! {
        #[test]
        fn a_page_reads_back(
            (day, rows) in (-1_000_000i64..1_000_000)
                .prop_flat_map(|day| (Just(day), prop::collection::vec(a_row(day), 0..20))),
        ) {
            let mut page = Page::default();
            rows.iter().for_each(|row| page.push(*row));
            let [seconds, accounts, mailboxes, senders, domains, sizes, delays] = page.columns();
            let columns = Columns {
                seconds: &seconds, accounts: &accounts, mailboxes: &mailboxes, senders: &senders,
                domains: &domains, sizes: &sizes, delays: &delays,
            };
            prop_assert_eq!(columns.rows(day).collect::<Vec<_>>(), rows);
            prop_assert_eq!(day_of_page(first_page(day) + 7), day);
            prop_assert_eq!(Page::read(day, columns), page);
        }
    }

    #[test]
    fn what_was_added_can_be_taken_out_once() {
        let row = Row { at: 5, account: 1, mailbox: 1, sender: 0, domain: 0, size: 9, delay: None };
        let mut page = Page::default();
        page.push(row);
        assert!(page.remove(&row) && page.is_empty());
        assert!(!page.remove(&row));
    }

    #[test]
    fn a_delay_that_is_too_long_is_as_long_as_can_be() {
        let (least, most) = (Timestamp::MIN, Timestamp::MAX);
        assert_eq!(delay(least, most), i32::MAX);
        assert_eq!(delay(most, least), -i32::MAX);
    }
}
