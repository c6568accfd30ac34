//! Samples of the host, in tiers: the older, the coarser.

use rusqlite::Connection;

use super::Model;
use crate::error::Result;

/// Seconds of a step, and for how long such steps are kept (`None`: for ever).
pub const TIERS: [(i64, Option<i64>); 4] =
    [(10, Some(2 * 86_400)), (60, Some(30 * 86_400)), (900, Some(730 * 86_400)), (86_400, None)];

/// What the host did at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// Seconds since 1970.
    pub at: i64,
    /// Share of all cores in use, 0 to 1.
    pub cpu: f64,
    /// Load over one minute.
    pub load: f64,
    /// Octets of memory in use.
    pub memory_used: f64,
    /// Octets of memory that may be used.
    pub memory_limit: f64,
    /// Octets in use of the archive's file system.
    pub disk_used: f64,
    /// Octets of it.
    pub disk_total: f64,
    /// Octets received a second.
    pub received: f64,
    /// Octets sent a second.
    pub sent: f64,
}

impl Model {
    /// Adds a sample to the step of each tier.
    ///
    /// # Errors
    /// From the database.
    pub fn sample(&mut self, sample: &Sample) -> Result<()> {
        self.write(|db, _| {
            TIERS.iter().try_for_each(|(step, kept)| {
                add(db, *step, sample)?;
                kept.map_or(Ok(()), |kept| forget(db, *step, sample.at - kept))
            })
        })
    }
}

fn add(db: &Connection, step: i64, sample: &Sample) -> rusqlite::Result<()> {
    let at = sample.at.div_euclid(step) * step;
    db.prepare_cached(
        "INSERT INTO host_sample VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO UPDATE SET samples = samples + 1, cpu = cpu + excluded.cpu, load = load + excluded.load,
           memory_used = memory_used + excluded.memory_used, memory_limit = memory_limit + excluded.memory_limit,
           disk_used = disk_used + excluded.disk_used, disk_total = disk_total + excluded.disk_total,
           received = received + excluded.received, sent = sent + excluded.sent",
    )?
    .execute((
        step,
        at,
        sample.cpu,
        sample.load,
        sample.memory_used,
        sample.memory_limit,
        sample.disk_used,
        sample.disk_total,
        sample.received,
        sample.sent,
    ))
    .map(drop)
}

fn forget(db: &Connection, step: i64, before: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM host_sample WHERE step = ?1 AND at < ?2")?
        .execute((step, before))
        .map(drop)
}
