//! Configuration and secret on disk: whole or not at all, durable, and readable by those who could read them before.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

/// Replaces the content of `file`, which was `before` (`None`: it did not exist), and keeps mode and owner. What it was
/// is kept beside it, under the name that is given back.
///
/// # Errors
/// It cannot be written, or somebody else has changed it meanwhile; then it is as it was.
pub(super) fn replace(file: &Path, before: Option<&str>, text: &str) -> io::Result<Option<PathBuf>> {
    // A link is followed: the file that it leads to is the configuration.
    let target = if before.is_some() { fs::canonicalize(file)? } else { std::path::absolute(file)? };
    let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else {
        return Err(io::Error::other("it is no file"));
    };
    let beside = |end: &str| folder.join(format!("{}{end}", name.to_string_lossy()));
    let new = beside(&format!(".{}.new", std::process::id()));
    let former = beside(".former");
    let written = (|| {
        let mut out = OpenOptions::new().write(true).create_new(true).open(&new)?;
        if before.is_some() {
            keep_owner(&out, &fs::metadata(&target)?)?;
        }
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        match before {
            Some(before) if fs::read_to_string(&target)? != before => {
                return Err(io::Error::other("somebody has changed it meanwhile; run the command again"));
            }
            Some(_) => {
                let _ = fs::remove_file(&former);
                // The same file under a second name, with its mode and owner; where links are not known, a copy.
                fs::hard_link(&target, &former).or_else(|_| fs::copy(&target, &former).map(drop))?;
                fs::rename(&new, &target)?;
            }
            // Never over one that has appeared meanwhile.
            None => {
                fs::hard_link(&new, &target)?;
                fs::remove_file(&new)?;
            }
        }
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.map(|()| before.map(|_| former))
}

/// Writes `secret` to the new `file` (0600), whose folder is made (0700) where there is none. It belongs to whom the
/// folder belongs.
///
/// # Errors
/// It cannot be written, or is there already.
pub(super) fn keep(file: &Path, secret: &SecretString) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        DirBuilder::new().mode(0o700).create(folder)?;
        let made = File::open(folder)?;
        let owner = fs::metadata(above)?;
        keep_owner_of(&made, &owner)?;
        File::open(above)?.sync_all()?;
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    let written = (|| {
        keep_owner_of(&out, &fs::metadata(folder)?)?;
        out.write_all(secret.expose_secret().as_bytes())?;
        out.write_all(b"\n")?;
        out.sync_all()?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(file);
    }
    written
}

fn keep_owner(file: &File, like: &fs::Metadata) -> io::Result<()> {
    keep_owner_of(file, like)?;
    file.set_permissions(Permissions::from_mode(like.mode() & 0o7777))
}

/// As root, what is made for another user must belong to that user.
fn keep_owner_of(file: &File, like: &fs::Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    match fchown(file, Some(like.uid()), Some(like.gid())) {
        // Somebody else of a group that may write: the file becomes theirs, as with any editor.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_configuration_keeps_its_mode_and_its_former_self() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.toml"), folder.path().join("vigie.toml"));
        fs::write(&file, "one").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for (before, after) in [("one", "two"), ("two", "three")] {
            let former = replace(&link, Some(before), after).unwrap().unwrap();
            assert_eq!(fs::read_to_string(&former).unwrap(), before);
            assert_eq!(fs::read_to_string(&file).unwrap(), after);
            assert_eq!((mode(&file), mode(&former)), (0o640, 0o640));
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_somebody_else_wrote_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vigie.toml");
        fs::write(&file, "theirs").unwrap();
        for before in [Some("ours"), None] {
            replace(&file, before, "new").unwrap_err();
            assert_eq!(fs::read_to_string(&file).unwrap(), "theirs");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets/ada");
        keep(&file, &SecretString::from("canary")).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "canary\n");
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        keep(&file, &SecretString::from("other")).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), "canary\n");
    }
}
