//! The configuration that ingest needs, validated.

mod oauth2;
mod patterns;
mod sign_in;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use vigie_common::config::{self, ConfigError, Loaded, Tls};
use vigie_common::secret::Secret;
use vigie_common::text::{inert, nearest};

pub use self::oauth2::OAuth2;
pub use self::patterns::{Patterns, is_collection};
pub use self::sign_in::SignIn;
use crate::providers::{self, Provider, Quirks, USUAL};
use crate::transport::{Pin, Proxy};

/// What ingest needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// The archive.
    pub archive: ArchiveSettings,
    /// The accounts.
    pub accounts: Vec<Account>,
    /// Where the health page is served, if anywhere: an address of this machine alone.
    pub listen: Option<SocketAddr>,
    /// What a careful operator would change, for the log.
    pub warnings: Vec<String>,
}

/// Where and how messages are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// The folder.
    pub root: PathBuf,
    /// Which messages keep their bytes.
    pub raw: config::RawPolicy,
    /// Octets that are to stay free.
    pub min_free: u64,
}

/// A login on an IMAP server, and which of its mailboxes to watch. One that is equal to another after a reload stays
/// connected.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Names it everywhere.
    pub id: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// The only authorities to trust, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// The only certificates to take, if any: then no authority is asked.
    pub pins: Vec<Pin>,
    /// Shows the server who we are, where it asks.
    pub client: Option<ClientCertificate>,
    /// Through which proxy to connect.
    pub proxy: Option<Proxy>,
    /// Whether to compress where the server can.
    pub compress: bool,
    /// Login name.
    pub user: String,
    /// How it shows who it is.
    pub sign_in: SignIn,
    /// Which mailboxes.
    pub mailboxes: Patterns,
    /// What is left out.
    pub since: Option<Since>,
    /// Octets that may be fetched within 24 hours.
    pub daily_bytes: Option<u64>,
    /// What the server limits, or does in its own way.
    pub quirks: Quirks,
}

/// A certificate of ours and its key, both as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and those that vouch for it.
    pub certificate: PathBuf,
    /// Its key, PKCS#8.
    pub key: PathBuf,
}

/// Messages that arrived before this are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Before the mailbox was seen for the first time.
    Now,
    /// Before midnight UTC of a date.
    Date(Timestamp),
}

impl Settings {
    /// Validates the parts of the configuration that ingest needs.
    ///
    /// # Errors
    /// The first fault found, with its place.
    pub fn from_config(loaded: &Loaded) -> Result<Self, ConfigError> {
        let mut accounts = Vec::new();
        let mut ids = BTreeSet::new();
        let mut warnings = Vec::new();
        for raw in &loaded.config.account {
            let fault = |fault: String| {
                loaded.fault(raw.span(), format!("account {}: {fault}", inert(&raw.get_ref().id, 40)))
            };
            let account = Account::from_config(raw.get_ref(), loaded).map_err(fault)?;
            if !ids.insert(account.id.clone()) {
                return Err(fault("another account has the same id; each needs its own".into()));
            }
            let key = account.client.as_ref().map(|client| Secret::File(client.key.clone()));
            let key = key.filter(Secret::is_exposed).map(|key| key.place("client key"));
            for place in account.sign_in.exposed().into_iter().chain(key) {
                warnings.push(format!(
                    "{}: account {}: {place} can be read by others; keep it in a file of mode 0600",
                    loaded.place(raw.span()),
                    account.id,
                ));
            }
            accounts.push(account);
        }
        let archive = &loaded.config.archive;
        let archive = ArchiveSettings {
            root: plain(loaded.in_data(&archive.path)),
            raw: archive.raw,
            min_free: archive.min_free.0,
        };
        let listen = listen(&loaded.config.ingest.listen).map_err(|fault| ConfigError::Invalid {
            place: loaded.file.display().to_string(),
            fault: format!("[ingest] listen: {fault}"),
        })?;
        Ok(Self { data: plain(loaded.data.clone()), archive, accounts, listen, warnings })
    }
}

/// The health page knows no users, so only this machine may ask for it.
fn listen(text: &str) -> Result<Option<SocketAddr>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let address = vigie_web::serve::address(text)?;
    if address.ip().is_loopback() {
        return Ok(Some(address));
    }
    Err(format!(
        "others than this machine could reach {address}, and the health page asks nobody who they are: use 127.0.0.1 or [::1], or \"\" for no page"
    ))
}

