//! The key that signs sessions: a file of both faces, made by whichever comes first.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::session::Key;

/// Reads `session.key` in the data folder, or makes it: by link without replacing, so that two faces that start
/// together end with the same one.
pub(super) fn read_or_make(data: &Path) -> io::Result<Key> {
    let file = data.join("session.key");
    if let Some(key) = read(&file)? {
        return Ok(key);
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    let new = data.join(format!(".session.key.{}.{:016x}", std::process::id(), rand::random::<u64>()));
    let written = write(&new).and_then(|()| match fs::hard_link(&new, &file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&new);
    written.and(removed)?;
    read(&file)?.ok_or_else(|| io::Error::other("it was made and is gone"))
}

fn write(file: &Path) -> io::Result<()> {
    let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    new.write_all(&rand::random::<[u8; 32]>())?;
    new.sync_all()
}

fn read(file: &Path) -> io::Result<Option<Key>> {
    match fs::read(file) {
        Ok(bytes) => match bytes.try_into() {
            Ok(bytes) => Ok(Some(Key(bytes))),
            Err(_) => Err(io::Error::other("it does not hold 32 bytes; remove it, everybody logs in again")),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn all_who_start_together_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let makers: Vec<_> = (0..8)
            .map(|_| {
                let data = data.clone();
                std::thread::spawn(move || read_or_make(&data).unwrap().0)
            })
            .collect();
        let keys: Vec<_> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
        assert!(keys.iter().all(|key| *key == keys[0]));
        let names: Vec<_> = fs::read_dir(&data).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(names, ["session.key"]);
        let mode = fs::metadata(data.join("session.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("session.key"), "short").unwrap();
        assert!(read_or_make(folder.path()).unwrap_err().to_string().contains("remove it"));
    }
}
