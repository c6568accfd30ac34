//! An archive, a read model and a face of their own, and mail to put there.

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;
use vigie_archive::{Archive, Change, Frame, Header, MailboxState, Message, RawPolicy, Round, Settings};
use vigie_common::clock;
use vigie_common::config::Loaded;
use vigie_common::document::{MailboxSource, Mode};
use vigie_common::id::{BlobId, Instance};
use vigie_common::record::Entry;
use vigie_common::shutdown::Shutdown;
use vigie_metrics::api::{self, App, Parts, Requests};
use vigie_metrics::host::Host;
use vigie_metrics::index::{self, Task};
use vigie_metrics::model::Model;
use vigie_metrics::readers::Readers;
use vigie_metrics::standing::{Standing, State};
use vigie_metrics::{alarms, page};
use vigie_web::{Access, Health, Peer};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A message of an account's INBOX.
pub(crate) fn mail(account: &str, uid: u32, received_at: &str) -> Entry {
    let (account, mailbox) = (account.to_owned(), "INBOX".to_owned());
    let instance =
        Instance { account: account.clone(), mailbox: mailbox.clone(), uidvalidity: 7, generation: 0, uid };
    Entry {
        id: instance.id(),
        blob_id: BlobId::of(format!("{account} {uid}").as_bytes()),
        duplicate_of: None,
        account,
        mailbox,
        uidvalidity: 7,
        generation: 0,
        uid,
        received_at: (!received_at.is_empty()).then(|| at(received_at)),
        sent_at: (!received_at.is_empty())
            .then(|| at(received_at) - jiff::SignedDuration::from_secs(i64::from(uid) * 10)),
        stored_at: Timestamp::UNIX_EPOCH,
        size: 1000 * u64::from(uid),
        from: Some(format!("person{}@example.org", uid % 2)),
        domain: Some("example.org".into()),
        recipients: Vec::new(),
        subject: Some("a secret plan".into()),
        message_id: None,
        in_reply_to: None,
        list_id: None,
        attachments: 1,
        attachment_bytes: 500,
        keywords: Vec::new(),
        defects: Vec::new(),
        mode: Mode::Backfill,
        path: String::new(),
    }
}

/// Where archive and read model lie.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.path().join("metrics.db")
    }

    pub(crate) fn root(&self) -> std::path::PathBuf {
        self.path().join("archive")
    }

    pub(crate) fn archive(&self) -> Archive {
        let settings = Settings { root: self.root(), raw: RawPolicy::Always, min_free: 0 };
        Archive::open(&settings, "1.2.3").unwrap()
    }

    pub(crate) fn model(&self) -> Model {
        Model::open(&self.database()).unwrap()
    }
}

/// Stores messages.
pub(crate) fn store(archive: &mut Archive, entries: Vec<Entry>) {
    let messages = entries.into_iter().map(|entry| Message {
        raw: Frame::bare(Header::new(entry.id.clone(), entry.blob_id.clone(), entry.size, None)),
        document: b"{}".to_vec(),
        keep: false,
        attachments: Vec::new(),
        entry,
    });
    archive.commit(&Round { messages: messages.collect(), ..Round::default() }, clock::now()).unwrap();
}

/// What a server said when it refused the password of an account.
pub(crate) const REFUSAL: &str = "no such user: owner@shop.example";

/// Says that the password of an account was refused, in the server's words.
pub(crate) fn refuse_inbox(archive: &mut Archive, account: &str) {
    let source = MailboxSource {
        name: "INBOX".into(),
        raw_name: "INBOX".into(),
        delimiter: Some("/".into()),
        special_use: None,
    };
    let mailbox = archive.mailbox(account, &source).unwrap();
    let (state, since) = (MailboxState::Refused, clock::now());
    let (reason, next_step) = (Some(REFUSAL.into()), Some("tries owner@shop.example again".into()));
    let changes = vec![Change::State { mailbox, state, since, reason, next_step }];
    archive.commit(&Round { changes, ..Round::default() }, since).unwrap();
}

/// Says that the server has `exists` messages in an account's INBOX, and that it is watched.
pub(crate) fn watch_inbox(archive: &mut Archive, account: &str, name: &str, exists: u32) {
    let source = MailboxSource {
        name: name.into(),
        raw_name: "INBOX".into(),
        delimiter: Some("/".into()),
        special_use: None,
    };
    let mailbox = archive.mailbox(account, &source).unwrap();
    let now = clock::now();
    let changes = vec![
        Change::Select { mailbox, uidvalidity: 7, generation: 0, exists, uidnext: None, at: now },
        Change::State {
            mailbox,
            state: MailboxState::Idle,
            since: now,
            reason: None,
            next_step: Some("waits".into()),
        },
        Change::ProofOfLife { mailbox, at: now },
    ];
    archive.commit(&Round { changes, ..Round::default() }, now).unwrap();
}

