//! What is wanted of each service, kept over restarts of the supervisor: a service that a person stopped stays down.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::file;
use crate::service::words::Desired;

/// The file, and what it holds.
#[derive(Debug)]
pub(crate) struct Wishes {
    path: PathBuf,
    wishes: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// With the generation of the command that said so.
    wishes: BTreeMap<String, (u64, Desired)>,
    /// Whether the file says the same.
    kept: bool,
}

impl Wishes {
    /// Reads the file. One that is missing or unreadable says nothing: then everything is wanted.
    pub(crate) fn load(path: PathBuf) -> Self {
        let read: io::Result<BTreeMap<String, String>> =
            fs::read(&path).and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from));
        let words = read.unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(file = %path.display(), %error, "cannot read which services are to be down: starting all");
            }
            BTreeMap::new()
        });
        let wish = |word: String| if word == "down" { Desired::Down } else { Desired::Up };
        let wishes = words.into_iter().map(|(id, word)| (id, (0, wish(word)))).collect();
        Self { path, wishes: Mutex::new(Known { wishes, kept: true }) }
    }

    /// What is wanted of `id`.
    pub(crate) fn of(&self, id: &str) -> Desired {
        let known = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        known.wishes.get(id).map_or(Desired::Up, |wish| wish.1)
    }

    /// Keeps what the command of a generation wants; an older one than is known already changes nothing. Blocks
    /// until it is on disk. What cannot be written holds until the supervisor ends, and is written with the next
    /// command for any service.
    pub(crate) fn set(&self, id: &str, generation: u64, desired: Desired) {
        let mut known = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.wishes.get(id).copied();
        if before.is_none_or(|before| before.0 <= generation) {
            known.wishes.insert(id.to_owned(), (generation, desired));
            known.kept &= before.map_or(Desired::Up, |before| before.1) == desired;
        }
        if known.kept {
            return;
        }
        let word = |desired| if desired == Desired::Down { "down" } else { "up" };
        let words: BTreeMap<&str, &str> =
            known.wishes.iter().map(|(id, wish)| (id.as_str(), word(wish.1))).collect();
        let written = serde_json::to_vec(&words)
            .map_err(io::Error::from)
            .and_then(|text| file::replace(&self.path, &text, file::Durable::Yes));
        known.kept = written.is_ok();
        if let Err(error) = written {
            tracing::error!(file = %self.path.display(), %error, service = id, "cannot keep what is wanted of the service: it holds until the supervisor ends; the next command tries to write it again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_command_wins_and_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("desired.json");
        let wishes = Wishes::load(path.clone());
        assert_eq!(wishes.of("a"), Desired::Up);
        wishes.set("a", 2, Desired::Down);
        wishes.set("a", 1, Desired::Up);
        wishes.set("b", 1, Desired::Up);
        let again = Wishes::load(path.clone());
        assert_eq!((again.of("a"), again.of("b")), (Desired::Down, Desired::Up));
        again.set("a", 1, Desired::Up);
        assert_eq!(Wishes::load(path.clone()).of("a"), Desired::Up);
        fs::write(&path, "{").unwrap();
        assert_eq!(Wishes::load(path).of("a"), Desired::Up);
    }

    #[test]
    fn what_could_not_be_written_is_written_with_the_next_command() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        let path = folder.join("desired.json");
        let wishes = Wishes::load(path.clone());
        wishes.set("a", 1, Desired::Down);
        assert_eq!(Wishes::load(path.clone()).of("a"), Desired::Up, "there was no folder");
        fs::create_dir(&folder).unwrap();
        wishes.set("a", 2, Desired::Down);
        assert_eq!(Wishes::load(path).of("a"), Desired::Down);
    }
}
