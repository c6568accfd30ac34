//! Reads the messages of a range, page by page in the order of days, and only the columns that are needed.

use rusqlite::Connection;

use crate::model::page::{Columns, DAY, Row, day_of, day_of_page, first_page};

/// A column besides the time and the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Numbers of mailboxes.
    Mailboxes,
    /// Numbers of senders.
    Senders,
    /// Numbers of domains.
    Domains,
    /// Octets.
    Sizes,
    /// Seconds on the way.
    Delays,
}

/// Which accounts are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All.
    All,
    /// Those whose number has a `true`.
    Some(Vec<bool>),
}

impl Scope {
    /// The accounts for which `sees` holds.
    ///
    /// # Errors
    /// From the database.
    pub fn of(db: &Connection, sees: impl Fn(&str) -> bool) -> rusqlite::Result<Self> {
        let mut query = db.prepare_cached("SELECT id, name FROM account")?;
        let mut rows = query.query([])?;
        let (mut seen, mut all) = (Vec::new(), true);
        while let Some(row) = rows.next()? {
            let id: usize = row.get::<_, u32>(0)?.try_into().unwrap_or_default();
            let yes = sees(row.get_ref(1)?.as_str()?);
            all &= yes;
            if seen.len() <= id {
                seen.resize(id + 1, false);
            }
            if let Some(place) = seen.get_mut(id) {
                *place = yes;
            }
        }
        Ok(if all { Self::All } else { Self::Some(seen) })
    }

    /// Whether an account is counted.
    #[must_use]
    pub fn has(&self, account: u32) -> bool {
        match self {
            Self::All => true,
            Self::Some(seen) => {
                usize::try_from(account).is_ok_and(|id| seen.get(id).copied().unwrap_or(false))
            }
        }
    }
}

/// Which messages: from the first second up to, and without, the second one, of these accounts.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// First second.
    pub from: i64,
    /// The second after the last.
    pub to: i64,
    /// Accounts.
    pub scope: &'a Scope,
}

impl Scan<'_> {
    /// Gives each page to `visit`: the first moment of it, the one behind it, and its messages.
    ///
    /// # Errors
    /// From the database.
    pub fn days(
        &self,
        db: &Connection,
        columns: &[Column],
        mut visit: impl FnMut(i64, i64, Rows<'_>),
    ) -> rusqlite::Result<()> {
        let name = |column: Column, name: &'static str| if columns.contains(&column) { name } else { "NULL" };
        let sql = format!(
            "SELECT id, seconds, accounts, {}, {}, {}, {}, {} FROM page WHERE id >= ?1 AND id < ?2 ORDER BY id",
            name(Column::Mailboxes, "mailboxes"),
            name(Column::Senders, "senders"),
            name(Column::Domains, "domains"),
            name(Column::Sizes, "sizes"),
            name(Column::Delays, "delays"),
        );
        let mut query = db.prepare_cached(&sql)?;
        let (first, last) = (day_of(self.from), day_of(self.to - 1));
        let mut rows = query.query((first_page(first), first_page(last + 1)))?;
        while let Some(row) = rows.next()? {
            let day = day_of_page(row.get(0)?);
            let column =
                |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_blob_or_null()?.unwrap_or(&[]));
            let page = Columns {
                seconds: column(1)?,
                accounts: column(2)?,
                mailboxes: column(3)?,
                senders: column(4)?,
                domains: column(5)?,
                sizes: column(6)?,
                delays: column(7)?,
            };
            let (begin, end) = (self.from.max(day * DAY), self.to.min((day + 1) * DAY));
            visit(begin, end, Rows { page, day, index: 0, begin, end, scope: self.scope });
        }
        Ok(())
    }
}

/// The messages of a page that are asked for.
#[derive(Debug)]
pub struct Rows<'a> {
    page: Columns<'a>,
    day: i64,
    index: usize,
    begin: i64,
    end: i64,
    scope: &'a Scope,
}

impl Iterator for Rows<'_> {
    type Item = Row;

    #[inline]
    fn next(&mut self) -> Option<Row> {
        while self.index < self.page.len() {
            let row = self.page.row(self.day, self.index);
            self.index += 1;
            if row.at >= self.begin && row.at < self.end && self.scope.has(row.account) {
                return Some(row);
            }
        }
        None
    }
}
