//! The configuration that the supervisor needs, validated.

mod needs;

pub(crate) use self::needs::layers;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use vigie_common::config::{self, ConfigError, GiveUp, Loaded};
use vigie_common::text::inert;
use vigie_web::serve;

use crate::service::numbers::Numbers;

/// What the supervisor needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder, from the root.
    pub data: PathBuf,
    /// The services, in the order of the configuration: every `[[service]]`, then ingest, then metrics.
    pub services: Vec<Service>,
    /// How long the whole stop may take.
    pub stop_budget: Duration,
    /// What to do about a service that fails again and again.
    pub give_up: GiveUp,
    /// How long, how often, how many.
    pub numbers: Numbers,
}

/// A program to keep up.
#[derive(Debug, Clone)]
pub struct Service {
    /// Names it everywhere.
    pub id: String,
    /// Whose it is.
    pub kind: Kind,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The folder that relative programs start from.
    pub data: PathBuf,
    /// The folder that it starts in.
    pub working_directory: PathBuf,
    /// Variables of its own.
    pub environment: Vec<(String, String)>,
    /// Names of our variables that hold secrets for it.
    pub secrets: Vec<String>,
    /// It says READY=1.
    pub notify: bool,
    /// What must be ready before it.
    pub needs: Vec<String>,
    /// Where it can be asked whether it is healthy.
    pub probe: Option<SocketAddr>,
}

/// Whose a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `vigie-ingest`.
    Ingest,
    /// `vigie-metrics`.
    Metrics,
    /// A `[[service]]`.
    Service,
}

/// The kernel takes no longer path for a socket, its final zero left out.
pub(crate) const LONGEST_SOCKET: usize = 107;

/// Ids that mean something else: in the addresses of the API, and in the log.
const RESERVED: [&str; 5] = ["ingest", "metrics", "supervisor", "events", "stream"];

impl Settings {
    /// Validates the parts of the configuration that the supervisor needs.
    ///
    /// # Errors
    /// The first fault found, with its place.
    pub fn from_config(loaded: &Loaded) -> Result<Self, ConfigError> {
        let data = absolute(&loaded.data);
        let mut services = Vec::new();
        let mut needs = Vec::new();
        let mut ids = BTreeSet::new();
        for spanned in &loaded.config.service {
            let raw = spanned.get_ref();
            let fault = |fault: String| {
                loaded.fault(spanned.span(), format!("service {}: {fault}", inert(&raw.id, 40)))
            };
            check(raw).map_err(fault)?;
            if !ids.insert(raw.id.clone()) {
                return Err(fault("another service has the same id; each needs its own".into()));
            }
            if raw.enabled {
                services.push(Service::from_config(raw, &data));
                needs.push(&raw.needs);
            }
        }
        let config = &loaded.config;
        check_socket(&loaded.in_data(&config.supervisor.socket))
            .map_err(|fault| loaded.fault(0..0, format!("[supervisor] socket: {fault}")))?;
        // Not without its links: where the file lies decides about the default data folder.
        let file = std::path::absolute(&loaded.file).unwrap_or_else(|_| loaded.file.clone());
        if config.ingest.enabled {
            let probe = probe(&config.ingest.listen);
            services.push(Service::ours("ingest", Kind::Ingest, &file, &data, probe, secrets(config)));
            needs.push(&config.ingest.needs);
        }
        if config.metrics.enabled {
            let probe = probe(&config.metrics.listen);
            services.push(Service::ours("metrics", Kind::Metrics, &file, &data, probe, Vec::new()));
            needs.push(&config.metrics.needs);
        }
        needs::resolve(&mut services, &needs).map_err(|(span, fault)| loaded.fault(span, fault))?;
        Ok(Self {
            data,
            services,
            stop_budget: config.supervisor.stop_budget.0,
            give_up: config.supervisor.give_up,
            numbers: Numbers::default(),
        })
    }

    /// Where state is kept: what is wanted, which processes run, the lock.
    #[must_use]
    pub fn run_folder(&self) -> PathBuf {
        self.data.join("run")
    }

