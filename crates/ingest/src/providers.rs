//! What is known of providers: where their servers are, how one signs in, what they limit, and what they do in their
//! own way. A table, and how to look things up in it. Pure.
//!
//! Hosts and domains are those of the providers' own help pages and of Mozilla's collection of them; a limit is here
//! only where the provider states it, a quirk only where it was seen.

mod table;

use std::time::Duration;

use vigie_common::config::Tls;

/// A provider of mailboxes.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// As in `provider = "gmail"`.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// Its IMAP servers; the first one is meant where nothing tells which.
    pub servers: &'static [Server],
    /// Port of all of them.
    pub port: u16,
    /// How connections to all of them are protected.
    pub tls: Tls,
    /// What the login name is.
    pub user: UserName,
    /// Ways to sign in, the one for most people first.
    pub sign_in: &'static [SignIn],
    /// Where the provider explains it, or where access by IMAP is switched on.
    pub page: Option<&'static str>,
    /// What else a person should know before signing in.
    pub note: Option<&'static str>,
    /// What it does in its own way.
    pub quirks: Quirks,
}

/// One IMAP server of a provider, and whose mailboxes it has.
#[derive(Debug, PartialEq, Eq)]
pub struct Server {
    /// Host name.
    pub host: &'static str,
    /// Domains of the provider's own addresses.
    pub domains: &'static [&'static str],
    /// Ends of the names in MX records of hosted domains.
    pub mx: &'static [&'static str],
}

/// What a provider takes for a login name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserName {
    /// The whole address.
    Address,
    /// What comes before the `@`, for addresses of the provider's own domains.
    LocalPart,
}

/// How to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// The password of the mailbox.
    Password,
    /// A password made for this program alone, on this page.
    AppPassword(&'static str),
    /// Access tokens, by `[account.oauth2]` with this `provider`.
    OAuth2(&'static str),
}

/// What a server limits, or does in its own way, as far as it changes what we do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// Connections of one account at once.
    pub connections: usize,
    /// IDLE is ended and begun again after this, with a look at the mailbox; zero: IDLE is not used at all.
    pub idle: Duration,
    /// Mailboxes without IDLE are looked at this often.
    pub poll: Duration,
    /// Octets that may be fetched in a day, where the provider says so.
    pub daily: Option<u64>,
}

/// What holds where nothing else is known.
pub const USUAL: Quirks =
    Quirks { connections: 3, idle: Duration::from_mins(5), poll: Duration::from_mins(1), daily: None };

/// The provider of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Provider> {
    table::ALL.iter().find(|provider| provider.name == name)
}

/// All names, for an error.
pub fn names() -> impl Iterator<Item = &'static str> {
    table::ALL.iter().map(|provider| provider.name)
}

/// The provider with this IMAP server. Addresses of this machine are nobody's.
#[must_use]
pub fn by_host(host: &str) -> Option<&'static Provider> {
    let known = |server: &Server| server.host.eq_ignore_ascii_case(host);
    table::ALL.iter().filter(|p| p.tls == Tls::Implicit).find(|p| p.servers.iter().any(known))
}

/// The provider and its server for addresses of this domain.
#[must_use]
pub fn by_domain(domain: &str) -> Option<(&'static Provider, &'static Server)> {
    find(|server| server.domains.iter().any(|known| known.eq_ignore_ascii_case(domain)))
}

/// The provider and its server for a domain whose mail goes to the host `mx`.
#[must_use]
pub fn by_mx(mx: &str) -> Option<(&'static Provider, &'static Server)> {
    let mx = mx.trim_end_matches('.').to_ascii_lowercase();
    find(|server| server.mx.iter().any(|end| is_within(&mx, end)))
}

/// Whether `host` is `domain`, or below it. Both are in lower case.
#[must_use]
pub fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn find(wanted: impl Fn(&Server) -> bool) -> Option<(&'static Provider, &'static Server)> {
    table::ALL.iter().find_map(|p| p.servers.iter().find(|s| wanted(s)).map(|server| (p, server)))
}

impl Provider {
    /// The server for this login name.
    #[must_use]
    pub fn host_for(&self, user: &str) -> Option<&'static str> {
        let domain = user.rsplit_once('@').map_or("", |(_, domain)| domain);
        let own =
            self.servers.iter().find(|s| s.domains.iter().any(|known| known.eq_ignore_ascii_case(domain)));
        own.or(self.servers.first()).map(|server| server.host)
    }

    /// The login name for an address.
    #[must_use]
    pub fn user_for(&self, address: &str) -> String {
        match address.rsplit_once('@') {
            Some((local, domain))
                if self.user == UserName::LocalPart
                    && self
                        .servers
                        .iter()
                        .any(|s| s.domains.iter().any(|d| d.eq_ignore_ascii_case(domain))) =>
            {
                local.to_owned()
            }
            _ => address.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
