//! New files: made in `.tmp`, then renamed.

use std::fs::File;
use std::time::Duration;

use super::timed;
use crate::disk::{Folders, Root, parent};
use crate::error::Error;
use crate::layout;
use crate::round::Round;

/// A file of the round.
#[derive(Debug)]
pub(crate) struct NewFile {
    /// Its final name.
    pub(crate) target: String,
    /// Whether something of that name is there, to be replaced.
    pub(crate) over: bool,
    /// Its content.
    pub(crate) origin: Origin,
    /// Its name in `.tmp`, once it was made.
    pub(crate) tmp: String,
}

/// What a file is made of.
#[derive(Debug)]
pub(crate) enum Origin {
    /// The document of the message at this place of the round.
    Document(usize),
    /// The attachment at the second place in the message at the first.
    Attachment(usize, usize),
    /// Something else.
    Made(Vec<u8>),
}

impl Origin {
    fn write(&self, root: &Root, file: &File, name: &str, round: &Round) -> Result<(), Error> {
        let message = |at: &usize| round.messages.get(*at);
        match self {
            Self::Document(at) => {
                message(at).map_or(Ok(()), |message| root.write(file, name, &message.document))
            }
            Self::Attachment(at, number) => message(at)
                .and_then(|message| message.attachments.get(*number))
                .map_or(Ok(()), |(_, content)| root.copy(file, name, content)),
            Self::Made(bytes) => root.write(file, name, bytes),
        }
    }
}

/// Files in the making.
#[derive(Debug, Default)]
pub(crate) struct Files {
    made: u64,
    /// Those that are in `.tmp`.
    pending: Vec<String>,
}

impl Files {
    /// Makes the files in `.tmp`, each one synced if `each`.
    pub(crate) fn create(
        &mut self,
        root: &Root,
        round: &Round,
        files: &mut [NewFile],
        each: bool,
        took: &mut Duration,
    ) -> Result<(), Error> {
        for new in files {
            self.made += 1;
            new.tmp = format!("{}/{}", layout::TMP, self.made);
            self.pending.push(new.tmp.clone());
            let file = root.create(&new.tmp)?;
            new.origin.write(root, &file, &new.tmp, round)?;
            if each {
                timed(took, || root.sync_file(&file, &new.tmp))?;
            }
        }
        Ok(())
    }

    /// Whether this is one of them.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pending.iter().any(|pending| pending == name)
    }

    /// Gives them their final names.
    pub(crate) fn rename(
        &mut self,
        root: &Root,
        folders: &mut Folders,
        files: &[NewFile],
    ) -> Result<(), Error> {
        for new in files {
            folders.ensure(root, parent(&new.target))?;
            root.rename(&new.tmp, &new.target, new.over)?;
        }
        self.pending.clear();
        Ok(())
    }

    /// Removes what a failed round left in `.tmp`. That a disk which has just failed does not let us is no new
    /// failure: it is tried again before the next round.
    pub(crate) fn clear(&mut self, root: &Root) {
        self.pending.retain(|tmp| root.remove(tmp).is_err());
    }
}
