//! `sync`: one pass over all mailboxes of all accounts.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use vigie_common::config::Size;
use vigie_common::document::MailboxSource;
use vigie_common::exit::Exit;
use vigie_common::shutdown;

use super::table::table;
use super::{Failure, Outcome, exit_for, open_archive, runtime, say};
use crate::beat::Beat;
use crate::error::{Error, Result};
use crate::mailbox::{Mailbox, Pass, Shared};
use crate::progress::Progress;
use crate::session::{Session, connect};
use crate::settings::{Account, Settings};
use crate::transport::Dialer;
use crate::watcher::{look, recall_budget, share_out};

/// A connection that is lost is made again so many times without a message stored in between.
const TRIES: u32 = 5;
/// Before it is made again.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// What became of one mailbox, or of an account whose mailboxes could not be found out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    account: String,
    mailbox: Option<String>,
    #[serde(rename = "result")]
    pass: Pass,
    error: Option<String>,
    #[serde(skip)]
    exit: Option<Exit>,
}

impl Line {
    fn of_fault(error: &str) -> Self {
        let error = Some(format!("internal fault: {error}"));
        Self { account: "?".into(), mailbox: None, pass: Pass::default(), error, exit: Some(Exit::Internal) }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    mailboxes: &'a [Line],
    seconds: f64,
    exit: u8,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Outcome {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let stop = shutdown::on_signals().map_err(|e| Failure::new(Exit::Internal, e))?;
    let (shared, store) = open_archive(settings, stop.clone())?;
    let since = Instant::now();
    let mut lines = runtime.block_on(async {
        let shown = tokio::spawn(show(Arc::clone(&shared.progress)));
        let dialer = Dialer::default();
        let mut accounts = JoinSet::new();
        for account in &settings.accounts {
            accounts.spawn(one_account(shared.clone(), dialer.clone(), Arc::new(account.clone())));
        }
        let mut lines = Vec::new();
        while let Some(done) = accounts.join_next().await {
            // One that failed by a fault of ours has told so in the log; nothing of it may pass for done.
            lines.extend(done.unwrap_or_else(|error| vec![Line::of_fault(&error.to_string())]));
        }
        shown.abort();
        lines
    });
    drop(shared);
    runtime.shutdown_timeout(Duration::from_secs(1));
    store.finish()?;
    lines.sort_by(|a, b| (&a.account, &a.mailbox).cmp(&(&b.account, &b.mailbox)));
    let exit = exit_of(&lines);
    let seconds = since.elapsed().as_secs_f64();
    if arguments.json {
        let summary = Summary { mailboxes: &lines, seconds, exit: exit.code() };
        let text = serde_json::to_string(&summary).map_err(|e| Failure::new(Exit::Internal, e))?;
        say(&text)?;
    } else {
        print(&lines, seconds)?;
    }
    Ok(exit)
}

/// The gravest of what happened.
fn exit_of(lines: &[Line]) -> Exit {
    let has = |exit| lines.iter().any(|l| l.exit == Some(exit));
    [Exit::Internal, Exit::CannotWrite, Exit::Refused, Exit::Unavailable]
        .into_iter()
        .find(|&exit| has(exit))
        .unwrap_or(if lines.iter().any(|l| l.pass.open > 0 || l.pass.held) {
            Exit::Incomplete
        } else {
            Exit::Done
        })
}

async fn one_account(shared: Shared, dialer: Dialer, account: Arc<Account>) -> Vec<Line> {
    match mailboxes(&shared, &dialer, &account).await {
        Ok(lines) => lines,
        Err(error) => vec![line(&account, None, Pass::default(), Some(error))],
    }
}

async fn mailboxes(shared: &Shared, dialer: &Dialer, account: &Arc<Account>) -> Result<Vec<Line>> {
    // Nobody watches over a single run but whoever started it.
    let beat = Beat::default();
    recall_budget(shared, account).await?;
    let (session, sources) = tokio::select! {
        looked = look(dialer, account, &beat) => looked?,
        () = shared.shutdown.cancelled() => return Err(Error::Stopped),
    };
    if sources.is_empty() {
        return Err(Error::Unsuitable("no mailbox is watched: see `mailboxes`".into()));
    }
    let mut first = Some(session);
    let mut lanes = JoinSet::new();
    let connections = shared.connections.min(account.quirks.connections);
    for share in share_out(sources, connections) {
        lanes.spawn(one_lane(shared.clone(), dialer.clone(), Arc::clone(account), first.take(), share));
    }
    let mut lines = Vec::new();
    while let Some(done) = lanes.join_next().await {
        lines.extend(done.map_err(|e| Error::Internal(e.to_string()))?);
    }
    Ok(lines)
}

/// The mailboxes of one connection, one after the other.
async fn one_lane(
    shared: Shared,
    dialer: Dialer,
    account: Arc<Account>,
    mut session: Option<Session>,
    sources: Vec<MailboxSource>,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut rests: Option<Error> = None;
    for source in sources {
        let name = source.name.clone();
        if let Some(error) = &rests {
            // The provider is not asked again after this.
            lines.push(line(&account, Some(name), Pass::default(), Some(error.clone())));
            continue;
        }
        let (pass, error) = match Mailbox::open(&shared, &account, source).await {
            Ok(mailbox) => one_mailbox(&shared, &dialer, &account, &mut session, mailbox).await,
            Err(error) => (Pass::default(), Some(error)),
        };
        rests = error.clone().filter(|e| e.is_refusal() || matches!(e, Error::Throttled { .. }));
        lines.push(line(&account, Some(name), pass, error));
    }
    if let Some(session) = session {
        session.logout().await;
    }
    lines
}

/// One mailbox to its end, over several connections if need be. Counts are of all of them together.
async fn one_mailbox(
    shared: &Shared,
    dialer: &Dialer,
    account: &Account,
    session: &mut Option<Session>,
    mut mailbox: Mailbox,
) -> (Pass, Option<Error>) {
    let mut total = Pass::default();
    let mut tries = 0;
    loop {
        let done = match session.take() {
            Some(connected) => Ok(connected),
            None => tokio::select! {
                connected = connect(dialer, account) => connected,
                () = shared.shutdown.cancelled() => Err(Error::Stopped),
            },
        };
        let done = match done {
            Ok(mut connected) => tokio::select! {
                done = mailbox.sync(&mut connected) => done.map(|_| connected),
                () = shared.shutdown.cancelled() => Err(Error::Stopped),
            },
            Err(error) => Err(error),
        };
        let pass = mailbox.pass();
        total = Pass {
            stored: total.stored + pass.stored,
            bytes: total.bytes + pass.bytes,
            gone: total.gone + pass.gone,
            ..pass
        };
        match done {
            Ok(connected) => {
                *session = Some(connected);
                return (total, None);
            }
            Err(error @ (Error::Lost { .. } | Error::Unreachable { .. })) => {
                tries = if pass.stored > 0 { 1 } else { tries + 1 };
                if tries >= TRIES {
                    return (total, Some(error));
                }
                tracing::warn!(account = account.id, mailbox = mailbox.shown(), %error, "connecting again");
                sleep(PAUSE).await;
            }
            Err(error) => return (total, Some(error)),
        }
    }
}

fn line(account: &Account, mailbox: Option<String>, pass: Pass, error: Option<Error>) -> Line {
    let exit = error.as_ref().map(exit_for);
    Line { account: account.id.clone(), mailbox, pass, error: error.map(|e| e.to_string()), exit }
}

fn print(lines: &[Line], seconds: f64) -> std::result::Result<(), Failure> {
    let mut rows = table([
        "account",
        "mailbox",
        "on server",
        "stored",
        "size",
        "gone",
        "open",
        "quarantined",
        "trouble",
    ]);
    for line in lines {
        let Pass { exists, stored, bytes, gone, open, quarantined, held } = line.pass;
        let held = held.then(|| "`daily_bytes` is used up: run it again tomorrow".to_owned());
        rows.add_row([
            line.account.clone(),
            line.mailbox.as_deref().map_or_else(|| "-".into(), crate::error::quoted),
            exists.to_string(),
            stored.to_string(),
            Size(bytes).to_string(),
            gone.to_string(),
            open.to_string(),
            quarantined.to_string(),
            line.error.clone().or(held).unwrap_or_default(),
        ]);
    }
    say(&rows.to_string())?;
    let stored: u64 = lines.iter().map(|l| l.pass.stored).sum();
    say(&format!("{stored} messages stored in {seconds:.1} s"))
}

/// A bar on a terminal, a log line now and then otherwise.
async fn show(progress: Arc<Progress>) {
    const STEP: Duration = Duration::from_millis(200);
    const LINE: Duration = Duration::from_secs(5);
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {pos}/{len} messages  {msg}  {per_sec}  {eta} left")
    {
        bar.set_style(style);
    }
    let mut next_line = Instant::now() + LINE;
    loop {
        sleep(STEP).await;
        let (expected, stored, bytes) = progress.read();
        if bar.is_hidden() {
            if Instant::now() >= next_line && stored < expected {
                next_line += LINE;
                tracing::warn!(stored, listed = expected, size = %Size(bytes), "fetching");
            }
            continue;
        }
        bar.set_length(expected);
        bar.set_position(stored);
        bar.set_message(Size(bytes).to_string());
    }
}
