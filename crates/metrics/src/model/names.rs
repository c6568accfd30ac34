//! Names and the numbers that stand for them in rows.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

/// Numbers kept at hand of each kind; when there are more, they are forgotten and looked up again.
const KEPT: usize = 10_000;

/// Numbers that were looked up lately.
#[derive(Debug, Default)]
pub(super) struct Names {
    accounts: HashMap<String, u32>,
    mailboxes: HashMap<(u32, String), u32>,
    senders: HashMap<String, u32>,
    domains: HashMap<String, u32>,
}

impl Names {
    pub(super) fn account(&mut self, db: &Connection, name: &str) -> rusqlite::Result<u32> {
        number(db, &mut self.accounts, "account", name)
    }

    /// 0 for none.
    pub(super) fn sender(&mut self, db: &Connection, name: Option<&str>) -> rusqlite::Result<u32> {
        name.map_or(Ok(0), |name| number(db, &mut self.senders, "sender", name))
    }

    /// 0 for none.
    pub(super) fn domain(&mut self, db: &Connection, name: Option<&str>) -> rusqlite::Result<u32> {
        name.map_or(Ok(0), |name| number(db, &mut self.domains, "domain", name))
    }

    pub(super) fn mailbox(&mut self, db: &Connection, account: u32, name: &str) -> rusqlite::Result<u32> {
        let key = (account, name.to_owned());
        if let Some(&number) = self.mailboxes.get(&key) {
            return Ok(number);
        }
        let known = "SELECT id FROM mailbox WHERE account = ?1 AND name = ?2";
        let found = db.prepare_cached(known)?.query_row((account, name), |row| row.get(0)).optional()?;
        let number = match found {
            Some(number) => number,
            None => db
                .prepare_cached("INSERT INTO mailbox (account, name) VALUES (?1, ?2) RETURNING id")?
                .query_row((account, name), |row| row.get(0))?,
        };
        keep(&mut self.mailboxes, key, number);
        Ok(number)
    }
}

fn number(
    db: &Connection,
    known: &mut HashMap<String, u32>,
    table: &str,
    name: &str,
) -> rusqlite::Result<u32> {
    if let Some(&number) = known.get(name) {
        return Ok(number);
    }
    let find = format!("SELECT id FROM {table} WHERE name = ?1");
    let found = db.prepare_cached(&find)?.query_row([name], |row| row.get(0)).optional()?;
    let number = match found {
        Some(number) => number,
        None => db
            .prepare_cached(&format!("INSERT INTO {table} (name) VALUES (?1) RETURNING id"))?
            .query_row([name], |row| row.get(0))?,
    };
    keep(known, name.to_owned(), number);
    Ok(number)
}

fn keep<K: std::hash::Hash + Eq>(known: &mut HashMap<K, u32>, key: K, number: u32) {
    if known.len() >= KEPT {
        known.clear();
    }
    known.insert(key, number);
}
