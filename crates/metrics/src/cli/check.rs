//! `check`: the configuration, the users, the archive and the place of the read model, without changing anything.

use rustix::fs::Access as May;
use vigie_archive::Reader;
use vigie_common::config::Loaded;
use vigie_common::exit::Exit;
use vigie_web::Access;

use super::{Outcome, say};
use crate::model;
use crate::settings::Settings;

pub(super) fn run(loaded: &Loaded, settings: &Settings) -> Outcome {
    let mut worst = Exit::Done;
    let mut fault = |exit: Exit| worst = if worst == Exit::Done { exit } else { worst };
    say("configuration: good")?;
    match Access::check(loaded, settings.listen) {
        Ok(()) => say(&format!("address {}: good", settings.listen))?,
        Err(error) => {
            fault(Exit::Config);
            say(&format!("address {}: {error}", settings.listen))?;
        }
    }
    let archive = settings.archive.display();
    match Reader::open(&settings.archive).and_then(|reader| reader.totals()) {
        Ok(totals) => say(&format!("archive {archive}: good, {} messages", totals.messages))?,
        Err(vigie_archive::Error::NoArchive { .. }) => {
            say(&format!("archive {archive}: none yet; metrics waits for it"))?;
        }
        Err(error) => {
            fault(Exit::Unavailable);
            say(&format!("archive {archive}: {error}"))?;
        }
    }
    let folder = settings.database.ancestors().skip(1).find(|folder| folder.exists());
    let writable = folder.map(|folder| rustix::fs::access(folder, May::WRITE_OK | May::EXEC_OK));
    match writable {
        Some(Ok(())) => match model::check_ours(&settings.database) {
            Ok(()) => say(&format!("read model {}: good", settings.database.display()))?,
            Err(error) => {
                fault(Exit::Config);
                say(&format!("read model {}: {error}", settings.database.display()))?;
            }
        },
        _ => {
            fault(Exit::CannotWrite);
            say(&format!(
                "read model {}: its folder cannot be written to; check owner and mode",
                settings.database.display()
            ))?;
        }
    }
    Ok(worst)
}
