//! What a failed handshake means to the person who has to act. Pure.

use crate::error::quoted;

/// OpenSSL's reasons, and ours.
const REASONS: [(&str, &str); 7] = [
    (
        "certificate has expired",
        "its certificate has expired; the server's operator must renew it (or this machine's clock is wrong)",
    ),
    ("certificate is not yet valid", "its certificate is not valid yet; is this machine's clock right?"),
    (
        "ostname mismatch",
        "its certificate is for another name; `host` must be the name that the certificate is made for",
    ),
    (
        "IP address mismatch",
        "its certificate is not for this address; write the host name that the certificate is made for",
    ),
    (
        "wrong version number",
        "it does not speak TLS on this port; is it the port of STARTTLS (tls = \"starttls\", 143)?",
    ),
    (
        "unexpected EOF",
        "it closed the connection during the handshake; is it the port of STARTTLS (tls = \"starttls\", 143)?",
    ),
    ("unsupported protocol", "it offers no TLS 1.2 or newer"),
];

/// `error` is the text of the TLS library; `own` whether only the authorities of `ca_file` are trusted.
pub(super) fn explain(error: &str, host: &str, own: bool) -> String {
    if let Some((_, said)) = REASONS.iter().find(|(reason, _)| error.contains(reason)) {
        return (*said).to_owned();
    }
    let untrusted = [
        "self-signed",
        "self signed",
        "unable to get local issuer",
        "unable to verify",
        "certificate signature failure",
    ];
    if untrusted.iter().any(|reason| error.contains(reason)) {
        return if own {
            "its certificate was not issued by an authority of `ca_file`; put the issuer's certificate there"
                .to_owned()
        } else {
            format!(
                "its certificate was not issued by an authority that this machine trusts; if {host} is yours, put its authority's certificate into a file and name that by ca_file"
            )
        };
    }
    quoted(error)
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
            ("Hostname mismatch", "another name"),
            ("self-signed certificate", "ca_file"),
            ("unable to get local issuer certificate", "ca_file"),
        ] {
            assert!(explain(&error(reason), "imap.example.org", false).contains(said), "{reason}");
        }
        assert!(explain(&error("self-signed certificate"), "h", true).contains("`ca_file`"));
        assert!(
            explain("error:0A00010B:SSL routines:ssl3_get_record:wrong version number:", "h", false)
                .contains("starttls")
        );
    }
}
