//! `/api/v1/stream`: all that changes, in one stream of events.
//!
//! Whoever takes events too slowly loses some, is told so (`resync`), and asks again for what it shows.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use vigie_common::clock;
use vigie_common::config::Role;
use vigie_web::{Problem, Visitor};

use super::App;
use super::mailboxes::{Mailboxes, mailboxes};
use super::params::Params;
use super::summary::{Summary, summary};
use crate::host::Host;
use crate::model::Latest;

/// A comment, so that nobody between takes a silent stream for a dead one.
const COMMENT: Duration = Duration::from_secs(15);
/// Summary and mailboxes are told no more often than this.
const EVERY: Duration = Duration::from_secs(1);
/// Ingest falling silent changes nothing here: that is looked for.
const LOOK: Duration = Duration::from_secs(15);
/// A stream ends after this, and its client begins another: what it may see may have changed.
const LIFE: Duration = Duration::from_secs(3600);
/// Events on their way to a client.
const ROOM: usize = 32;
/// Messages told in one event.
const LATEST: usize = 20;

pub(super) async fn answer(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let zone = Params::parse(query.as_deref(), &["tz"])?.zone()?;
    let (events, taken) = mpsc::channel(ROOM);
    let again = headers.contains_key("last-event-id");
    let client = Client { app, visitor, zone, events, number: 0, lost: again };
    tokio::spawn(client.run());
    let stream = Sse::new(ReceiverStream::new(taken)).keep_alive(KeepAlive::new().interval(COMMENT));
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((unbuffered, stream).into_response())
}

struct Client {
    app: App,
    visitor: Visitor,
    zone: TimeZone,
    events: mpsc::Sender<Result<Event, Infallible>>,
    number: u64,
    /// Something was not told.
    lost: bool,
}

#[derive(Serialize)]
struct Messages<'a> {
    new: usize,
    latest: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    account: &'a str,
    mailbox: &'a str,
    received_at: Option<Timestamp>,
    size: u64,
    from: Option<&'a str>,
    subject: Option<&'a str>,
}

impl Client {
    async fn run(mut self) {
        let mut standing = self.app.outlets.standing.clone();
        let mut host = self.app.host.clone();
        let mut alarms = self.app.alarms.clone();
        let mut news = self.app.outlets.news.subscribe();
        let end = Instant::now() + LIFE;
        let mut told: (Option<Summary>, Option<Mailboxes>) = (None, None);
        let mut due = Some(Instant::now());
        let mut last = Instant::now();
        self.tell_host(&mut host);
        loop {
            let at = due.unwrap_or(last + LOOK);
            tokio::select! {
                () = self.app.shutdown.cancelled() => return,
                () = self.events.closed() => return,
                () = sleep_until(end) => return,
                changed = standing.changed() => match changed {
                    Ok(()) => due = Some(due.unwrap_or(last + EVERY)),
                    Err(_) => return,
                },
                changed = alarms.changed() => match changed {
                    Ok(()) => due = Some(due.unwrap_or(last + EVERY)),
                    Err(_) => return,
                },
                changed = host.changed() => match changed {
                    Ok(()) => self.tell_host(&mut host),
                    Err(_) => return,
                },
                came = news.recv() => match came {
                    Ok(came) => self.tell_news(&came),
                    Err(RecvError::Lagged(_)) => self.lost = true,
                    Err(RecvError::Closed) => return,
                },
                () = sleep_until(at) => {
                    due = None;
                    last = Instant::now();
                    self.tell_state(&mut told).await;
                }
            }
        }
    }

    fn tell_host(&mut self, host: &mut watch::Receiver<Option<Host>>) {
        let seen = host.borrow_and_update().clone();
        if let Some(host) = seen {
            self.send("host", &host);
        }
    }

    async fn tell_state(&mut self, told: &mut (Option<Summary>, Option<Mailboxes>)) {
        match summary(&self.app, &self.visitor, self.zone.clone()).await {
            Ok(now) => {
                if told.0.as_ref().is_none_or(|before| !before.same(&now)) {
                    self.send("summary", &now);
                    told.0 = Some(now);
                }
            }
            // The read model is being made anew: the next change tells.
            Err(_) => self.lost = true,
        }
        let now = mailboxes(&self.app.outlets.standing.borrow(), &self.visitor, clock::now());
        if told.1.as_ref().is_none_or(|before| !before.same(&now)) {
            self.send("mailboxes", &now);
            told.1 = Some(now);
        }
    }

    fn tell_news(&mut self, news: &[Latest]) {
        let seen: Vec<_> = news.iter().filter(|one| self.visitor.sees(&one.account)).collect();
        if seen.is_empty() {
            return;
        }
        let words = self.visitor.role() >= Role::Reader;
        let names =
            self.app.outlets.standing.borrow().archive.as_ref().map(|a| a.names()).unwrap_or_default();
        let latest = seen.iter().rev().take(LATEST).map(|one| Message {
            account: &one.account,
            mailbox: names.get(&(one.account.clone(), one.mailbox.clone())).unwrap_or(&one.mailbox),
            received_at: one.received_at,
            size: one.size,
            from: one.from.as_deref().filter(|_| words),
            subject: one.subject.as_deref().filter(|_| words),
        });
        let messages = Messages { new: seen.len(), latest: latest.collect() };
        self.send("messages", &messages);
    }

    fn send(&mut self, name: &str, data: &impl Serialize) {
        if self.lost && self.give("resync", &serde_json::json!({})) {
            self.lost = false;
        }
        if self.lost || !self.give(name, data) {
            self.lost = true;
        }
    }

    /// Hands an event over, unless too many are on their way.
    fn give(&mut self, name: &str, data: &impl Serialize) -> bool {
        let Ok(event) = Event::default().event(name).id(self.number.to_string()).json_data(data) else {
            return false;
        };
        self.number += 1;
        self.events.try_send(Ok(event)).is_ok()
    }
}
