//! `token`: how old the login is by which an account gets access tokens, and when it ends; never what it is.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use vigie_common::clock;
use vigie_common::exit::Exit;
use vigie_common::text::inert;

use super::login::account;
use super::{Failure, Outcome, say};
use crate::oauth::{Client, Kept};
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Id of the account
    account: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    account: &'a str,
    flow: &'static str,
    logged_in_at: Option<Timestamp>,
    renewed_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    scope: Option<String>,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Outcome {
    let account = account(settings, &arguments.account)?;
    let Some(client) = Client::of(account) else {
        say(&format!(
            "account {} keeps no login: it logs in by the {}",
            account.id,
            account.sign_in.place()
        ))?;
        return Ok(Exit::Done);
    };
    let (flow, path) = (client.settings().flow, &client.settings().kept);
    let refused = |fault: String| {
        Failure::new(Exit::Refused, format!("account {0}: {fault}; run `vigie-ingest login {0}`", account.id))
    };
    let kept = Kept::read(path).map_err(|e| refused(format!("{}: {e}", path.display())))?;
    let kept = kept.filter(|_| flow.needs_login());
    if arguments.json {
        let report = Report {
            account: &account.id,
            flow: flow.as_str(),
            logged_in_at: kept.as_ref().map(|k| k.logged_in_at),
            renewed_at: kept.as_ref().map(|k| k.renewed_at),
            expires_at: kept.as_ref().and_then(|k| k.expires_at),
            scope: kept.as_ref().and_then(|k| k.scope.clone()),
        };
        say(&serde_json::to_string(&report).map_err(|e| Failure::new(Exit::Internal, e))?)?;
    } else if !flow.needs_login() {
        say(&format!("account {}: flow \"{}\" needs no login and keeps none", account.id, flow.as_str()))?;
        return Ok(Exit::Done);
    }
    let Some(kept) = kept else {
        return if flow.needs_login() {
            Err(refused("nobody has logged in yet".into()))
        } else {
            Ok(Exit::Done)
        };
    };
    let now = clock::now();
    let is_over = kept.expires_at.is_some_and(|ends| ends <= now);
    if !arguments.json {
        say(&format!("account {}: flow \"{}\", kept in {}", account.id, flow.as_str(), path.display()))?;
        say(&format!(
            "logged in  {:.0}, {} ago",
            kept.logged_in_at,
            days(now.duration_since(kept.logged_in_at))
        ))?;
        say(&format!(
            "last used  {:.0}, {} ago",
            kept.renewed_at,
            days(now.duration_since(kept.renewed_at))
        ))?;
        say(&match kept.expires_at {
            Some(ends) if is_over => format!("ended      {ends:.0}: run `vigie-ingest login {}`", account.id),
            Some(ends) => format!("ends       {ends:.0}, in {}", days(ends.duration_since(now))),
            None => "ends       not known".into(),
        })?;
        say(&format!(
            "scope      {}",
            kept.scope.as_deref().map_or_else(|| "not told".into(), |s| inert(s, 200))
        ))?;
    }
    Ok(if is_over { Exit::Refused } else { Exit::Done })
}

fn days(length: SignedDuration) -> String {
    match length.as_hours() {
        hours if hours >= 48 => format!("{} days", hours / 24),
        hours if hours >= 2 => format!("{hours} hours"),
        _ => format!("{} minutes", length.as_mins().max(0)),
    }
}
