//! What a failed handshake means to the person who has to act. Pure.

use super::Pin;
use crate::error::quoted;

/// OpenSSL's reasons, and ours.
const REASONS: [(&[&str], &str); 9] = [
    (
        &["certificate has expired"],
        "its certificate has expired; the server's operator must renew it (or this machine's clock is wrong)",
    ),
    (&["certificate is not yet valid"], "its certificate is not valid yet; is this machine's clock right?"),
    (
        &["ostname mismatch"],
        "its certificate is for another name; `host` must be the name that the certificate is made for",
    ),
    (
        &["IP address mismatch"],
        "its certificate is not for this address; write the host name that the certificate is made for",
    ),
    (
        &["key too weak", "key too small", "digest algorithm too weak", "md too weak", "bad signature type"],
        "the key or the signature of its certificate is too weak to be trusted; the server's operator must renew it",
    ),
    (
        &["wrong version number"],
        "it does not speak TLS on this port; is it the port of STARTTLS (tls = \"starttls\", 143)?",
    ),
    (
        &["unexpected EOF", "unexpected eof"],
        "it closed the connection during the handshake; is it the port of STARTTLS (tls = \"starttls\", 143)?",
    ),
    (
        &["unsupported protocol", "alert protocol version", "no protocols available"],
        "it offers no TLS 1.2 or newer",
    ),
    (
        &["alert handshake failure", "no shared cipher"],
        "it offers no encryption that is still taken for safe",
    ),
];

const UNTRUSTED: [&str; 5] = [
    "in certificate chain",
    "unable to get local issuer",
    "unable to get issuer",
    "unable to verify",
    "certificate signature failure",
];

/// What the server says of our certificate, in the handshake or (TLS 1.3) in the first answer after it.
pub(super) fn refusal(error: &str) -> Option<&'static str> {
    let holds = |reasons: &[&str]| reasons.iter().any(|reason| error.contains(reason));
    if holds(&["alert certificate required"]) {
        Some("the server asks who we are; set client_certificate and client_key")
    } else if holds(&[
        "alert bad certificate",
        "alert unsupported certificate",
        "alert certificate revoked",
        "alert certificate expired",
        "alert certificate unknown",
        "alert unknown ca",
    ]) {
        Some("the server does not take the certificate of client_certificate")
    } else {
        None
    }
}

/// `error` is the text of the TLS library; `own` whether only the authorities of `ca_file` are trusted.
pub(super) fn explain(error: &str, host: &str, own: bool) -> String {
    let holds = |reasons: &[&str]| reasons.iter().any(|reason| error.contains(reason));
    if let Some(said) = refusal(error) {
        return said.to_owned();
    }
    if let Some((_, said)) = REASONS.iter().find(|(reasons, _)| holds(reasons)) {
        return (*said).to_owned();
    }
    if holds(&UNTRUSTED) {
        return if own {
            "its certificate was not issued by an authority of `ca_file`; put the issuer's certificate there"
                .to_owned()
        } else {
            format!(
                "its certificate was not issued by an authority that this machine trusts; if {host} is yours, put its authority's certificate into a file and name that by ca_file"
            )
        };
    }
    if holds(&["self-signed", "self signed"]) {
        return format!(
            "its certificate is signed by itself, no authority vouches for it; if {host} is yours, `pin` its certificate: `vigie-ingest check` tells the fingerprint"
        );
    }
    quoted(error)
}

/// The server presents another certificate than the pinned ones.
pub(super) fn not_pinned(presented: &Pin) -> String {
    format!(
        "its certificate is not the one of `pin`, but {presented}; if the server's operator says that it was renewed, write that, else somebody may be interfering with the connection"
    )
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn each_fault_has_its_own_words() {
        let error = |reason: &str| {
            format!(
                "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:../ssl/statem/statem_clnt.c:1889: ({reason})"
            )
        };
        for (reason, said) in [
            ("certificate has expired", "has expired"),
            ("certificate is not yet valid", "not valid yet"),
            ("Hostname mismatch", "another name"),
            ("IP address mismatch", "not for this address"),
            ("EE certificate key too weak", "too weak"),
            ("CA signature digest algorithm too weak", "too weak"),
            ("self-signed certificate", "signed by itself"),
            ("self-signed certificate in certificate chain", "ca_file"),
            ("unable to get local issuer certificate", "ca_file"),
        ] {
            assert!(explain(&error(reason), "imap.example.org", false).contains(said), "{reason}");
        }
        let own = explain(&error("unable to get local issuer certificate"), "h", true);
        assert!(own.contains("`ca_file`"), "{own}");
        for (text, said) in [
            ("error:0A00010B:SSL routines:ssl3_get_record:wrong version number:", "starttls"),
            ("error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version:", "TLS 1.2"),
            ("error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:", "encryption"),
        ] {
            assert!(explain(text, "h", false).contains(said), "{text}");
        }
    }
}
