//! `account add`, step by step: where, who, how, which, and then all of it at once to the disk.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use tokio::runtime::Runtime;
use vigie_common::cli::{Failure, Outcome, say};
use vigie_common::config::Tls;
use vigie_common::document::MailboxSource;
use vigie_common::exit::Exit;
use vigie_common::secret::Secret;

use super::ask::{Asker, password_from_stdin};
use super::place::Place;
use super::table::{Draft, SignIn, id_for};
use super::{Add, server, write};
use crate::cli::table::table;
use crate::cli::{exit_for, runtime};
use crate::discover::{Address, Candidate, Origin};
use crate::error::{Error, quoted};
use crate::providers::SignIn as Way;
use crate::session::{Session, connect};
use crate::settings::{self, Patterns, is_collection};
use crate::transport::Dialer;

/// A person may mistype the password so often; more, and providers begin to lock the account.
const TRIES: usize = 3;
/// Messages are counted in so many mailboxes.
const COUNTED: usize = 200;

pub(super) fn run(arguments: &Add, file: Option<&Path>) -> Outcome {
    let address: Address = arguments.address.parse().map_err(usage)?;
    let asker = Asker::new(arguments.yes);
    let place = Place::find(file)?;
    let runtime = runtime()?;
    let dialer = Dialer::default();

    let proposal = id_for(&address, &place.ids);
    let id = given_or(&arguments.id, || asker.answer("Name of the account", "--id", Some(&proposal)))?;
    if place.ids.contains(&id) {
        return Err(usage(format!("--id: {} has an account {} already", place.file.display(), quoted(&id))));
    }
    let mut draft = Draft {
        id,
        server: Candidate {
            host: String::new(),
            port: 0,
            tls: Tls::Implicit,
            user: address.to_string(),
            provider: None,
            from: Origin::Person,
        },
        ca_file: arguments.ca_file.as_deref().map(|path| place.named(path)),
        pin: arguments.pin.clone(),
        user: address.to_string(),
        sign_in: SignIn::Password("secrets/none".into()),
        mailboxes: vec!["INBOX".into()],
    };
    draft.server = server::find(arguments, asker, &runtime, &dialer, &address, |server| {
        place.account(&Draft { server: server.clone(), user: server.user.clone(), ..draft.clone() })
    })?;
    let usual = draft.server.user.clone();
    draft.user = given_or(&arguments.user, || asker.answer("User", "--user", Some(&usual)))?;

    let mut secret = None;
    match way(arguments, asker, &draft.server)? {
        Way::OAuth2(provider) => {
            draft.sign_in = SignIn::OAuth2 {
                provider,
                client_id: given_or(&arguments.client_id, || {
                    asker.answer("Client id of your application", "--client-id", None)
                })?,
                client_secret_file: client_secret(arguments, asker, provider)?.map(|path| place.named(&path)),
            };
            if !arguments.mailboxes.is_empty() {
                draft.mailboxes.clone_from(&arguments.mailboxes);
            }
        }
        Way::Password | Way::AppPassword(_) => {
            let source = Password::find(arguments, asker)?;
            draft.sign_in = SignIn::Password(match &source {
                Password::File(path) => place.named(path),
                _ => format!("secrets/{}", draft.id),
            });
            if matches!(source, Password::File(_)) {
                say("the password stays in the file that you name")?;
            } else if place.secret(&draft).exists() {
                return Err(Failure::new(
                    Exit::CannotWrite,
                    format!(
                        "{} is there already: remove it, or choose another --id",
                        place.secret(&draft).display()
                    ),
                ));
            }
            let (session, password) = log_in(&runtime, &dialer, asker, source, &place, &draft)?;
            secret = password;
            draft.mailboxes = mailboxes(arguments, asker, &runtime, session)?;
        }
    }
    finish(asker, &place, &draft, secret)
}

