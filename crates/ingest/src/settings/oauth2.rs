//! `[account.oauth2]`, validated: what a provider is asked, where, and as whom.

use std::path::{Path, PathBuf};

use axum::http::Uri;
use vigie_common::config::{self, Flow, Loaded, Provider};
use vigie_common::secret::Secret;
use vigie_common::text::inert;

use super::is_loopback;

/// How access tokens are got.
#[derive(Debug, Clone, PartialEq)]
pub struct OAuth2 {
    /// Who gives them out.
    pub provider: Provider,
    /// How.
    pub flow: Flow,
    /// The application; empty for a service account.
    pub client_id: String,
    /// Where the application's secret is, if it has one.
    pub client_secret: Option<Secret>,
    /// What is asked for; empty for whatever the provider thinks best.
    pub scope: String,
    /// JSON key of a service account.
    pub key_file: Option<PathBuf>,
    /// Gives out tokens.
    pub token_url: Uri,
    /// Begins the device flow.
    pub device_url: Option<Uri>,
    /// The page where a person agrees.
    pub auth_url: Option<Uri>,
    /// Where the refresh token is kept.
    pub kept: PathBuf,
}

/// What a provider documents for IMAP.
struct Usual {
    token_url: Option<String>,
    device_url: Option<String>,
    auth_url: Option<String>,
    scope: &'static str,
}

impl OAuth2 {
    pub(super) fn from_config(account: &str, raw: &config::OAuth2, loaded: &Loaded) -> Result<Self, String> {
        let flow = flow(raw)?;
        let usual = usual(raw, flow)?;
        let url = |key: &str, given: &Option<String>, usual: Option<String>| {
            let text = given.clone().or(usual);
            text.map(|text| address(&text).map_err(|fault| format!("{key}: {fault}"))).transpose()
        };
        let token_url = url("token_url", &raw.token_url, usual.token_url)?;
        let device_url = url("device_url", &raw.device_url, usual.device_url)?;
        let auth_url = url("auth_url", &raw.auth_url, usual.auth_url)?;
        let client_secret = client_secret(raw, loaded)?;
        let missing = [
            ("token_url", token_url.is_none()),
            (
                "client_id",
                raw.client_id.as_deref().unwrap_or_default().is_empty() && flow != Flow::ServiceAccount,
            ),
            ("client_secret_file", client_secret.is_none() && needs_secret(raw.provider, flow)),
            ("key_file", raw.key_file.is_none() && flow == Flow::ServiceAccount),
            ("device_url", device_url.is_none() && flow == Flow::Device),
            ("auth_url", auth_url.is_none() && flow == Flow::Loopback),
        ];
        if let Some((key, _)) = missing.into_iter().find(|(_, missing)| *missing) {
            return Err(format!("flow = \"{}\" needs `{key}`", flow.as_str()));
        }
        if raw.key_file.is_some() && flow != Flow::ServiceAccount {
            return Err("key_file is for flow = \"service_account\" alone".into());
        }
        Ok(Self {
            provider: raw.provider,
            flow,
            client_id: raw.client_id.clone().unwrap_or_default(),
            client_secret,
            scope: raw.scope.clone().unwrap_or_else(|| usual.scope.to_owned()),
            key_file: raw.key_file.as_deref().map(|path| loaded.beside(path)),
            token_url: token_url.unwrap_or_default(),
            device_url,
            auth_url,
            kept: loaded.in_data(Path::new("tokens")).join(format!("{account}.json")),
        })
    }
}

fn flow(raw: &config::OAuth2) -> Result<Flow, String> {
    let flow = match (raw.flow, raw.provider) {
        (Some(flow), _) => flow,
        (None, _) if raw.key_file.is_some() => Flow::ServiceAccount,
        (None, Provider::Microsoft) => Flow::Device,
        (None, Provider::Google) => Flow::Loopback,
        (None, Provider::Custom) => {
            return Err(
                "provider = \"custom\" needs `flow`: loopback, device, refresh_token or client_credentials"
                    .into(),
            );
        }
    };
    match (raw.provider, flow) {
        (Provider::Google, Flow::Device) => Err("Google gives no access to mail by flow = \"device\"; use \"loopback\": where no browser is, the address that it ends at is pasted".into()),
        (Provider::Google, Flow::ClientCredentials) => Err("Google has no client credentials; use flow = \"service_account\" with a key_file".into()),
        (Provider::Microsoft, Flow::ServiceAccount) => Err("Microsoft has no service accounts; use flow = \"client_credentials\"".into()),
        (Provider::Microsoft, Flow::ClientCredentials) if raw.tenant.is_none() => {
            Err("flow = \"client_credentials\" needs `tenant`: the id or a domain of your directory".into())
        }
        _ => Ok(flow),
    }
}

fn usual(raw: &config::OAuth2, flow: Flow) -> Result<Usual, String> {
    if raw.tenant.is_some() && raw.provider != Provider::Microsoft {
        return Err("tenant is for provider = \"microsoft\" alone".into());
    }
    Ok(match raw.provider {
        Provider::Microsoft => {
            let tenant = raw.tenant.as_deref().unwrap_or("common");
            if tenant.is_empty()
                || !tenant.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
            {
                return Err(format!("tenant \"{}\" is neither an id nor a domain", inert(tenant, 40)));
            }
            let at =
                |path: &str| Some(format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{path}"));
            let scope = match flow {
                Flow::ClientCredentials => "https://outlook.office365.com/.default",
                _ => "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
            };
            Usual { token_url: at("token"), device_url: at("devicecode"), auth_url: at("authorize"), scope }
        }
        Provider::Google => Usual {
            token_url: Some("https://oauth2.googleapis.com/token".into()),
            device_url: None,
            auth_url: Some("https://accounts.google.com/o/oauth2/v2/auth".into()),
            scope: "https://mail.google.com/",
        },
        Provider::Custom => Usual { token_url: None, device_url: None, auth_url: None, scope: "" },
    })
}

/// Google gives even programs on a person's machine a secret, and asks for it.
fn needs_secret(provider: Provider, flow: Flow) -> bool {
    flow == Flow::ClientCredentials
        || (provider == Provider::Google && matches!(flow, Flow::Loopback | Flow::RefreshToken))
}

fn client_secret(raw: &config::OAuth2, loaded: &Loaded) -> Result<Option<Secret>, String> {
    let given = [
        raw.client_secret_file.as_deref().map(|path| Secret::File(loaded.beside(path))),
        raw.client_secret_env.clone().map(Secret::Env),
        raw.client_secret_command.clone().map(Secret::Command),
        raw.client_secret_credential.clone().map(Secret::Credential),
        raw.client_secret.clone().map(Secret::Inline),
    ];
    let mut given = given.into_iter().flatten();
    let secret = given.next();
    if given.next().is_some() {
        return Err("more than one of client_secret_file, client_secret_env, client_secret_command, client_secret_credential and client_secret is set; keep one".into());
    }
    Ok(secret)
}

/// An address that secrets may be sent to.
fn address(text: &str) -> Result<Uri, String> {
    let shown = inert(text, 80);
    let uri: Uri = text.parse().map_err(|_| format!("\"{shown}\" is no address"))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    match uri.scheme_str() {
        _ if host.is_empty() || uri.authority().is_some_and(|a| a.as_str().contains('@')) => {
            Err(format!("\"{shown}\" names no host, or a user"))
        }
        Some("https") => Ok(uri),
        Some("http") if is_loopback(host) => Ok(uri),
        _ => {
            Err(format!("secrets are not sent to {shown}: use https (http is for loopback addresses alone)"))
        }
    }
}
