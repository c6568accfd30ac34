//! Which server has the mailbox: as the person says, or as it is found; and whether it answers.

use tokio::runtime::Runtime;
use vigie_common::cli::{Failure, say};
use vigie_common::config::Tls;
use vigie_common::exit::Exit;

use super::Add;
use super::ask::Asker;
use crate::cli::exit_for;
use crate::discover::{Address, Candidate, Dns, Origin, Sources, Web, discover};
use crate::error::Error;
use crate::providers;
use crate::session::{greet, presented};
use crate::settings::Account;
use crate::transport::Dialer;

/// The server that has the mailbox, and answers.
pub(super) fn find(
    arguments: &Add,
    asker: Asker,
    runtime: &Runtime,
    dialer: &Dialer,
    address: &Address,
    account: impl Fn(&Candidate) -> Result<Account, Failure>,
) -> Result<Candidate, Failure> {
    let (candidates, in_vain) = match &arguments.host {
        Some(host) => (vec![as_given(arguments, host, address)], Vec::new()),
        None => {
            let sources = Sources { dns: Dns::of_system(), web: Web::default() };
            runtime.block_on(discover(&sources, address))
        }
    };
    let alone = candidates.len() == 1;
    let mut last = None;
    for candidate in candidates {
        say(&format!("server {}", shown(&candidate)))?;
        if let Some(provider) = candidate.provider {
            say(&format!("  {}", provider.title))?;
            for told in [provider.note, provider.page].into_iter().flatten() {
                say(&format!("  {told}"))?;
            }
        }
        if matches!(candidate.from, Origin::Unproven(_))
            && !asker.agrees(
                "  Only DNS says so, which can be forged; the password would go there. Use it?",
                false,
            )?
        {
            say("  left out: only DNS says so, which can be forged; --host takes it all the same")?;
            continue;
        }
        let account = account(&candidate)?;
        match runtime.block_on(greet(dialer, &account)) {
            Ok(_) => {
                say("  answers")?;
                return Ok(candidate);
            }
            Err(error) => {
                say(&format!("  no: {error}"))?;
                let distrusted = account.pins.is_empty() && matches!(error, Error::Tls { .. });
                if distrusted && let Ok(pin) = runtime.block_on(presented(dialer, &account)) {
                    say(&format!(
                        "  if the server's operator tells the same fingerprint, trust it by --pin {pin}"
                    ))?;
                }
                last = Some(error);
            }
        }
    }
    for fault in &in_vain {
        say(&format!("asked in vain: {fault}"))?;
    }
    // One that was named, by the person or by the table, is the one that matters.
    let exit = last.as_ref().filter(|_| alone).map_or(Exit::Unavailable, exit_for);
    let what = if alone {
        "the server does not answer as it should".to_owned()
    } else {
        format!("no IMAP server found for {}: name it by --host", address.domain)
    };
    Err(Failure::new(exit, format!("{what}; nothing was written")))
}

fn as_given(arguments: &Add, host: &str, address: &Address) -> Candidate {
    let provider = providers::by_host(host);
    let tls = match arguments.tls.as_deref() {
        Some("starttls") => Tls::Starttls,
        Some("none") => Tls::None,
        _ => Tls::Implicit,
    };
    Candidate {
        host: host.to_owned(),
        port: arguments.port.unwrap_or(if tls == Tls::Implicit { 993 } else { 143 }),
        tls,
        user: provider.map_or_else(|| address.to_string(), |p| p.user_for(&address.to_string())),
        provider,
        from: Origin::Person,
    }
}

fn shown(candidate: &Candidate) -> String {
    let how = match candidate.tls {
        Tls::Implicit => "TLS",
        Tls::Starttls => "STARTTLS",
        Tls::None => "not encrypted",
    };
    format!("{}:{}, {how} ({})", candidate.host, candidate.port, candidate.from)
}
