//! What lies in the folders.

use super::Scratch;
use crate::disk::Root;
use crate::error::Error;
use crate::layout;

/// Takes down all documents; their octets, and how many files there are none of ours.
pub(super) fn documents(root: &Root, scratch: &mut Scratch) -> Result<(u64, u64), Error> {
    let (mut octets, mut stray) = (0, 0);
    for account in root.list(layout::MESSAGES)? {
        let folder = format!("{}/{account}", layout::MESSAGES);
        files(root, &folder, &mut |path| {
            let stem = path.strip_suffix(".json").and_then(|stem| stem.rsplit(['/', '-']).next());
            match stem.filter(|stem| stem.parse::<vigie_common::id::Id>().is_ok()) {
                Some(id) if scratch.document(&account, id, path)? => octets += root.size(path)?,
                _ => stray += 1,
            }
            Ok(())
        })?;
    }
    Ok((octets, stray))
}

/// Octets of all files in a folder and below.
pub(super) fn octets(root: &Root, folder: &str) -> Result<u64, Error> {
    let mut sum = 0;
    files(root, folder, &mut |path| {
        sum += root.size(path)?;
        Ok(())
    })?;
    Ok(sum)
}

/// Calls `each` for every file in a folder and below, in the order of their names. What is neither file nor folder is
/// none of ours.
pub(super) fn files(
    root: &Root,
    folder: &str,
    each: &mut dyn FnMut(&str) -> Result<(), Error>,
) -> Result<(), Error> {
    for name in root.list(folder)? {
        let path = format!("{folder}/{name}");
        if root.is_folder(&path)? {
            files(root, &path, each)?;
        } else if root.is_file(&path)? {
            each(&path)?;
        }
    }
    Ok(())
}
