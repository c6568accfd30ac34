//! What a child finds in its environment: what its service names and no more. Above all neither our own
//! `NOTIFY_SOCKET` and watchdog nor a secret that is meant for another.

use std::ffi::OsString;

use vigie_web::health::PROBE_TOKEN;

use crate::settings::{Kind, Service};

/// Every program gets these.
const ALL: [&str; 4] = ["PATH", "HOME", "TZ", "LANG"];

/// The variables of `service`, picked from `ours`. Our own programs get the `token` of our probe, too.
pub(crate) fn of(
    service: &Service,
    token: &str,
    ours: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let wanted = |name: &str| {
        ALL.contains(&name)
            || (service.kind != Kind::Service
                && (name.starts_with("VIGIE_")
                    || name.starts_with("SSL_CERT_")
                    // Where systemd puts the secrets that `password_credential` names.
                    || name == "CREDENTIALS_DIRECTORY"
                    || service.secrets.iter().any(|secret| secret == name)))
    };
    let mut picked: Vec<_> = ours
        .filter(|(name, _)| {
            name.to_str().is_some_and(|name| wanted(name) && name != LIFELINE && name != PROBE_TOKEN)
        })
        .collect();
    if service.kind != Kind::Service {
        picked.push((PROBE_TOKEN.into(), token.into()));
    }
    picked.extend(service.environment.iter().map(|(name, value)| (name.into(), value.into())));
    picked
}

const LIFELINE: &str = vigie_common::lifeline::VARIABLE;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(kind: Kind) -> Vec<String> {
        let mut service = Service::program("worker", &["worker"]);
        service.kind = kind;
        service.secrets = vec!["SUPPORT_PASSWORD".into()];
        service.environment = vec![("LEVEL".into(), "fast".into())];
        let ours =
            ["PATH", "TZ", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "SUPPORT_PASSWORD", "OTHER"]
                .into_iter()
                .chain([
                    "VIGIE_LIFELINE",
                    "VIGIE_PROBE_TOKEN",
                    "VIGIE_METRICS__LISTEN",
                    "SSL_CERT_FILE",
                    "LD_PRELOAD",
                ]);
        of(&service, "token", ours.map(|name| (name.into(), "x".into())))
            .into_iter()
            .inspect(|(name, value)| assert!(name != PROBE_TOKEN || value == "token"))
            .map(|(name, _)| name.into_string().unwrap())
            .collect()
    }

    #[test]
    fn each_gets_its_own_and_nobody_ours() {
        assert_eq!(names(Kind::Service), ["PATH", "TZ", "LEVEL"]);
        assert_eq!(
            names(Kind::Ingest),
            [
                "PATH",
                "TZ",
                "SUPPORT_PASSWORD",
                "VIGIE_METRICS__LISTEN",
                "SSL_CERT_FILE",
                "VIGIE_PROBE_TOKEN",
                "LEVEL"
            ]
        );
    }
}
