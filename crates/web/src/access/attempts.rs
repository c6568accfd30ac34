//! How often a password may be guessed. Pure: the time comes in as an argument.

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

/// So many failures within [`WINDOW`] are taken from one address.
const FAILURES: usize = 5;
/// How long a failure counts.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// Addresses remembered; beyond that the whole world shares one count.
const ADDRESSES: usize = 1024;

/// Failures of the last minute, by address.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<Option<IpAddr>, Vec<Timestamp>>);

impl Attempts {
    /// Whether `address` may try now; else how long it has to wait.
    pub(super) fn may(&mut self, address: IpAddr, now: Timestamp) -> Result<(), SignedDuration> {
        self.0.retain(|_, failures| {
            failures.retain(|at| now.duration_since(*at) < WINDOW);
            !failures.is_empty()
        });
        let failures = self.0.get(&self.counted_as(address)).map(Vec::as_slice).unwrap_or_default();
        match failures.first() {
            Some(first) if failures.len() >= FAILURES => Err(WINDOW - now.duration_since(*first)),
            _ => Ok(()),
        }
    }

    pub(super) fn failed(&mut self, address: IpAddr, now: Timestamp) {
        let counted = self.counted_as(address);
        let failures = self.0.entry(counted).or_default();
        if failures.len() >= FAILURES {
            failures.remove(0);
        }
        failures.push(now);
    }

    fn counted_as(&self, address: IpAddr) -> Option<IpAddr> {
        // A whole IPv6 network belongs to one person.
        let network = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
        };
        let known = self.0.contains_key(&Some(network)) || self.0.len() < ADDRESSES;
        known.then_some(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_sixth_try_has_to_wait() {
        let mut attempts = Attempts::default();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for second in 0..5 {
            assert_eq!(attempts.may(one, at(second)), Ok(()));
            attempts.failed(one, at(second));
        }
        assert_eq!(attempts.may(one, at(10)), Err(SignedDuration::from_secs(50)));
        assert_eq!(attempts.may(other, at(10)), Ok(()));
        assert_eq!(attempts.may(one, at(60)), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut attempts = Attempts::default();
        for n in 0..5000_u32 {
            attempts.failed(IpAddr::from(n.to_be_bytes()), at(0));
        }
        assert!(attempts.0.len() <= ADDRESSES + 1);
        assert!(attempts.may("203.0.113.9".parse().unwrap(), at(1)).is_err());
        assert_eq!(attempts.may("203.0.113.9".parse().unwrap(), at(61)), Ok(()));
        assert!(attempts.0.is_empty());
    }
}
