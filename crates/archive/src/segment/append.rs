//! Appending to the segments of each account.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Seek, SeekFrom};

use crate::content::Content;
use crate::disk::{Folders, Root, parent};
use crate::error::Error;
use crate::layout;
use crate::steps::roll;

/// A segment that has reached this is left, and another begun.
const ROLL: u64 = 64 << 20;
/// Pairs are gathered up to this before they are written.
const GATHER: usize = 1 << 20;

/// Which segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    pub(crate) account: String,
    pub(crate) month: String,
    pub(crate) number: u32,
}

impl SegmentName {
    /// Where it lies.
    pub(crate) fn path(&self) -> String {
        layout::segment(&self.account, &self.month, self.number)
    }

    fn next(&self, month: &str) -> Self {
        // The clock may have been set back: the order of names is the order of segments all the same.
        let (month, number) = if self.month.as_str() >= month {
            (&*self.month, self.number.saturating_add(1))
        } else {
            (month, 1)
        };
        Self { account: self.account.clone(), month: month.to_owned(), number }
    }
}

/// A segment being appended to.
#[derive(Debug)]
struct Open {
    name: SegmentName,
    file: File,
    /// How far it is recorded.
    recorded: u64,
    /// How far it is written, with what waits in `gathered`.
    end: u64,
    gathered: Vec<u8>,
}

/// Where the account's next pair goes.
#[derive(Debug)]
enum Place {
    /// Behind the last one.
    Open(Open),
    /// Into a new segment with a name behind this one: this one must not be touched again.
    Behind(SegmentName),
}

/// The segments that are appended to, at most one for an account.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    places: HashMap<String, Place>,
    /// Segments of the present round, the open ones included.
    round: BTreeSet<SegmentName>,
    /// Segments left full within the present round, not yet synced.
    full: Vec<Open>,
    /// What failed rounds left behind, and how far it is recorded: to be cut.
    debris: Vec<(SegmentName, u64)>,
}

impl Segments {
    /// Whether nothing is known of this account's segments: then [`last`](Self::last) is due.
    pub(crate) fn knows(&self, account: &str) -> bool {
        self.places.contains_key(account)
    }

