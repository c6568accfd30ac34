//! `rebuild`: forget all that was counted.

use vigie_common::exit::Exit;

use super::{Outcome, failure, say};
use crate::model::Model;
use crate::settings::Settings;

pub(super) fn run(settings: &Settings) -> Outcome {
    let mut model = Model::open(&settings.database).map_err(|e| failure(&e))?;
    model.clear().map_err(|e| failure(&e))?;
    say(&format!("{}: empty; `vigie-metrics run` counts everything anew", settings.database.display()))?;
    Ok(Exit::Done)
}
