//! Exit codes: one table for all binaries, after `sysexits.h` where it has a word.

use std::process::ExitCode;

/// How a process ends. A daemon ends only by `Done`, `Usage`, `Internal`, `CannotWrite` (at start), `Locked`,
/// `Config`, or `Unavailable` for its own port; supervisors do not retry `Usage` and `Config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Wrong arguments.
    Usage = 64,
    /// A needed service or port is not there.
    Unavailable = 69,
    /// A fault of ours.
    Internal = 70,
    /// Cannot write.
    CannotWrite = 73,
    /// Done, but UIDs stay open.
    Incomplete = 74,
    /// Another instance holds the archive.
    Locked = 75,
    /// Credentials refused.
    Refused = 77,
    /// Bad configuration.
    Config = 78,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    /// Scripts and units depend on these numbers.
    #[test]
    fn the_table_is_frozen() {
        let table = [
            (Exit::Done, 0),
            (Exit::Usage, 64),
            (Exit::Unavailable, 69),
            (Exit::Internal, 70),
            (Exit::CannotWrite, 73),
            (Exit::Incomplete, 74),
            (Exit::Locked, 75),
            (Exit::Refused, 77),
            (Exit::Config, 78),
        ];
        for (exit, code) in table {
            assert_eq!(exit.code(), code);
        }
    }
}
