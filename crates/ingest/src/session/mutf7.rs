//! Modified UTF-7, the encoding of mailbox names (RFC 3501 section 5.1.3). Pure.

use data_encoding::BASE64_NOPAD;

/// The name in Unicode; what is not well encoded stays as the server sent it.
#[must_use]
pub(super) fn decode(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, coded)) = rest.split_once('&') {
        out.push_str(plain);
        let Some((coded, after)) = coded.split_once('-') else {
            out.push('&');
            out.push_str(coded);
            return out;
        };
        match (coded, shifted(coded)) {
            ("", _) => out.push('&'),
            (_, Some(text)) => out.push_str(&text),
            (_, None) => {
                out.push('&');
                out.push_str(coded);
                out.push('-');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn shifted(coded: &str) -> Option<String> {
    let bytes = BASE64_NOPAD.decode(coded.replace(',', "/").as_bytes()).ok()?;
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| {
            u16::from_be_bytes([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)])
        })
        .collect();
    (bytes.len() % 2 == 0).then(|| String::from_utf16(&units).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::decode;

    #[test]
    fn names_of_the_standard_and_of_the_world() {
        for (raw, name) in [
            ("INBOX", "INBOX"),
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("A&-B", "A&B"),
            ("&AC8-", "/"),
            ("&2D3eAA-", "😀"),
        ] {
            assert_eq!(decode(raw), name);
        }
    }

    #[test]
    fn what_is_not_well_encoded_stays() {
        for raw in ["a&b", "&AA-", "&!!!-x", "&2D0-", "é&"] {
            assert_eq!(decode(raw), raw);
        }
    }

    proptest! {
        #[test]
        fn it_never_fails(raw in "[&A-Za-z0-9,+é-]{0,30}|.{0,20}") {
            let _ = decode(&raw);
        }
    }
}