/// How to sign in: as the flags say, as the provider wants it, or as the person chooses.
fn way(arguments: &Add, asker: Asker, server: &Candidate) -> Result<Way, Failure> {
    let ways = server.provider.map_or(&[Way::Password][..], |p| p.sign_in);
    let oauth = ways.iter().copied().find(|way| matches!(way, Way::OAuth2(_)));
    let other = ways.iter().copied().find(|way| !matches!(way, Way::OAuth2(_)));
    let chosen = match (oauth, other) {
        _ if arguments.oauth.as_deref() == Some("google") => Way::OAuth2("google"),
        _ if arguments.oauth.is_some() => Way::OAuth2("microsoft"),
        (_, Some(other)) if arguments.password_file.is_some() => other,
        (Some(oauth), Some(other)) => {
            let answer = asker.answer(
                "Sign in by 1 (a password made for this program) or 2 (OAuth)",
                "--password-file or --oauth",
                Some("1"),
            )?;
            if answer == "2" { oauth } else { other }
        }
        (Some(oauth), None) => oauth,
        (None, other) => other.unwrap_or(Way::Password),
    };
    if let Way::AppPassword(page) = chosen {
        say(&format!("a password made for this program alone is needed: {page}"))?;
    }
    Ok(chosen)
}

/// The file with the secret of the application; Google gives one even to programs on people's machines.
fn client_secret(arguments: &Add, asker: Asker, provider: &str) -> Result<Option<PathBuf>, Failure> {
    match &arguments.client_secret_file {
        None if provider == "google" => asker
            .answer("File that holds the secret of your application", "--client-secret-file", None)
            .map(|path| Some(path.into())),
        given => Ok(given.clone()),
    }
}

/// Where the password comes from.
enum Password {
    File(PathBuf),
    Stdin(SecretString),
    Person,
}

impl Password {
    fn find(arguments: &Add, asker: Asker) -> Result<Self, Failure> {
        match &arguments.password_file {
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdin(password_from_stdin()?)),
            Some(path) => Ok(Self::File(path.clone())),
            None if asker.has_terminal() => Ok(Self::Person),
            // Says what is missing.
            None => asker.hidden("Password", "--password-file").map(Self::Stdin),
        }
    }
}

/// Logs in, and gives back the password that is to be kept.
fn log_in(
    runtime: &Runtime,
    dialer: &Dialer,
    asker: Asker,
    source: Password,
    place: &Place,
    draft: &Draft,
) -> Result<(Session, Option<SecretString>), Failure> {
    let mut account = place.account(draft)?;
    let mut left = TRIES;
    loop {
        left -= 1;
        let password = match &source {
            Password::File(_) => None,
            Password::Stdin(password) => Some(password.clone()),
            Password::Person => Some(asker.hidden("Password", "--password-file")?),
        };
        if let Some(password) = &password {
            account.sign_in = settings::SignIn::Password(Secret::Inline(password.clone()));
        }
        match runtime.block_on(connect(dialer, &account)) {
            Ok(session) => {
                say("login: good")?;
                return Ok((session, password));
            }
            Err(error @ Error::Credentials { .. }) if matches!(source, Password::Person) && left > 0 => {
                say(&format!("login: {}", told(&error)))?;
            }
            Err(error) => {
                return Err(Failure::new(
                    exit_for(&error),
                    format!("login: {}; nothing was written", told(&error)),
                ));
            }
        }
    }
}

/// Without the place where a running ingest would look for the password.
fn told(error: &Error) -> String {
    let text = error.to_string();
    match error {
        Error::Credentials { .. } => text.split("; check `user`").next().unwrap_or(&text).to_owned(),
        _ => text,
    }
}

