//! The bytes of one message out of its segment.

use std::io::{self, Read, Seek, SeekFrom};

use crate::disk::Root;
use crate::reader::Location;

/// What is at that place; whether it is what it should be is for the caller to see, by its hash.
pub(crate) fn read(root: &Root, place: &Location) -> io::Result<Vec<u8>> {
    let mut file = root.look_at(&place.segment)?;
    file.seek(SeekFrom::Start(place.offset))?;
    let mut bytes = Vec::new();
    // One octet more than there should be: enough to see that there is too much.
    let decoder = zstd::stream::read::Decoder::new(file.take(place.length))?;
    decoder.take(place.size.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
