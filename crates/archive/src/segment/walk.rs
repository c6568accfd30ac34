//! Every whole pair of a segment, over what is damaged between them.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::frame::SKIPPABLE;
use super::{Ending, Pair, Scan};
use crate::disk::Root;
use crate::error::Error;

/// How every header of ours begins, behind the eight octets that make it a skippable frame.
const HEADER: &[u8] = br#"{"id":""#;
/// Octets of the skippable frame before its content: its number and its length.
const FRAME: usize = 8;
/// Read at a time.
const PORTION: usize = 1 << 18;

/// What a walk came upon besides whole pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walked {
    /// Where what is damaged begins and ends, and what it is; whole pairs follow.
    pub(crate) holes: Vec<(u64, u64, String)>,
    /// Where the last whole pair ends.
    pub(crate) end: u64,
    /// What follows there.
    pub(crate) ending: Ending,
}

/// Calls `each` for every whole pair from `start` to `end`, and whether all before it was whole: behind a hole, what
/// looks like a pair may be part of a message, put there by its sender. Its bytes hash right; its header proves nothing.
pub(crate) fn walk(
    root: &Root,
    path: &str,
    file: &File,
    (start, end): (u64, u64),
    each: &mut dyn FnMut(Pair, bool) -> Result<(), Error>,
) -> Result<Walked, Error> {
    let error = |e| Error::disk("read", root.path().join(path), e);
    let mut walked = Walked { holes: Vec::new(), end: start, ending: Ending::Whole };
    let mut at = start;
    // Where damage began that no whole pair has followed yet.
    let mut hole: Option<(u64, String)> = None;
    loop {
        let mut handle = file;
        handle.seek(SeekFrom::Start(at)).map_err(error)?;
        let mut scan = Scan::new(BufReader::with_capacity(PORTION, handle.take(end.saturating_sub(at))), at);
        let mut begin = at;
        let ending = loop {
            match scan.pair().map_err(error)? {
                Ok(pair) => {
                    if let Some((from, what)) = hole.take() {
                        walked.holes.push((from, begin, what));
                    }
                    begin = pair.end;
                    walked.end = pair.end;
                    each(pair, walked.holes.is_empty())?;
                }
                Err(ending) => break ending,
            }
        };
        let what = match &ending {
            Ending::Whole => None,
            Ending::Cut => Some("a pair that is cut".to_owned()),
            Ending::Damaged(what) => Some(what.clone()),
        };
        let next = if what.is_some() { next(file, begin + 1, end).map_err(error)? } else { None };
        let (Some(what), Some(next)) = (what, next) else {
            // Nothing but damage followed the last whole pair.
            walked.ending = match hole {
                Some((_, what)) => Ending::Damaged(what),
                None => ending,
            };
            return Ok(walked);
        };
        hole.get_or_insert((begin, what));
        at = next;
    }
}

/// Where, at or behind `from`, something begins that looks like a pair.
fn next(mut file: &File, from: u64, end: u64) -> io::Result<Option<u64>> {
    file.seek(SeekFrom::Start(from))?;
    let mut rest = file.take(end.saturating_sub(from));
    let (mut offset, mut seen) = (from, Vec::new());
    loop {
        let read = rest.by_ref().take(PORTION as u64).read_to_end(&mut seen)?;
        let length = FRAME + HEADER.len();
        let found = seen.windows(length).position(|window| {
            window.starts_with(&SKIPPABLE.to_le_bytes()) && window.get(FRAME..) == Some(HEADER)
        });
        if let Some(at) = found {
            return Ok(Some(offset + at as u64));
        }
        if read == 0 {
            return Ok(None);
        }
        // One may lie across the border.
        let done = seen.len().saturating_sub(length - 1);
        seen.drain(..done);
        offset += done as u64;
    }
}
