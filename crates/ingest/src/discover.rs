//! From an address to the IMAP server that has its mailbox. Everything is asked at the same time; what comes back is
//! ranked by how far it can be believed, and says where it comes from.

mod autoconfig;
mod dns;
mod web;

use std::fmt;
use std::str::FromStr;

use vigie_common::config::Tls;
use vigie_common::text::inert;

pub use self::dns::Dns;
use self::dns::{Kind, Record};
pub use self::web::Web;
use crate::providers::{self, Provider, Server, is_within};

/// A mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Before the `@`.
    pub local: String,
    /// After it, in lower case.
    pub domain: String,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("\"{}\" is no mail address such as ada@example.org", inert(text, 80));
        let (local, domain) = text.rsplit_once('@').ok_or_else(refused)?;
        let good = |c: char| !c.is_control() && !c.is_whitespace() && c != '@';
        if local.is_empty() || local.len() > 64 || !local.chars().all(good) {
            return Err(refused());
        }
        Ok(Self { local: local.to_owned(), domain: host_name(domain).ok_or_else(refused)? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// A server that may have the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// Login name.
    pub user: String,
    /// Whose server it is, where that is known.
    pub provider: Option<&'static Provider>,
    /// Who says so.
    pub from: Origin,
}

/// Who names a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The person who asks.
    Person,
    /// The address is one of a known provider.
    Domain,
    /// The domain itself, by a document over https at this address.
    Autoconfig(String),
    /// The domain's DNS, by an SRV record of this name, and the server is of this domain or of a known provider.
    Service(String),
    /// The domain's DNS: its mail goes to this host of a known provider.
    Exchanger(String),
    /// It is where such servers usually are.
    Guess,
    /// The domain's DNS, by an SRV record of this name, and nothing else: whoever can forge DNS can name a server of
    /// their own, and would be sent the password (RFC 6186 section 6).
    Unproven(String),
}

impl Origin {
    /// Less is better.
    const fn rank(&self) -> u8 {
        match self {
            Self::Person | Self::Domain => 0,
            Self::Autoconfig(_) => 1,
            Self::Service(_) => 2,
            Self::Exchanger(_) => 3,
            Self::Guess => 4,
            Self::Unproven(_) => 5,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person => f.write_str("as you say"),
            Self::Domain => f.write_str("known for this domain"),
            Self::Autoconfig(url) => write!(f, "named by {url}"),
            Self::Service(name) | Self::Unproven(name) => write!(f, "named by the SRV record {name}"),
            Self::Exchanger(mx) => write!(f, "the domain's mail goes to {mx}"),
            Self::Guess => f.write_str("guessed"),
        }
    }
}

/// Who is asked.
#[derive(Debug, Clone)]
pub struct Sources {
    /// For records of the domain.
    pub dns: Dns,
    /// For its documents.
    pub web: Web,
}

/// The servers that may have the mailbox of `address`, the most trustworthy first, none twice; and what was asked in
/// vain.
pub async fn discover(sources: &Sources, address: &Address) -> (Vec<Candidate>, Vec<String>) {
    if let Some((provider, server)) = providers::by_domain(&address.domain) {
        return (vec![known(provider, server, address, Origin::Domain)], Vec::new());
    }
    let domain = &address.domain;
    let [first, second] = autoconfig::places(address);
    let (imaps, imap) = (format!("_imaps._tcp.{domain}"), format!("_imap._tcp.{domain}"));
    let (first, second, imaps, imap, mx) = tokio::join!(
        documented(sources, &first, address),
        documented(sources, &second, address),
        served(sources, &imaps, Tls::Implicit, address),
        served(sources, &imap, Tls::Starttls, address),
        exchanged(sources, address),
    );
    let mut candidates = Vec::new();
    let mut in_vain = Vec::new();
    for found in [first, second, imaps, imap, mx] {
        match found {
            Ok(found) => candidates.extend(found),
            Err(fault) => in_vain.push(fault),
        }
    }
    candidates.extend(guesses(address));
    (ranked(candidates), in_vain)
}