impl Account {
    fn from_config(raw: &config::Account, loaded: &Loaded) -> Result<Self, String> {
        if !is_account_id(&raw.id) {
            return Err("an id is 1 to 32 of a-z, 0-9 and \"-\", and does not begin with \"-\"".into());
        }
        if raw.user.is_empty() {
            return Err("user must not be empty".into());
        }
        let named = raw.provider.as_deref().map(provider).transpose()?;
        let host = raw.host.as_deref().map(str::trim).or(named.and_then(|p| p.host_for(&raw.user)));
        let host = host.filter(|host| !host.is_empty()).ok_or("no host: set `host`, or `provider`")?;
        let provider = named.or_else(|| providers::by_host(host));
        let tls = raw.tls.or(named.map(|p| p.tls)).unwrap_or_default();
        if raw.user.chars().any(char::is_control) {
            return Err("user holds a control character".into());
        }
        if tls == Tls::None && !is_loopback(host) {
            return Err(format!(
                "tls = \"none\" would send the password to {} in clear text; it is for loopback addresses alone, use \"implicit\" or \"starttls\"",
                inert(host, 80)
            ));
        }
        let proxy = raw.proxy.as_deref().map(Proxy::parse).transpose()?;
        if let Some(proxy) = proxy.as_ref().filter(|proxy| tls == Tls::None && !is_loopback(proxy.host())) {
            return Err(format!(
                "tls = \"none\" would send the password to the proxy {proxy} in clear text; use \"implicit\" or \"starttls\""
            ));
        }
        let usual = named.filter(|p| p.tls == tls).map(|p| p.port);
        let port = raw.port.or(usual).unwrap_or(if tls == Tls::Implicit { 993 } else { 143 });
        Ok(Self {
            id: raw.id.clone(),
            host: host.to_owned(),
            port,
            tls,
            ca_file: raw.ca_file.as_deref().map(|path| loaded.beside(path)),
            pins: pins(raw, tls)?,
            client: client(raw, loaded, tls)?,
            proxy,
            compress: raw.compress,
            user: raw.user.clone(),
            sign_in: SignIn::from_config(raw, loaded)?,
            mailboxes: Patterns::parse(&raw.mailboxes)?,
            since: raw.since.as_deref().map(since).transpose()?,
            quirks: quirks(raw, provider.map_or(USUAL, |p| p.quirks))?,
            daily_bytes: match raw.daily_bytes {
                Some(bytes) => Some(bytes.0).filter(|&bytes| bytes > 0),
                None => provider.and_then(|p| p.quirks.daily),
            },
        })
    }
}

fn client(raw: &config::Account, loaded: &Loaded, tls: Tls) -> Result<Option<ClientCertificate>, String> {
    match (&raw.client_certificate, &raw.client_key) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) if tls == Tls::None => {
            Err("client_certificate needs TLS, and tls is \"none\"".into())
        }
        (Some(certificate), Some(key)) => {
            let (certificate, key) = (loaded.beside(certificate), loaded.beside(key));
            Ok(Some(ClientCertificate { certificate, key }))
        }
        _ => Err("client_certificate and client_key go together: set both or none".into()),
    }
}

fn pins(raw: &config::Account, tls: Tls) -> Result<Vec<Pin>, String> {
    let pins = raw.pin.iter().flat_map(config::Pins::iter).map(Pin::parse).collect::<Result<Vec<_>, _>>()?;
    if raw.pin.is_some() && pins.is_empty() {
        return Err("pin = []: without a fingerprint in it nothing is pinned; remove it".into());
    }
    match (&raw.ca_file, tls) {
        _ if pins.is_empty() => Ok(pins),
        (_, Tls::None) => Err("pin needs TLS: there is no certificate with tls = \"none\"".into()),
        (Some(_), _) => {
            Err("pin and ca_file are both set, and with a pin no authority is asked; keep one".into())
        }
        (None, _) => Ok(pins),
    }
}

fn provider(name: &str) -> Result<&'static Provider, String> {
    providers::by_name(name).ok_or_else(|| {
        let shown = inert(name, 40);
        match nearest(name, providers::names()) {
            Some(meant) => format!("provider = \"{shown}\" is not known: did you mean \"{meant}\"?"),
            None => format!(
                "provider = \"{shown}\" is not known: set `host` instead, or one of {}",
                providers::names().collect::<Vec<_>>().join(", ")
            ),
        }
    })
}

/// What is written goes before what is known of the provider.
fn quirks(raw: &config::Account, known: Quirks) -> Result<Quirks, String> {
    const IDLE: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_mins(25);
    const POLL: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_mins(15);
    let connections = raw.connections.map_or(known.connections, usize::from);
    if !(1..=10).contains(&connections) {
        return Err("connections is a number from 1 to 10".into());
    }
    let idle = raw.idle.map_or(known.idle, |idle| idle.0);
    if !idle.is_zero() && !IDLE.contains(&idle) {
        return Err("idle is between \"30s\" and \"25m\", or \"0s\" for no IDLE at all".into());
    }
    let poll = raw.poll.map_or(known.poll, |poll| poll.0);
    if !POLL.contains(&poll) {
        return Err("poll is between \"10s\" and \"15m\"".into());
    }
    Ok(Quirks { connections, idle, poll, ..known })
}

/// The path from the root and without detours, as far as it exists: people read it in logs.
fn plain(path: PathBuf) -> PathBuf {
    let path = std::path::absolute(&path).unwrap_or(path);
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(whole), ..) => whole,
        (Err(_), Some(parent), Some(name)) => {
            parent.canonicalize().map_or_else(|_| path.clone(), |parent| parent.join(name))
        }
        (Err(_), ..) => path,
    }
}

fn is_account_id(id: &str) -> bool {
    let ours = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&id.len()) && id.bytes().all(ours) && !id.starts_with('-')
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn since(text: &str) -> Result<Since, String> {
    if text == "now" {
        return Ok(Since::Now);
    }
    text.parse::<Date>()
        .ok()
        .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
        .map(|midnight| Since::Date(midnight.timestamp()))
        .ok_or_else(|| {
            format!("since = \"{}\": write a date such as \"2026-01-01\", or \"now\"", inert(text, 40))
        })
}

#[cfg(test)]
mod tests;
