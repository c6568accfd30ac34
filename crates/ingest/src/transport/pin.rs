//! A certificate by its fingerprint: SHA-256 of its DER. Pure.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest, Sha256};
use vigie_common::text::inert;

/// Which certificate a server must present: whoever pins one trusts it and no other, authorities or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    /// That of a certificate as DER.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Reads `sha256:<64 hexadecimal digits>`, also with colons between the octets, as OpenSSL writes it.
    ///
    /// # Errors
    /// What is wrong, for the person who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("sha256:").map(|digits| digits.replace(':', ""));
        digits
            .and_then(|digits| HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok())
            .and_then(|octets| octets.try_into().ok())
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "pin = \"{}\": write \"sha256:\" and 64 hexadecimal digits, as `vigie-ingest check` tells them",
                    inert(text, 100)
                )
            })
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", HEXLOWER_PERMISSIVE.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::Pin;

    #[test]
    fn a_pin_is_read_as_it_is_shown_and_as_openssl_shows_it() {
        let pin = Pin::of(b"abc");
        let shown = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(pin.to_string(), shown);
        assert_eq!(Pin::parse(shown).as_ref(), Ok(&pin));
        let openssl = "sha256:BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD";
        assert_eq!(Pin::parse(openssl).as_ref(), Ok(&pin));
        for wrong in [
            "",
            "sha256:",
            "sha256:ba78",
            "sha1:ba7816bf",
            shown.trim_start_matches("sha256:"),
            "sha256:\u{1b}[2J",
        ] {
            assert!(Pin::parse(wrong).unwrap_err().contains("64 hexadecimal digits"), "{wrong}");
        }
    }
}
