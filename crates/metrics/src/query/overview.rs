//! Sums over all mail, and over the last days.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use rusqlite::Connection;
use serde::Serialize;

use super::scan::{Column, Scan, Scope};
use crate::model::page::{Columns, day_of_page};

/// Messages and octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Messages.
    pub messages: u64,
    /// Octets of them.
    pub bytes: u64,
}

/// An account and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Account id.
    pub id: String,
    /// What it holds.
    #[serde(flatten)]
    pub amount: Amount,
}

/// Sums over all mail that is indexed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// Stored copies.
    pub messages: u64,
    /// Those of them that are no copy of another.
    pub unique_messages: u64,
    /// Those that are.
    pub duplicates: u64,
    /// Octets.
    pub bytes: u64,
    /// Attachments.
    pub attachments: u64,
    /// Octets of them.
    pub attachment_bytes: u64,
    /// Messages without a time of receipt.
    pub undated_messages: u64,
    /// Received today.
    pub today: Amount,
    /// Received yesterday.
    pub yesterday: Amount,
    /// Received in the last 24 hours.
    pub last_24_hours: Amount,
    /// Receipt of the newest message.
    pub newest_received_at: Option<Timestamp>,
    /// When a message was last stored.
    pub newest_stored_at: Option<Timestamp>,
    /// Receipt of the oldest message.
    pub oldest_received_at: Option<Timestamp>,
    /// By account.
    pub accounts: Vec<Account>,
}

impl Overview {
    /// Sums up the accounts for which `sees` holds; days are those of the zone.
    ///
    /// # Errors
    /// From the database.
    pub fn read(
        db: &Connection,
        zone: &TimeZone,
        now: Timestamp,
        sees: impl Fn(&str) -> bool,
    ) -> rusqlite::Result<Self> {
        let mut all = Self::default();
        let mut stored = None;
        let mut query = db.prepare_cached(
            "SELECT name, messages, bytes, duplicates, attachments, attachment_bytes, undated, last_stored
             FROM account ORDER BY name",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let id: String = row.get(0)?;
            if !sees(&id) {
                continue;
            }
            let amount = Amount { messages: row.get(1)?, bytes: row.get(2)? };
            all.messages += amount.messages;
            all.bytes += amount.bytes;
            all.duplicates += row.get::<_, u64>(3)?;
            all.attachments += row.get::<_, u64>(4)?;
            all.attachment_bytes += row.get::<_, u64>(5)?;
            all.undated_messages += row.get::<_, u64>(6)?;
            stored = stored.max(row.get::<_, Option<i64>>(7)?);
            all.accounts.push(Account { id, amount });
        }
        all.unique_messages = all.messages.saturating_sub(all.duplicates);
        all.newest_stored_at = stored.and_then(|at| Timestamp::from_microsecond(at).ok());
        let scope = Scope::of(db, sees)?;
        all.newest_received_at = utmost(db, &scope, "DESC", i64::max)?;
        all.oldest_received_at = utmost(db, &scope, "ASC", i64::min)?;
        all.days(db, &scope, zone, now)?;
        Ok(all)
    }

    fn days(
        &mut self,
        db: &Connection,
        scope: &Scope,
        zone: &TimeZone,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let today = now.to_zoned(zone.clone()).start_of_day();
        let midnight = |days: i64| {
            let at = today.as_ref().ok()?.checked_sub(days.days()).ok()?;
            at.start_of_day().ok().map(|at| at.timestamp().as_second())
        };
        let now = now.as_second() + 1;
        let (today, yesterday) = (midnight(0).unwrap_or(now), midnight(1).unwrap_or(now));
        let day = now - SignedDuration::from_hours(24).as_secs();
        let scan = Scan { from: yesterday.min(day), to: now, scope };
        scan.days(db, &[Column::Sizes], |_, _, rows| {
            for row in rows {
                let count = |amount: &mut Amount| {
                    amount.messages += 1;
                    amount.bytes = amount.bytes.saturating_add(row.size);
                };
                if row.at >= today {
                    count(&mut self.today);
                } else if row.at >= yesterday {
                    count(&mut self.yesterday);
                }
                if row.at >= day {
                    count(&mut self.last_24_hours);
                }
            }
        })
    }
}

/// The first or last receipt: in the utmost page that has a message of these accounts. Pages of one day are not in
/// order, so all of that day are looked at.
fn utmost(
    db: &Connection,
    scope: &Scope,
    order: &str,
    better: fn(i64, i64) -> i64,
) -> rusqlite::Result<Option<Timestamp>> {
    let sql = format!("SELECT id, seconds, accounts FROM page ORDER BY id {order}");
    let mut query = db.prepare_cached(&sql)?;
    let mut rows = query.query([])?;
    let mut best: Option<(i64, i64)> = None;
    while let Some(row) = rows.next()? {
        let day = day_of_page(row.get(0)?);
        if best.is_some_and(|(found, _)| found != day) {
            break;
        }
        let page = Columns {
            seconds: row.get_ref(1)?.as_blob()?,
            accounts: row.get_ref(2)?.as_blob()?,
            ..Columns::default()
        };
        for row in page.rows(day).filter(|row| scope.has(row.account)) {
            best = Some((day, best.map_or(row.at, |(_, at)| better(at, row.at))));
        }
    }
    Ok(best.and_then(|(_, at)| Timestamp::from_second(at).ok()))
}
