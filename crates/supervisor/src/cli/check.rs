//! `check`: the configuration and what it needs, without changing anything.

use std::path::{Path, PathBuf};

use vigie_common::cli::{Failure, Outcome, say};
use vigie_common::config::Loaded;
use vigie_common::exit::Exit;
use vigie_web::Access;

use crate::process::spawn;
use crate::settings::Settings;

pub(super) fn run(loaded: &Loaded) -> Outcome {
    let bad = |error: &dyn std::fmt::Display| Failure::new(Exit::Config, error);
    let settings = Settings::from_config(loaded).map_err(|e| bad(&e))?;
    let listen = vigie_web::serve::address(&loaded.config.supervisor.listen)
        .map_err(|fault| bad(&format!("[supervisor] listen: {fault}")))?;
    Access::check(loaded, listen).map_err(|e| bad(&e))?;
    let mut exit = Exit::Done;
    for service in &settings.services {
        match found(&spawn::program(service).path) {
            Some(program) => say(&format!("{}: {}", service.id, program.display()))?,
            None => {
                let name = service.command.first().map_or("", String::as_str);
                say(&format!("{}: there is no program `{name}`", service.id))?;
                exit = Exit::Unavailable;
            }
        }
    }
    say(&format!("{} services; the page will be on {listen}", settings.services.len()))?;
    Ok(exit)
}

/// Where a program is: a bare name is sought in PATH.
fn found(program: &Path) -> Option<PathBuf> {
    let bare = program.components().count() == 1 && !program.is_absolute();
    let path = std::env::var_os("PATH").filter(|_| bare).unwrap_or_default();
    let places = std::env::split_paths(&path).map(|folder| folder.join(program));
    if bare {
        places.into_iter().find(|place| place.is_file())
    } else {
        Some(program.into()).filter(|_| program.is_file())
    }
}
