//! What a former life appended to segments and did not record: looked at when the archive is opened.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::catalog::{self, Catalog};
use crate::disk::{Folders, Root, parent};
use crate::error::Error;
use crate::layout;
use crate::segment::{Ending, Header, Pair, Scan, SegmentName};

/// Scans segments past the end that the catalog records. Whole pairs join the catalog's blobs; an incomplete
/// one at the very end of an account's last segment is cut. Any other damage stays, for `verify` to report.
pub(crate) fn recover(root: &Root, catalog: &Catalog, folders: &mut Folders) -> Result<(), Error> {
    let recorded: HashMap<SegmentName, u64> =
        catalog.get(catalog::segments)?.into_iter().map(|(_, name, length)| (name, length)).collect();
    for account in root.list(layout::RAW)? {
        let names = segments_of(root, &account)?;
        for name in &names {
            let start = recorded.get(name).copied().unwrap_or_default();
            let last = names.last() == Some(name);
            segment(root, catalog, folders, name, start, last)?;
        }
    }
    Ok(())
}

/// The segments of an account that are on disk, in their order.
pub(crate) fn segments_of(root: &Root, account: &str) -> Result<Vec<SegmentName>, Error> {
    let folder = format!("{}/{account}", layout::RAW);
    let mut names = Vec::new();
    for month in root.list(&folder)? {
        for file in root.list(&format!("{folder}/{month}"))? {
            if let Some(number) = file.strip_suffix(".mail.zst").and_then(|number| number.parse().ok()) {
                names.push(SegmentName { account: account.to_owned(), month: month.clone(), number });
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn segment(
    root: &Root,
    catalog: &Catalog,
    folders: &mut Folders,
    name: &SegmentName,
    recorded: u64,
    last: bool,
) -> Result<(), Error> {
    let path = name.path();
    let file = root.edit(&path)?;
    let error = |e| Error::disk("read", root.path().join(&path), e);
    let length = file.metadata().map_err(error)?.len();
    if length < recorded {
        tracing::warn!(%path, length, recorded, "a raw segment is shorter than recorded: run verify");
    }
    if length <= recorded && recorded > 0 {
        return Ok(());
    }
    let (pairs, ending) = pairs(&file, recorded, length).map_err(error)?;
    let end = pairs.last().map_or(recorded, |pair| pair.end);
    if !pairs.is_empty() {
        adopt(root, catalog, folders, &file, name, &pairs)?;
        tracing::info!(%path, pairs = pairs.len(), "raw bytes found that a former run had not recorded");
    }
    match ending {
        // Left by a life that died before its first pair was whole.
        Ending::Whole | Ending::Cut if last && end == 0 => root.remove(&path)?,
        Ending::Whole => {}
        Ending::Cut if last => {
            tracing::info!(%path, end, octets = length - end, "an incomplete pair at the end is cut");
            root.cut(&path, end)?;
        }
        Ending::Cut => tracing::warn!(%path, end, "a raw segment ends within a pair: run verify"),
        Ending::Damaged(what) => tracing::warn!(%path, what, "a raw segment is damaged: run verify"),
    }
    Ok(())
}

/// Whole pairs from `start` on, and what ends them. A pair of which only the length arrived on disk, and
/// zeros in place of its end, is as incomplete as one that is shorter.
fn pairs(file: &File, start: u64, length: u64) -> io::Result<(Vec<Pair>, Ending)> {
    let (pairs, ending) = scan(file, start, length)?;
    if let Ending::Damaged(_) = ending {
        let end = pairs.last().map_or(start, |pair| pair.end);
        let written = without_zeros(file, end, length)?;
        if written < length
            && matches!(scan(file, end, written)?, (none, Ending::Whole | Ending::Cut) if none.is_empty())
        {
            return Ok((pairs, Ending::Cut));
        }
    }
    Ok((pairs, ending))
}

fn scan(mut file: &File, start: u64, end: u64) -> io::Result<(Vec<Pair>, Ending)> {
    file.seek(SeekFrom::Start(start))?;
    let mut scan = Scan::new(BufReader::with_capacity(1 << 18, file.take(end - start)), start);
    let mut pairs = Vec::new();
    loop {
        match scan.pair()? {
            Ok(pair) => pairs.push(pair),
            Err(ending) => return Ok((pairs, ending)),
        }
    }
}

/// Where the zeros at the end of a file begin, not before `start`.
fn without_zeros(mut file: &File, start: u64, end: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(start))?;
    let (mut at, mut written) = (start, start);
    for byte in BufReader::with_capacity(1 << 18, file.take(end - start)).bytes() {
        at += 1;
        if byte? != 0 {
            written = at;
        }
    }
    Ok(written)
}

/// Makes pairs durable and records where their bytes lie. Their messages are not stored by that: they will be
/// fetched again, and find their bytes kept.
fn adopt(
    root: &Root,
    catalog: &Catalog,
    folders: &mut Folders,
    file: &File,
    name: &SegmentName,
    pairs: &[Pair],
) -> Result<(), Error> {
    let path = name.path();
    root.sync_file(file, &path)?;
    folders.ensure(root, parent(&path))?;
    let mut to_sync = folders.to_sync();
    to_sync.insert(parent(&path).to_owned());
    to_sync.iter().try_for_each(|folder| root.sync_folder(folder))?;
    folders.settle();
    let tx = catalog.begin()?;
    let record = || {
        let end = pairs.last().map_or(0, |pair| pair.end);
        let segment = catalog::set_segment(&tx, name, end)?;
        for pair in pairs {
            let place = pair.frame.map(|(offset, length)| (segment, offset, length));
            if place.is_some() {
                let Header { blob_id, size, .. } = &pair.header;
                catalog::insert_blob(&tx, &name.account, blob_id, *size, None, place)?;
            }
        }
        Ok(())
    };
    record().map_err(|e| catalog.error("write", e))?;
    catalog.commit(tx)
}
