//! Which calls make a round durable: fsync of each file, or syncfs of the whole file system. Pure.
//!
//! For many files one `syncfs` costs next to nothing, where `fsync` of each costs ten times the rest of
//! the work. But `syncfs` waits for everybody else's writes too: where another program keeps the disk
//! busy it can be the slower one. So both are measured.

use std::time::Duration;

use crate::round::{SyncTiming, Way};

/// More files than this are synced as a whole.
const FEW: usize = 12;
/// What fsync of one file costs, before it was measured.
const GUESS: Duration = Duration::from_micros(600);
/// Longest time without trying the whole again, in rounds.
const LONGEST: u32 = 64;

/// What was measured so far.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// What fsync of each costs per file, as a moving mean.
    each: Duration,
    /// Rounds yet to be synced file by file.
    detour: u32,
    /// How many, the next time that the whole turns out slower.
    next_detour: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { each: GUESS, detour: 0, next_detour: 1 }
    }
}

impl Pace {
    /// How to sync a round of so many files.
    pub(crate) const fn choose(&self, files: usize) -> Way {
        match files {
            0 => Way::None,
            1..=FEW => Way::Each,
            _ if self.detour > 0 => Way::Each,
            _ => Way::Whole,
        }
    }

    /// What it took.
    pub(crate) fn measured(&mut self, sync: SyncTiming) {
        let files = u32::try_from(sync.files).unwrap_or(u32::MAX);
        match sync.way {
            Way::None => {}
            Way::Each => {
                self.each = (self.each * 3 + sync.took / files.max(1)) / 4;
                if sync.files > FEW {
                    self.detour = self.detour.saturating_sub(1);
                }
            }
            Way::Whole if sync.took > self.each.saturating_mul(files) => {
                tracing::info!(
                    files,
                    took = ?sync.took,
                    each = ?self.each,
                    rounds = self.next_detour,
                    "syncing the whole file system was slower than syncing each file would be: \
                     other programs keep the disk busy; the next large rounds sync file by file"
                );
                self.detour = self.next_detour;
                self.next_detour = self.next_detour.saturating_mul(2).min(LONGEST);
            }
            Way::Whole => self.next_detour = 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(pace: &mut Pace, files: usize, millis: u64) -> Way {
        let way = pace.choose(files);
        pace.measured(SyncTiming { way, files, took: Duration::from_millis(millis) });
        way
    }

    #[test]
    fn few_files_one_by_one_many_as_a_whole() {
        let mut pace = Pace::default();
        assert_eq!(round(&mut pace, 0, 0), Way::None);
        assert_eq!(round(&mut pace, 12, 5), Way::Each);
        assert_eq!(round(&mut pace, 13, 1), Way::Whole);
    }

    #[test]
    fn a_slow_whole_is_left_for_ever_longer_and_tried_again() {
        let mut pace = Pace::default();
        let mut ways = |n| (0..n).map(|_| round(&mut pace, 1000, 900)).collect::<Vec<_>>();
        assert_eq!(ways(2), [Way::Whole, Way::Each]);
        assert_eq!(ways(3), [Way::Whole, Way::Each, Way::Each], "twice as long");
        let mut pace = Pace { next_detour: 8, ..Pace::default() };
        assert_eq!(round(&mut pace, 1000, 40), Way::Whole);
        assert_eq!(round(&mut pace, 1000, 900), Way::Whole);
        assert_eq!(round(&mut pace, 1000, 600), Way::Each);
        assert_eq!(round(&mut pace, 1000, 40), Way::Whole, "a fast one forgave the past");
    }
}
