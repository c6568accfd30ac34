//! Runs a Dovecot until stdin closes: `dovecot DIR [USER=MAILDIR]...`
//!
//! The Maildirs are imported, then one JSON line on stdout tells the ports.

use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use vigie_testkit::dovecot::Dovecot;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let home = arguments.next().context("usage: dovecot DIR [USER=MAILDIR]...")?;
    let server = Dovecot::start_in(Path::new(&home))?;
    for fill in arguments {
        let (user, maildir) =
            fill.split_once('=').with_context(|| format!("`{fill}` is not USER=MAILDIR"))?;
        server.import(user, Path::new(maildir))?;
    }
    writeln!(io::stdout(), r#"{{"port":{},"tlsPort":{}}}"#, server.port(), server.tls_port())?;
    let mut ignored = Vec::new();
    io::stdin().read_to_end(&mut ignored).context("cannot wait for the end of stdin")?;
    Ok(())
}
