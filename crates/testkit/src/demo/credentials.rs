//! What a client needs to log in, in the state folder: the password, and the authority's certificate.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::PASSWORD;
use crate::tls::{self, Authority, Identity, Kind};

/// Writes the password file, and the certificates unless they are there from an earlier start:
/// clients that have read `ca.pem` go on trusting.
pub(super) fn prepare(folder: &Path) -> Result<Identity> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    tls::write(&folder.join("password"), &format!("{PASSWORD}\n"), 0o600)?;
    let (ca, certificate, key) =
        (folder.join("ca.pem"), folder.join("server.pem"), folder.join("server.key"));
    if ca.exists()
        && let Ok(identity) = Identity::read(&certificate, &key)
        && identity.acceptor().is_ok()
    {
        return Ok(identity);
    }
    let authority = Authority::new()?;
    let identity = authority.identity(Kind::Valid)?;
    identity.write(&certificate, &key)?;
    // Last, so that where it is, the others are.
    authority.write(&ca)?;
    Ok(identity)
}
