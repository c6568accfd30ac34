//! The archive on disk: documents, raw segments, attachments, and the catalog that numbers them.
//!
//! One process writes ([`Archive`]: it holds the lock); any number read ([`Reader`], [`verify()`]).
//! What is written comes as a [`Round`]: bytes and names become durable, then one catalog transaction
//! records them together with the coverage of their mailboxes. A crash may repeat work, it never loses
//! or doubles a message.
//!
//! # Layout
//!
//! Pure:
//! - [`layout`]: where everything lies
//! - [`UidSet`]: ranges of UIDs
//! - [`mailbox`]: what the catalog knows of a mailbox
//! - [`round`]: what is given to a commit, and what comes back
//! - [`quarantine`]: what could not be taken
//!
//! On disk:
//! - [`content`]: bytes on their way
//! - [`segment`]: raw segments: pairs of a header and the exact bytes
//! - [`archive`]: the one writer
//! - [`reader`]: everybody else
//! - [`rebuild`]: a catalog made anew from the files
//! - [`mod@verify`]: whether all of it is there and whole

pub mod archive;
mod catalog;
pub mod content;
mod disk;
pub mod error;
pub mod layout;
pub mod mailbox;
pub mod quarantine;
pub mod reader;
pub mod rebuild;
pub mod round;
pub mod segment;
mod steps;
pub mod uid_set;
pub mod verify;

pub use vigie_common::config::RawPolicy;

pub use self::archive::{Archive, Settings};
pub use self::content::{Content, Spool};
pub use self::error::{Error, Shortage};
pub use self::mailbox::{
    Difference, Earlier, MailboxId, MailboxState, MailboxStatus, MailboxView, OpenUid, Selected, Standing,
    is_stale,
};
pub use self::quarantine::{Note, Quarantined, QuarantinedUid, Try};
pub use self::reader::{Location, Reader, Tail, Totals, Writer};
pub use self::rebuild::{Rebuilder, Rebuilt};
pub use self::round::{Change, Committed, Message, Round, SyncTiming, Way};
pub use self::segment::{Frame, Header};
#[cfg(feature = "faults")]
pub use self::steps::faults;

pub use self::uid_set::UidSet;
pub use self::verify::{Problem, Repaired, Report, verify, verify_quick};
