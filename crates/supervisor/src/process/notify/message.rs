//! What a datagram says (pure): lines of `NAME=VALUE`, as in sd_notify(3).

use std::time::Duration;

use vigie_common::text::inert;

use crate::service::state;

/// People read it in one line.
const LONGEST_STATUS: usize = 200;

/// One line that means something to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// It changes something in the state of the service.
    State(state::Said),
    /// What it is doing, for people; inert.
    Status(String),
    /// It began to end by itself.
    Stopping,
}

/// All that a datagram says; lines of other meaning, or of none, are left out.
pub(super) fn read(datagram: &[u8]) -> Vec<Said> {
    let text = String::from_utf8_lossy(datagram);
    text.split('\n')
        .filter_map(|line| line.split_once('='))
        .filter_map(|(name, value)| one(name, value))
        .collect()
}

fn one(name: &str, value: &str) -> Option<Said> {
    Some(match (name, value) {
        ("READY", "1") => Said::State(state::Said::Ready),
        ("WATCHDOG", "1") => Said::State(state::Said::Ping),
        ("WATCHDOG", "trigger") => Said::State(state::Said::Trigger),
        ("EXTEND_TIMEOUT_USEC", micros) => {
            Said::State(state::Said::Extend(Duration::from_micros(micros.parse().ok()?)))
        }
        ("STOPPING", "1") => Said::Stopping,
        ("STATUS", status) => Said::Status(inert(status.trim(), LONGEST_STATUS)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read_one_by_one() {
        let said = read(b"READY=1\nSTATUS=watching 3 \x1b[2J accounts\nMAINPID=1\n\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=5000000");
        let expected = [
            Said::State(state::Said::Ready),
            Said::Status("watching 3 \\u{1b}[2J accounts".into()),
            Said::State(state::Said::Ping),
            Said::State(state::Said::Extend(Duration::from_secs(5))),
        ];
        assert_eq!(said, expected);
        assert_eq!(read(b"WATCHDOG=trigger\nSTOPPING=1").len(), 2);
    }

    #[test]
    fn what_is_not_meant_for_us_says_nothing() {
        for garbage in
            [&b""[..], b"READY", b"READY=0", b"=1", b"\0\xff\xfe", b"EXTEND_TIMEOUT_USEC=-1", b"FDSTORE=1"]
        {
            assert_eq!(read(garbage), [], "{garbage:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for said in read(&bytes) {
                if let Said::Status(text) = said { prop_assert!(!text.contains(char::is_control)); }
            }
        }
    }
}
