//! Coverage: ranges of UIDs that a mailbox's generation is done with.

use std::ops::RangeInclusive;

use rusqlite::Connection;

use crate::mailbox::MailboxId;
use crate::uid_set::UidSet;

/// A generation of a mailbox: its uidvalidity, and our count.
pub(crate) type Generation = (u32, u32);

/// Why a UID is in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is dealt with.
    Covered,
    /// Its message is stored: part of what is covered.
    Stored,
    /// It is older than `since`.
    Skipped,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Stored => "stored",
            Self::Skipped => "skipped",
        }
    }
}

/// Adds UIDs; only the rows that they touch are written.
pub(crate) fn cover(
    db: &Connection,
    mailbox: MailboxId,
    (validity, generation): Generation,
    kind: Kind,
    uids: &UidSet,
) -> rusqlite::Result<()> {
    let of = "mailbox = ?1 AND uidvalidity = ?2 AND generation = ?3 AND kind = ?4";
    let sql = format!("SELECT first, last FROM coverage WHERE {of} AND first <= ?6 + 1 AND last >= ?5 - 1");
    let mut touched = db.prepare_cached(&sql)?;
    let mut remove = db.prepare_cached(&format!("DELETE FROM coverage WHERE {of} AND first = ?5"))?;
    let mut insert = db.prepare_cached("INSERT INTO coverage VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let kind = kind.as_str();
    for range in uids.iter() {
        let (mut first, mut last) = range.into_inner();
        let old: Vec<(u32, u32)> = touched
            .query_map((mailbox.0, validity, generation, kind, first, last), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for &(from, to) in &old {
            remove.execute((mailbox.0, validity, generation, kind, from))?;
            (first, last) = (first.min(from), last.max(to));
        }
        insert.execute((mailbox.0, validity, generation, kind, first, last))?;
    }
    Ok(())
}

/// Takes UIDs out, all of which are in; only the rows that hold them are written.
pub(crate) fn uncover(
    db: &Connection,
    mailbox: MailboxId,
    (validity, generation): Generation,
    kind: Kind,
    uids: &UidSet,
) -> rusqlite::Result<()> {
    let of = "mailbox = ?1 AND uidvalidity = ?2 AND generation = ?3 AND kind = ?4";
    let sql =
        format!("SELECT first, last FROM coverage WHERE {of} AND first <= ?5 ORDER BY first DESC LIMIT 1");
    let mut holding = db.prepare_cached(&sql)?;
    let mut remove = db.prepare_cached(&format!("DELETE FROM coverage WHERE {of} AND first = ?5"))?;
    let mut insert = db.prepare_cached("INSERT INTO coverage VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let kind = kind.as_str();
    for range in uids.iter() {
        let row: (u32, u32) = holding
            .query_row((mailbox.0, validity, generation, kind, range.start()), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        remove.execute((mailbox.0, validity, generation, kind, row.0))?;
        for left in UidSet::of(range).missing(row.0, row.1).iter() {
            insert.execute((mailbox.0, validity, generation, kind, left.start(), left.end()))?;
        }
    }
    Ok(())
}

/// The UIDs of one kind.
pub(crate) fn ranges(
    db: &Connection,
    mailbox: MailboxId,
    (validity, generation): Generation,
    kind: Kind,
) -> rusqlite::Result<UidSet> {
    db.prepare_cached(
        "SELECT first, last FROM coverage
         WHERE mailbox = ?1 AND uidvalidity = ?2 AND generation = ?3 AND kind = ?4 ORDER BY first",
    )?
    .query_map((mailbox.0, validity, generation, kind.as_str()), range)?
    .collect()
}

fn range(row: &rusqlite::Row<'_>) -> rusqlite::Result<RangeInclusive<u32>> {
    Ok(row.get(0)?..=row.get(1)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any order of rounds ends in the same rows.
        #[test]
        fn rows_are_the_set(sets in prop::collection::vec(prop::collection::vec((0u32..80, 0u32..9, any::<bool>()), 0..6), 0..6), gone in prop::collection::vec((0u32..80, 0u32..9), 0..9)) {
            let db = Connection::open_in_memory().unwrap();
            db.execute_batch(super::super::SCHEMA).unwrap();
            db.pragma_update(None, "foreign_keys", false).unwrap();
            let (mailbox, mut model) = (MailboxId(1), UidSet::new());
            for set in sets {
                let set: UidSet = set
                    .into_iter()
                    .map(|(first, n, top)| if top { u32::MAX - first - n..=u32::MAX - first } else { first..=first + n })
                    .collect();
                cover(&db, mailbox, (1, 0), Kind::Covered, &set).unwrap();
                cover(&db, mailbox, (1, 1), Kind::Covered, &UidSet::of(7..=7)).unwrap();
                model.union(&set);
            }
            prop_assert_eq!(ranges(&db, mailbox, (1, 0), Kind::Covered).unwrap(), model.clone());
            let gone = gone.into_iter().map(|(first, n)| first..=first + n).collect::<UidSet>().intersection(&model);
            uncover(&db, mailbox, (1, 0), Kind::Covered, &gone).unwrap();
            model = model.difference(&gone);
            prop_assert_eq!(ranges(&db, mailbox, (1, 0), Kind::Covered).unwrap(), model.clone());
            let rows: usize = db.query_row("SELECT count(*) FROM coverage WHERE generation = 0", [], |r| r.get(0)).unwrap();
            prop_assert_eq!(rows, model.iter().len(), "ranges do not touch");
        }
    }
}
