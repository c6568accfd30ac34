//! An authority and server certificates for localhost, good ones and those that a client must refuse.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use async_native_tls::TlsAcceptor;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// What a certificate is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Valid for `localhost`, `127.0.0.1` and `::1`, signed by the authority.
    Valid,
    /// Like `Valid`, but it ran out in 2021.
    Expired,
    /// Like `Valid`, but only from 2119 on.
    NotYetValid,
    /// Signed by the authority, for `elsewhere.example` alone.
    WrongHost,
    /// Signed by the authority, for a client to show who it is.
    Client,
    /// For localhost, signed by itself: no authority vouches for it.
    SelfSigned,
    /// Signed by the authority, for `example.org` and all names below it.
    Domain,
}

/// A certificate authority of our own, which a client is told to trust.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority with a new key.
    pub fn new() -> Result<Self> {
        let mut params = params("Vigie test authority", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("cannot generate the key of the authority")?;
        let certificate = params.self_signed(&key).context("cannot sign the authority")?.pem();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// The certificate of the authority, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// Writes the certificate of the authority as a PEM file, to be a client's `ca_file`.
    pub fn write(&self, path: &Path) -> Result<()> {
        write(path, &self.certificate, 0o644)
    }

    /// A new server certificate with its key.
    pub fn identity(&self, kind: Kind) -> Result<Identity> {
        let names: &[&str] = match kind {
            Kind::WrongHost => &["elsewhere.example"],
            Kind::Domain => &["example.org", "*.example.org"],
            _ => &["localhost", "127.0.0.1", "::1"],
        };
        let mut params = params("Vigie test server", names)?;
        params.extended_key_usages = vec![match kind {
            Kind::Client => ExtendedKeyUsagePurpose::ClientAuth,
            _ => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        match kind {
            Kind::Expired => params.not_after = date_time_ymd(2021, 1, 1),
            Kind::NotYetValid => params.not_before = date_time_ymd(2119, 1, 1),
            _ => {}
        }
        let key = KeyPair::generate().context("cannot generate the key of the server")?;
        let signed = match kind {
            Kind::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &self.issuer),
        };
        let certificate = signed.context("cannot sign the certificate of the server")?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

/// The dates are fixed: no certificate here depends on the day it was made.
fn params(name: &str, hosts: &[&str]) -> Result<CertificateParams> {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).context("cannot name the certificate")?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    Ok(params)
}

/// A server's certificate and private key, both as PEM.
#[derive(Clone)]
pub struct Identity {
    certificate: String,
    key: String,
}

impl Identity {
    /// Reads back what [`Identity::write`] wrote.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self> {
        let read =
            |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        Ok(Self { certificate: read(certificate)?, key: read(key)? })
    }

    /// Writes both as PEM files, the key readable by its owner alone.
    pub fn write(&self, certificate: &Path, key: &Path) -> Result<()> {
        write(key, &self.key, 0o600)?;
        write(certificate, &self.certificate, 0o644)
    }

    /// The certificate as DER, for its fingerprint.
    pub fn der(&self) -> Result<Vec<u8>> {
        let certificate = native_tls::Certificate::from_pem(self.certificate.as_bytes());
        certificate.and_then(|c| c.to_der()).context("cannot read the certificate of the server")
    }

    /// The server's end of TLS with this certificate.
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        let identity = native_tls::Identity::from_pkcs8(self.certificate.as_bytes(), self.key.as_bytes())
            .context("cannot use the certificate of the server")?;
        let acceptor = native_tls::TlsAcceptor::new(identity).context("cannot set TLS up")?;
        Ok(acceptor.into())
    }
}

/// Replaces a file, with its mode set before anything is in it.
pub(crate) fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let attempt = || {
        if let Err(error) = fs::remove_file(path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}