    /// Where the output of the services is kept.
    #[must_use]
    pub fn logs_folder(&self) -> PathBuf {
        self.data.join("logs")
    }
}

impl Service {
    fn from_config(raw: &config::Service, data: &Path) -> Self {
        Self {
            id: raw.id.clone(),
            kind: Kind::Service,
            command: raw.command.clone(),
            data: data.to_owned(),
            working_directory: data.join(raw.working_directory.as_deref().unwrap_or(Path::new(""))),
            environment: raw.environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            secrets: Vec::new(),
            notify: raw.notify,
            needs: Vec::new(),
            probe: None,
        }
    }

    /// `vigie-ID run --config FILE`.
    fn ours(
        id: &str,
        kind: Kind,
        file: &Path,
        data: &Path,
        probe: Option<SocketAddr>,
        secrets: Vec<String>,
    ) -> Self {
        let file = file.to_string_lossy().into_owned();
        Self {
            id: id.into(),
            kind,
            command: vec![format!("vigie-{id}"), "run".into(), "--config".into(), file],
            data: data.to_owned(),
            // The paths in VIGIE_* variables may be relative: to where a person stood.
            working_directory: std::env::current_dir().unwrap_or_else(|_| data.to_owned()),
            environment: Vec::new(),
            secrets,
            notify: true,
            needs: Vec::new(),
            probe,
        }
    }

    /// A program in the present folder, with the defaults of a `[[service]]`.
    #[must_use]
    pub fn program(id: &str, command: &[&str]) -> Self {
        Self {
            id: id.into(),
            kind: Kind::Service,
            command: command.iter().map(|&word| word.to_owned()).collect(),
            data: PathBuf::from("."),
            working_directory: PathBuf::from("."),
            environment: Vec::new(),
            secrets: Vec::new(),
            notify: false,
            needs: Vec::new(),
            probe: None,
        }
    }
}

/// Checked early: bound it is when the services run already.
fn check_socket(path: &Path) -> Result<(), String> {
    let length = path.as_os_str().len();
    if length <= LONGEST_SOCKET {
        return Ok(());
    }
    Err(format!(
        "the path {} has {length} octets, and the system takes {LONGEST_SOCKET} at most: name a shorter one",
        path.display()
    ))
}

fn check(raw: &config::Service) -> Result<(), String> {
    if !is_id(&raw.id) {
        return Err("an id is 1 to 32 of a-z, 0-9 and \"-\", and does not begin with \"-\"".into());
    }
    if RESERVED.contains(&raw.id.as_str()) {
        return Err(format!("the id is taken: {} mean something already", RESERVED.join(", ")));
    }
    if raw.command.first().is_none_or(String::is_empty) {
        return Err(
            "command is empty: write program and arguments, such as [\"./worker\", \"--fast\"]".into()
        );
    }
    if raw.command.iter().any(|word| word.contains('\0')) {
        return Err("command holds a zero byte".into());
    }
    let bad = |name: &str, value: &str| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
    match raw.environment.iter().find(|(name, value)| bad(name, value)) {
        Some((name, _)) => Err(format!("environment: `{}` is no variable", inert(name, 40))),
        None => Ok(()),
    }
}

fn is_id(id: &str) -> bool {
    let ours = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&id.len()) && id.bytes().all(ours) && !id.starts_with('-')
}

fn secrets(config: &config::Config) -> Vec<String> {
    let named = |account: &config::Account| {
        let client_secret = account.oauth2.as_ref().and_then(|oauth2| oauth2.client_secret_env.clone());
        account.password_env.clone().into_iter().chain(client_secret)
    };
    config.account.iter().flat_map(|account| named(account.get_ref())).collect()
}

/// Where to ask what listens at `listen`: an address for all is reached by loopback. None where it is not known.
pub(crate) fn probe(listen: &str) -> Option<SocketAddr> {
    let mut address = serve::address(listen).ok()?;
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    (address.port() != 0).then_some(address)
}

fn absolute(path: &Path) -> PathBuf {
    // An empty path is the present folder.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

/// A fault and where it is.
type Fault = (Range<usize>, String);

#[cfg(test)]
mod tests;