/// Best first; of the same server only the best.
fn ranked(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    // Within one origin the order stays: it is the domain's own.
    candidates.sort_by_key(|c| c.from.rank());
    let mut ranked: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        let same = |c: &Candidate| (&c.host, c.port) == (&candidate.host, candidate.port);
        if !ranked.iter().any(same) {
            ranked.push(candidate);
        }
    }
    ranked
}

fn known(provider: &'static Provider, server: &Server, address: &Address, from: Origin) -> Candidate {
    Candidate {
        host: server.host.to_owned(),
        port: provider.port,
        tls: provider.tls,
        user: provider.user_for(&address.to_string()),
        provider: Some(provider),
        from,
    }
}

async fn documented(sources: &Sources, url: &str, address: &Address) -> Result<Vec<Candidate>, String> {
    let shown = url.split('?').next().unwrap_or(url);
    let at = |fault: String| format!("{shown}: {}", inert(&fault, 200));
    let text = sources.web.text(url, autoconfig::LONGEST).await.map_err(at)?;
    let servers = autoconfig::servers(&text, address).map_err(at)?;
    if servers.is_empty() {
        return Err(at("it names no encrypted IMAP server".into()));
    }
    let candidate = |server: autoconfig::Server| Candidate {
        provider: providers::by_host(&server.host),
        host: server.host,
        port: server.port,
        tls: server.tls,
        user: server.user,
        from: Origin::Autoconfig(shown.to_owned()),
    };
    Ok(servers.into_iter().map(candidate).collect())
}

async fn served(
    sources: &Sources,
    name: &str,
    tls: Tls,
    address: &Address,
) -> Result<Vec<Candidate>, String> {
    let mut records = sources.dns.records(name, Kind::Srv).await.map_err(|e| format!("{name}: {e}"))?;
    // Weights share out load among equals; we are but one.
    records.sort_by_key(|record| match record {
        Record::Srv { priority, weight, .. } => (*priority, u16::MAX - *weight),
        Record::Mx { .. } => (u16::MAX, 0),
    });
    let candidate = |record: Record| {
        let Record::Srv { port, host, .. } = record else { return None };
        // A lone dot as the host says that there is no such service (RFC 2782).
        let host = host_name(&host)?;
        let provider = providers::by_host(&host);
        let believed = provider.is_some() || is_within(&host, &address.domain);
        let from =
            if believed { Origin::Service(name.to_owned()) } else { Origin::Unproven(name.to_owned()) };
        let user = provider.map_or_else(|| address.to_string(), |p| p.user_for(&address.to_string()));
        Some(Candidate { host, port, tls, user, provider, from }).filter(|c| c.port > 0)
    };
    Ok(records.into_iter().filter_map(candidate).collect())
}

async fn exchanged(sources: &Sources, address: &Address) -> Result<Vec<Candidate>, String> {
    let records = sources.dns.records(&address.domain, Kind::Mx).await;
    let mut records = records.map_err(|e| format!("MX records of {}: {e}", address.domain))?;
    records.sort_by_key(|record| match record {
        Record::Mx { preference, .. } => *preference,
        Record::Srv { .. } => u16::MAX,
    });
    let candidate = |record: Record| {
        let Record::Mx { host, .. } = record else { return None };
        let (provider, server) = providers::by_mx(&host)?;
        Some(known(provider, server, address, Origin::Exchanger(host)))
    };
    Ok(records.into_iter().filter_map(candidate).collect())
}

fn guesses(address: &Address) -> Vec<Candidate> {
    let domain = &address.domain;
    let guess = |host: String, port, tls| Candidate {
        host,
        port,
        tls,
        user: address.to_string(),
        provider: None,
        from: Origin::Guess,
    };
    vec![
        guess(format!("imap.{domain}"), 993, Tls::Implicit),
        guess(format!("mail.{domain}"), 993, Tls::Implicit),
        guess(format!("imap.{domain}"), 143, Tls::Starttls),
    ]
}

/// A host name as strangers may give it: of several labels, no address, in lower case.
fn host_name(text: &str) -> Option<String> {
    let text = text.trim_end_matches('.').to_ascii_lowercase();
    let good = |label: &str| {
        (1..64).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    (text.len() <= 253 && text.contains('.') && text.split('.').all(good) && !numeric).then_some(text)
}

#[cfg(test)]
mod tests;