/// Shows what is there, and asks which of it is to be watched.
fn mailboxes(
    arguments: &Add,
    asker: Asker,
    runtime: &Runtime,
    mut session: Session,
) -> Result<Vec<String>, Failure> {
    let failed = |error: Error| Failure::new(exit_for(&error), format!("{error}; nothing was written"));
    let found: Vec<MailboxSource> = runtime
        .block_on(session.mailboxes())
        .map_err(failed)?
        .into_iter()
        .map(|found| found.source)
        .collect();
    let mut shown = table(["mailbox", "messages", "use"]);
    for (number, mailbox) in found.iter().enumerate() {
        // One that cannot be counted is there all the same.
        let count = match runtime.block_on(async {
            if number < COUNTED {
                session.status(&mailbox.raw_name).await.map(|told| told.messages)
            } else {
                Ok(None)
            }
        }) {
            Ok(count) => count.map(|count| count.to_string()),
            Err(Error::Refused { .. } | Error::Unsuitable(_)) => None,
            Err(error) => return Err(failed(error)),
        };
        let special =
            mailbox.special_use.as_deref().map(|special| format!("\\{special}")).unwrap_or_default();
        let again = if is_collection(mailbox) { ", messages of other mailboxes again" } else { "" };
        shown.add_row([quoted(&mailbox.name), count.unwrap_or_default(), format!("{special}{again}")]);
    }
    runtime.block_on(session.logout());
    say(&shown.to_string())?;
    if found.iter().any(|mailbox| mailbox.special_use.as_deref() == Some("all")) {
        say("\\All instead of INBOX is every message once, also those that are archived")?;
    }
    loop {
        let chosen = if arguments.mailboxes.is_empty() {
            let answer = asker.answer(
                "Mailboxes to watch, with commas between them (* is anything, !x is not x)",
                "--mailboxes",
                Some("INBOX"),
            )?;
            answer.split(',').map(|name| name.trim().to_owned()).collect()
        } else {
            arguments.mailboxes.clone()
        };
        let fault = match Patterns::parse(&chosen) {
            Ok(patterns) if found.iter().any(|mailbox| patterns.includes(mailbox)) => return Ok(chosen),
            Ok(_) => "none of the mailboxes above is among these".to_owned(),
            Err(fault) => fault,
        };
        if !asker.is_person() || !arguments.mailboxes.is_empty() {
            return Err(usage(format!("--mailboxes: {fault}; nothing was written")));
        }
        say(&fault)?;
    }
}

/// Shows the table, and writes it.
fn finish(asker: Asker, place: &Place, draft: &Draft, secret: Option<SecretString>) -> Outcome {
    let text = place.with(draft);
    place.settings(text.clone())?;
    let file = place.file.display();
    say(&format!("\n{}", draft.table()))?;
    if !asker.agrees(&format!("Write this to {file}?"), true)? {
        return Err(Failure::new(Exit::Usage, "nothing was written"));
    }
    let cannot = |what: &Path, error: std::io::Error| {
        Failure::new(Exit::CannotWrite, format!("{}: {error}; nothing was changed", what.display()))
    };
    let kept = secret.map(|secret| (place.secret(draft), secret));
    if let Some((path, secret)) = &kept {
        write::keep(path, secret).map_err(|error| cannot(path, error))?;
    }
    let former = write::replace(&place.file, place.before.as_deref(), &text).map_err(|error| {
        if let Some((path, _)) = &kept {
            let _ = std::fs::remove_file(path);
        }
        cannot(&place.file, error)
    })?;
    match former {
        Some(former) => say(&format!("added to {file}; what it was is in {}", former.display()))?,
        None => say(&format!("made {file}, which was not there"))?,
    }
    if let Some((path, _)) = &kept {
        say(&format!("the password is in {}, for its owner alone", path.display()))?;
    }
    if matches!(draft.sign_in, SignIn::OAuth2 { .. }) {
        say(&format!("now sign in once: vigie-ingest login {}", draft.id))?;
    }
    say(&place.next(text))?;
    Ok(Exit::Done)
}

fn given_or(
    given: &Option<String>,
    ask: impl FnOnce() -> Result<String, Failure>,
) -> Result<String, Failure> {
    given.clone().map_or_else(ask, Ok)
}

fn usage(fault: impl ToString) -> Failure {
    Failure::new(Exit::Usage, fault)
}