/// A running metrics without a socket.
pub(crate) struct Face {
    pub(crate) app: App,
    router: Router,
    index: Option<Task>,
    shutdown: Shutdown,
    kept: (watch::Sender<Option<Host>>, watch::Sender<Vec<alarms::Found>>),
}

impl Face {
    pub(crate) fn start(place: &Place, config: &str) -> Self {
        let loaded = Loaded::parse(&place.path().join("vigie.toml"), config.into(), []).unwrap();
        let shutdown = Shutdown::new();
        let index = index::start(place.model(), place.root(), shutdown.clone()).unwrap();
        let (host_kept, host) = watch::channel(None);
        let (alarms_kept, alarms) = watch::channel(Vec::<alarms::Found>::new());
        let app = App::new(Parts {
            readers: Readers::new(place.database()),
            outlets: index.outlets.clone(),
            host,
            alarms,
            access: Access::open(&loaded, "127.0.0.1:2813".parse().unwrap()).unwrap(),
            health: Health::new("1.2.3"),
            requests: Requests::default(),
            shutdown: shutdown.clone(),
        });
        let router = api::router(&app, Router::new().route("/", get(page::without_script)));
        Self { app, router, index: Some(index), shutdown, kept: (host_kept, alarms_kept) }
    }

    /// Waits until all of so many records are counted.
    pub(crate) async fn counted(&self, seq: u64) {
        let mut standing = self.app.outlets.standing.clone();
        let done = standing.wait_for(|s| s.state == State::Ok && s.indexed_seq == seq && s.archive.is_some());
        if tokio::time::timeout(PATIENCE, done).await.is_err() {
            panic!("{seq} records are not counted: {:?}", self.app.outlets.standing.borrow());
        }
    }

    /// Looks for alarms.
    pub(crate) fn look(&self) {
        let found = alarms::find(&self.app.outlets.standing.borrow(), None, clock::now());
        self.kept.1.send_replace(found);
    }

    pub(crate) async fn state(&self, state: State) {
        self.standing(|standing| standing.state == state).await;
    }

    /// Waits until it stands so.
    pub(crate) async fn standing(&self, so: impl FnMut(&Standing) -> bool) -> Standing {
        let mut standing = self.app.outlets.standing.clone();
        tokio::time::timeout(PATIENCE, standing.wait_for(so)).await.unwrap().unwrap().clone()
    }

    pub(crate) fn stop(mut self) {
        self.shutdown.cancel();
        self.index.take().unwrap().join().unwrap();
    }

    pub(crate) async fn send(&self, request: axum::http::request::Builder, body: String) -> Answer {
        let mut request = request.header("host", "127.0.0.1:2813").body(Body::from(body)).unwrap();
        request.extensions_mut().insert(Peer::Tcp("127.0.0.1:9".parse().unwrap()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let header = |name: &str| {
            response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (kind, cookie) = (header("content-type"), header("set-cookie"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, kind, cookie, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) async fn stream(&self, path: &str, cookie: &str) -> Stream {
        let request = Request::get(path).header("host", "127.0.0.1:2813").header("cookie", cookie);
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer::Tcp("127.0.0.1:9".parse().unwrap()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Stream { body: response.into_body(), text: String::new() }
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(Request::get(path).header("cookie", cookie), String::new()).await
    }

    /// The JSON that a path answers with, without what changes from run to run.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path, "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        steady(serde_json::from_str(&answer.body).unwrap())
    }
}

/// A stream of events.
pub(crate) struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    /// The data of the next event of a name; others are passed over.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let lines: Vec<&str> = event.lines().collect();
                let data = lines.iter().find_map(|line| line.strip_prefix("data: "));
                let found =
                    lines.contains(&format!("event: {name}").as_str()).then(|| data.unwrap().to_owned());
                self.text = rest.to_owned();
                if let Some(data) = found {
                    return serde_json::from_str(&data).unwrap();
                }
            }
            assert!(self.read().await, "the stream ended before `{name}`");
        }
    }

    /// Whether it ends.
    pub(crate) async fn ends(&mut self) -> bool {
        while self.read().await {}
        true
    }

    async fn read(&mut self) -> bool {
        let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.unwrap();
        let Some(frame) = frame else { return false };
        self.text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        true
    }
}

impl Drop for Face {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) cookie: String,
    pub(crate) body: String,
}

/// Puts words in place of what changes from run to run.
pub(crate) fn steady(mut value: Value) -> Value {
    const CHANGING: [&str; 11] = [
        "as_of",
        "generated_at",
        "request_id",
        "csrf",
        "since",
        "heartbeat_at",
        "newest_stored_at",
        "state_since",
        "last_stored_at",
        "proof_of_life_at",
        "version",
    ];
    match &mut value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                let known = CHANGING.contains(&key.as_str()) && !value.is_null();
                *value = if known { Value::String(format!("[{key}]")) } else { steady(value.take()) };
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| *value = steady(value.take())),
        _ => {}
    }
    value
}
