//! Raw segments: the exact bytes of messages, compressed, one after the other.
//!
//! A segment is a run of *pairs*. A pair is a zstd skippable frame that holds a small JSON [`Header`],
//! then one zstd frame with the exact bytes. So it can be read without the catalog, and `zstd -dc`
//! gives the messages one after the other. The header stands alone when the bytes are not here:
//! `same` (they are kept elsewhere in this account), `"kept": false` (the policy keeps none), `erased`.

mod append;
mod frame;
mod read;
mod scan;
mod walk;

pub(crate) use self::append::{SegmentName, Segments};
pub use self::frame::{Frame, Header};
pub(crate) use self::read::read;
pub use self::scan::{Ending, Pair, Scan};
pub(crate) use self::walk::walk;