    /// Tells the last segment of an account that the catalog records, and how far.
    pub(crate) fn last(&mut self, root: &Root, name: SegmentName, recorded: u64) -> Result<(), Error> {
        let account = name.account.clone();
        let fit = match root.edit(&name.path()) {
            // Shorter or longer than recorded: damage, which is not ours to write behind.
            Ok(file) => Some(file).filter(|file| file.metadata().is_ok_and(|now| now.len() == recorded)),
            Err(Error::Failed { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let place = match fit {
            Some(mut file) => {
                let path = name.path();
                file.seek(SeekFrom::End(0)).map_err(|e| Error::disk("open", root.path().join(&path), e))?;
                Place::Open(Open { name, file, recorded, end: recorded, gathered: Vec::new() })
            }
            None => Place::Behind(name),
        };
        self.places.insert(account, place);
        Ok(())
    }

    /// Appends a header and, if there is one, its frame; says in which segment and where the frame begins.
    pub(crate) fn append(
        &mut self,
        root: &Root,
        folders: &mut Folders,
        (account, month): (&str, &str),
        header: &[u8],
        frame: Option<&Content>,
    ) -> Result<(SegmentName, u64), Error> {
        let mut open = match self.places.remove(account) {
            Some(Place::Open(open)) if open.name.month.as_str() >= month && open.end < roll(ROLL) => open,
            left => self.begin(root, folders, (account, month), left)?,
        };
        self.round.insert(open.name.clone());
        let written = open.append(root, header, frame).map(|offset| (open.name.clone(), offset));
        self.places.insert(account.to_owned(), Place::Open(open));
        written
    }

    /// Writes what is gathered.
    pub(crate) fn flush(&mut self, root: &Root) -> Result<(), Error> {
        self.of_round().try_for_each(|open| open.flush(root))
    }

    /// Makes the segments of the round durable, one by one.
    pub(crate) fn sync(&mut self, root: &Root) -> Result<(), Error> {
        self.of_round().try_for_each(|open| root.sync_file(&open.file, &open.name.path()))
    }

    /// The segments of the round, and how far they reach now.
    pub(crate) fn ends(&mut self) -> Vec<(SegmentName, u64)> {
        self.of_round().map(|open| (open.name.clone(), open.end)).collect()
    }

    /// Folders in which this round began a segment.
    pub(crate) fn folders(&mut self) -> BTreeSet<String> {
        self.of_round()
            .filter(|open| open.recorded == 0)
            .map(|open| parent(&open.name.path()).to_owned())
            .collect()
    }

    /// How many segments the round has written to.
    pub(crate) fn touched(&self) -> usize {
        self.round.len()
    }

    /// The segments are recorded as far as `ends` says; what the next round has appended behind is not.
    pub(crate) fn settle(&mut self, ends: &[(SegmentName, u64)]) {
        for (name, end) in ends {
            let mut more = false;
            for open in self.of_round().filter(|open| open.name == *name) {
                open.recorded = *end;
                more = open.end > *end;
            }
            if !more {
                self.round.remove(name);
                self.full.retain(|open| open.name != *name);
            }
        }
    }

    /// The round failed: what it appended is cut off, and nothing is appended there again.
    pub(crate) fn abandon(&mut self, root: &Root) {
        let round = std::mem::take(&mut self.round);
        self.debris.extend(self.full.drain(..).map(|open| (open.name, open.recorded)));
        for name in round {
            if let Some(place) = self.places.get_mut(&name.account)
                && let Place::Open(open) = place
                && open.name == name
            {
                self.debris.push((name.clone(), open.recorded));
                *place = Place::Behind(name);
            }
        }
        self.clear(root);
    }

    /// Tries to cut what failed rounds left. That a disk which has just failed does not let us is no new
    /// failure: it is tried again before the next round.
    pub(crate) fn clear(&mut self, root: &Root) {
        self.debris.retain(|(name, recorded)| {
            let path = name.path();
            let cut = match (root.exists(&path), recorded) {
                (Ok(false), _) => Ok(()),
                (Ok(true), 0) => root.remove(&path),
                (Ok(true), &recorded) => root.cut(&path, recorded),
                (Err(error), _) => Err(error),
            };
            cut.is_err()
        });
    }

    /// Begins the account's next segment.
    fn begin(
        &mut self,
        root: &Root,
        folders: &mut Folders,
        (account, month): (&str, &str),
        left: Option<Place>,
    ) -> Result<Open, Error> {
        let last = match left {
            None => None,
            Some(Place::Behind(name)) => Some(name),
            Some(Place::Open(mut open)) => {
                let name = open.name.clone();
                if self.round.contains(&name) {
                    // Whole on disk before the next one is there: an incomplete pair may only end the last segment.
                    let whole = open.flush(root).and_then(|()| root.sync_file(&open.file, &name.path()));
                    self.full.push(open);
                    if whole.is_err() {
                        self.places.insert(account.to_owned(), Place::Behind(name.clone()));
                    }
                    whole?;
                }
                Some(name)
            }
        };
        let mut name = last.as_ref().map_or_else(
            || SegmentName { account: account.to_owned(), month: month.to_owned(), number: 1 },
            |last| last.next(month),
        );
        // Should this fail, the segment that was left stays left.
        if let Some(last) = last {
            self.places.insert(account.to_owned(), Place::Behind(last));
        }
        folders.ensure(root, parent(&name.path()))?;
        // A name that is taken is left alone.
        while root.exists(&name.path())? {
            name.number = name.number.saturating_add(1);
        }
        let file = root.create(&name.path())?;
        Ok(Open { name, file, recorded: 0, end: 0, gathered: Vec::new() })
    }

    fn of_round(&mut self) -> impl Iterator<Item = &mut Open> {
        let round = &self.round;
        let open = self.places.values_mut().filter_map(|place| match place {
            Place::Open(open) if round.contains(&open.name) => Some(open),
            _ => None,
        });
        self.full.iter_mut().chain(open)
    }
}

impl Open {
    fn append(&mut self, root: &Root, header: &[u8], frame: Option<&Content>) -> Result<u64, Error> {
        self.gathered.extend_from_slice(header);
        let begin = self.end + header.len() as u64;
        match frame {
            Some(Content::Memory(bytes)) if bytes.len() < GATHER => self.gathered.extend_from_slice(bytes),
            Some(large) => {
                self.flush(root)?;
                root.copy(&self.file, &self.name.path(), large)?;
            }
            None => {}
        }
        self.end = begin + frame.map_or(0, Content::len);
        if self.gathered.len() >= GATHER {
            self.flush(root)?;
        }
        Ok(begin)
    }

    fn flush(&mut self, root: &Root) -> Result<(), Error> {
        if !self.gathered.is_empty() {
            root.write(&self.file, &self.name.path(), &self.gathered)?;
            self.gathered.clear();
        }
        Ok(())
    }
}
