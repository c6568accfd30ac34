//! A server whose mailbox a test can change under its clients' feet, and that can be made to lie, to refuse and to fail in
//! many ways; and the passes of one mailbox against it, without a process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use vigie_archive::{Archive, Change, MailboxId, MailboxView, Reader, Round, verify};
use vigie_common::clock;
use vigie_common::config::{Loaded, RawPolicy};
use vigie_common::document::{Document, MailboxSource};
use vigie_common::id::BlobId;
use vigie_common::record::{Entry, Event};
use vigie_ingest::beat::{Beat, Beats};
use vigie_ingest::board::Board;
use vigie_ingest::error::{Error, Result};
use vigie_ingest::mailbox::{Mailbox, Pass, ROOM, Shared};
use vigie_ingest::progress::Progress;
use vigie_ingest::session::connect;
use vigie_ingest::settings::{Account, Settings};
use vigie_ingest::store;
use vigie_ingest::transport::Dialer;

/// A message on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) bytes: Vec<u8>,
    pub(crate) date: String,
    /// RFC822.SIZE, where it is not the truth.
    pub(crate) announced: Option<u32>,
}

/// What happens when a message is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Poison {
    /// The connection ends, after what comes before it.
    Close,
    /// The connection ends when it is only listed.
    CloseListing,
    /// NO to every command with it.
    Refuse(&'static str),
    /// NO to every listing with it.
    RefuseListing,
    /// A literal that is announced longer by so much than it is.
    Longer(usize),
    /// OK, and nothing of it.
    Omit,
    /// The connection ends within the slice that has this octet.
    CloseAt(usize),
}

/// The mailbox and how the server behaves.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// As it stands in the response code; none: none is sent.
    pub(crate) uidvalidity: Option<String>,
    /// As it stands in the response code, where it is not the truth.
    pub(crate) uidnext: Option<String>,
    pub(crate) no_uidnext: bool,
    /// Where it is not the truth.
    pub(crate) exists: Option<u32>,
    pub(crate) mails: BTreeMap<u32, Mail>,
    pub(crate) poison: BTreeMap<u32, Poison>,
    /// Left out of the next listing of a range.
    pub(crate) hidden: BTreeSet<u32>,
    pub(crate) descending: bool,
    /// Every FETCH response comes twice, a body the second time with other bytes.
    pub(crate) twice: bool,
    /// Lines before each tagged answer to a FETCH of bodies.
    pub(crate) noise: String,
    /// Sent before the next tagged answer to a body FETCH, once.
    pub(crate) once: Option<String>,
    /// Taken away when their bodies are asked for, before the answer.
    pub(crate) expunged_at_fetch: BTreeSet<u32>,
    /// The connection ends after so many further answers; then the next number counts.
    pub(crate) cuts: Vec<usize>,
    pub(crate) log: Vec<String>,
    /// How often whole bodies were sent.
    pub(crate) sent: BTreeMap<u32, usize>,
}

impl World {
    pub(crate) fn add(&mut self, uid: u32, bytes: &str) {
        let date = format!("{:02}-Nov-2026 08:{:02}:{:02} +0000", 1 + uid % 28, uid / 60 % 60, uid % 60);
        self.mails.insert(uid, Mail { bytes: bytes.into(), date, announced: None });
    }

    /// Messages like any other.
    pub(crate) fn fill(&mut self, uids: impl IntoIterator<Item = u32>) {
        uids.into_iter().for_each(|uid| self.add(uid, &mail(uid)));
    }

    fn numbered(&self, set: &str) -> Vec<(usize, u32)> {
        let highest = self.mails.keys().next_back().copied().unwrap_or(0);
        let number = |text: &str| if text == "*" { highest } else { text.parse().unwrap() };
        let ranges: Vec<(u32, u32)> = set
            .split(',')
            .map(|range| {
                let (a, b) = range.split_once(':').unwrap_or((range, range));
                let (a, b) = (number(a), number(b));
                (a.min(b), a.max(b))
            })
            .collect();
        let within = |uid: u32| ranges.iter().any(|(a, b)| (*a..=*b).contains(&uid));
        (1..).zip(self.mails.keys().copied()).filter(|(_, uid)| within(*uid)).collect()
    }

    /// The answer to a command, and whether the connection ends with it.
    fn answer(&mut self, tag: &str, command: &str) -> (Vec<u8>, bool) {
        self.log.push(command.to_owned());
        let ok = format!("{tag} OK done\r\n");
        let told = |text: String| (text.into_bytes(), false);
        let words: Vec<&str> = command.splitn(4, ' ').collect();
        match words[0] {
            "CAPABILITY" => told(format!("* CAPABILITY IMAP4rev1\r\n{ok}")),
            "LIST" => told(format!("* LIST () \"/\" INBOX\r\n{ok}")),
            "EXAMINE" => {
                let exists = self.exists.unwrap_or(self.mails.len() as u32);
                let mut text = format!("* {exists} EXISTS\r\n");
                if let Some(validity) = &self.uidvalidity {
                    write!(text, "* OK [UIDVALIDITY {validity}] x\r\n").unwrap();
                }
                let next = self.mails.keys().next_back().map_or(1, |uid| uid + 1).to_string();
                if !self.no_uidnext {
                    let next = self.uidnext.as_ref().unwrap_or(&next);
                    write!(text, "* OK [UIDNEXT {next}] x\r\n").unwrap();
                }
                told(text + &ok)
            }
            "UID" => self.fetch(tag, words[2], words[3]),
            _ => told(ok),
        }
    }

    fn fetch(&mut self, tag: &str, set: &str, items: &str) -> (Vec<u8>, bool) {
        let body = items.contains("BODY.PEEK[]");
        if body {
            for uid in std::mem::take(&mut self.expunged_at_fetch) {
                self.mails.remove(&uid);
            }
        }
        let mut wanted = self.numbered(set);
        if self.descending {
            wanted.reverse();
        }
        let range = !body && set.contains(':');
        let hidden = if range { std::mem::take(&mut self.hidden) } else { BTreeSet::new() };
        let mut out = Vec::new();
        for (_, uid) in &wanted {
            match (self.poison.get(uid), body) {
                (Some(Poison::Refuse(text)), true) => return (format!("{tag} NO {text}\r\n").into(), false),
                (Some(Poison::RefuseListing), false) => return (format!("{tag} NO no\r\n").into(), false),
                _ => {}
            }
        }
        let mut deaf = false;
        for (number, uid) in wanted {
            let mail = self.mails[&uid].clone();
            if hidden.contains(&uid) {
                continue;
            }
            if !body {
                // To know its size a server must read it; its flags it knows.
                if self.poison.get(&uid) == Some(&Poison::CloseListing) && items.contains("SIZE") {
                    return (out, true);
                }
                let size = mail.announced.unwrap_or(mail.bytes.len() as u32);
                let mut line = format!(
                    "* {number} FETCH (UID {uid} FLAGS () INTERNALDATE \"{}\" RFC822.SIZE {size}",
                    mail.date
                );
                if items.contains("HEADER.FIELDS") {
                    let text = String::from_utf8_lossy(&mail.bytes).into_owned();
                    let id = text.lines().find(|l| l.starts_with("Message-ID:")).unwrap_or_default();
                    let field = if id.is_empty() { "\r\n".into() } else { format!("{id}\r\n\r\n") };
                    write!(line, " BODY[HEADER.FIELDS (MESSAGE-ID)] {{{}}}\r\n{field}", field.len()).unwrap();
                }
                line += ")\r\n";
                out.extend_from_slice(line.as_bytes());
                if self.twice {
                    out.extend_from_slice(line.as_bytes());
                }
                continue;
            }
            let (from, to, origin) = match items.split_once('<') {
                None => (0, mail.bytes.len(), String::new()),
                Some((_, range)) => {
                    let (from, rest) = range.split_once('.').unwrap();
                    let length: usize = rest.split('>').next().unwrap().parse().unwrap();
                    let from: usize = from.parse().unwrap();
                    (from.min(mail.bytes.len()), (from + length).min(mail.bytes.len()), format!("<{from}>"))
                }
            };
            let mut longer = 0;
            match self.poison.get(&uid) {
                Some(Poison::Close) => return (out, true),
                Some(Poison::CloseAt(at)) if (from..=to).contains(at) => return (out, true),
                Some(Poison::Omit) => continue,
                Some(Poison::Longer(by)) => longer = *by,
                _ => {}
            }
            let part = &mail.bytes[from..to];
            let head = format!("* {number} FETCH (UID {uid} BODY[]{origin} {{{}}}\r\n", part.len() + longer);
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(part);
            out.extend_from_slice(b")\r\n");
            deaf |= longer > 0;
            *self.sent.entry(uid).or_default() += usize::from(!items.contains("<0.1>"));
            if self.twice {
                out.extend_from_slice(
                    format!("* {number} FETCH (UID {uid} BODY[] {{5}}\r\nother)\r\n").as_bytes(),
                );
            }
        }
        if body {
            out.extend_from_slice(self.noise.as_bytes());
        }
        if body && let Some(once) = self.once.take() {
            out.extend_from_slice(once.as_bytes());
        }
        out.extend_from_slice(format!("{tag} OK done\r\n").as_bytes());
        // What comes behind a literal that is too short is out of step: the client cannot wait for more.
        (out, deaf)
    }
}

/// A mailbox with messages like any other.
pub(crate) fn world(uids: impl IntoIterator<Item = u32>) -> World {
    let mut world = World { uidvalidity: Some("5".into()), ..World::default() };
    world.fill(uids);
    world
}

/// The bytes of a message like any other.
pub(crate) fn mail(uid: u32) -> String {
    format!(
        "Message-ID: <{uid}@example.org>\r\nSubject: number {uid}\r\n\r\nbody {}\r\n",
        "x".repeat(uid as usize % 97)
    )
}

/// The server, a mailbox of its own and an archive.
pub(crate) struct Rig {
    folder: tempfile::TempDir,
    world: Arc<Mutex<World>>,
    account: Arc<Account>,
    server: tokio::task::JoinHandle<()>,
}

/// What is running: ends with a drop, like a process that is killed between two rounds.
pub(crate) struct Life {
    pub(crate) shared: Option<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
    pub(crate) mailbox: Option<Mailbox>,
}

impl Drop for Life {
    fn drop(&mut self) {
        (self.mailbox, self.shared) = (None, None);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn shared(archive: Archive) -> (Shared, std::thread::JoinHandle<()>) {
    let (board, spool) = (Board::default(), archive.spool());
    let (store, thread, _) = store::start(archive, 0, board.clone(), Beat::default()).unwrap();
    let shared = Shared {
        store,
        room: Arc::new(Semaphore::new(ROOM)),
        parsers: Arc::new(Semaphore::new(2)),
        raw: RawPolicy::Always,
        spool,
        progress: Arc::new(Progress::default()),
        board,
        beats: Beats::default(),
        connections: 1,
        shutdown: Default::default(),
    };
    (shared, thread)
}

impl Rig {
    pub(crate) async fn new(world: World) -> Self {
        // In memory where there is one: what is tested is what is stored, not how it is made durable.
        let memory = std::path::Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let file = folder.path().join("vigie.toml");
        let config = format!(
            "[archive]\nmin_free = \"1MiB\"\n[[account]]\nid = \"a\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nuser = \"me\"\npassword = \"secret\"\n"
        );
        std::fs::write(&file, config).unwrap();
        let settings = Settings::from_config(&Loaded::read(&file).unwrap()).unwrap();
        let world = Arc::new(Mutex::new(world));
        let server = tokio::spawn(listen(listener, Arc::clone(&world)));
        Self { folder, world, account: Arc::new(settings.accounts[0].clone()), server }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn settings(&self) -> vigie_archive::Settings {
        vigie_archive::Settings { root: self.root(), raw: RawPolicy::Always, min_free: 0 }
    }

    pub(crate) fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("archive")
    }

    /// A process begins.
    pub(crate) async fn live(&self) -> Life {
        let (shared, thread) = shared(Archive::open(&self.settings(), "1").unwrap());
        let mailbox = Mailbox::open(&shared, &self.account, inbox()).await.unwrap();
        Life { shared: Some(shared), thread: Some(thread), mailbox: Some(mailbox) }
    }

    /// One pass over a connection of its own.
    pub(crate) async fn pass(&self, life: &mut Life) -> Result<Pass> {
        let mut session = connect(&Dialer::default(), &self.account).await?;
        let mailbox = life.mailbox.as_mut().unwrap();
        mailbox.sync(&mut session).await
    }

    /// Passes over new connections until one is whole.
    pub(crate) async fn whole(&self, life: &mut Life) -> Pass {
        let mut last = None;
        for _ in 0..60 {
            match self.pass(life).await {
                Ok(pass) => return pass,
                Err(error @ (Error::Lost { .. } | Error::Conflict)) => last = Some(error),
                Err(error) => panic!("{error}"),
            }
        }
        panic!("no pass was whole: {last:?}\n{}", self.world().log.join("\n"));
    }

    /// A process that does one whole pass.
    pub(crate) async fn once(&self) -> Pass {
        self.whole(&mut self.live().await).await
    }

    /// What is to be tried again is due now.
    pub(crate) fn make_due(&self) {
        let mut archive = Archive::open(&self.settings(), "1").unwrap();
        let mailbox = archive.mailbox("a", &inbox()).unwrap();
        let open = archive.view(mailbox).unwrap().open;
        let changes = open.into_iter().map(|open| Change::Open {
            mailbox,
            uid: open.uid,
            attempts: open.attempts,
            error: open.error,
            next_try: Timestamp::UNIX_EPOCH,
        });
        archive.commit(&Round { changes: changes.collect(), ..Round::default() }, clock::now()).unwrap();
    }

    /// Passes, and time that goes by, until nothing is open any more.
    pub(crate) async fn settled(&self) -> Pass {
        for _ in 0..8 {
            let pass = self.once().await;
            if pass.open == 0 {
                return pass;
            }
            self.make_due();
        }
        panic!("UIDs stay open: {:?}\n{}", self.view().open, self.world().log.join("\n"));
    }

    pub(crate) fn change(&self, changes: impl FnOnce(MailboxId) -> Vec<Change>) {
        let mut archive = Archive::open(&self.settings(), "1").unwrap();
        let mailbox = archive.mailbox("a", &inbox()).unwrap();
        archive.commit(&Round { changes: changes(mailbox), ..Round::default() }, clock::now()).unwrap();
    }

    pub(crate) fn view(&self) -> MailboxView {
        let mut archive = Archive::open(&self.settings(), "1").unwrap();
        let mailbox = archive.mailbox("a", &inbox()).unwrap();
        archive.view(mailbox).unwrap()
    }

    /// The same while a process lives.
    pub(crate) async fn view_of(&self, life: &Life) -> MailboxView {
        let store = &life.shared.as_ref().unwrap().store;
        let id = store.mailbox("a", &inbox()).await.unwrap();
        store.view(id).await.unwrap()
    }

    /// Runs a command of the binary; what it printed, and its exit code.
    pub(crate) fn run(&self, arguments: &[&str]) -> (String, i32) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vigie-ingest"));
        command.args(arguments).arg("--config").arg(self.folder.path().join("vigie.toml"));
        let output = command.output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
    }

    fn records(&self) -> Vec<vigie_common::record::Record> {
        Reader::open(&self.root()).unwrap().tail(None, usize::MAX).unwrap().records
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.records().into_iter().filter_map(|r| r.entry.map(|e| *e)).collect()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.records().into_iter().filter_map(|r| r.event.map(|e| *e)).collect()
    }

    pub(crate) fn document(&self, entry: &Entry) -> Document {
        serde_json::from_slice(&std::fs::read(self.root().join(&entry.path)).unwrap()).unwrap()
    }

    /// At rest: the server's set = stored + gone + quarantined + open, each stored with its bytes, nothing twice.
    #[track_caller]
    pub(crate) fn assert_at_rest(&self) {
        let problems = verify(&self.root(), &mut |_, _| {}).unwrap().problems;
        assert_eq!(problems, []);
        let view = self.view();
        let (uidvalidity, generation) = view.selected.map(|s| (s.uidvalidity, s.generation)).unwrap();
        let stored: BTreeMap<u32, BlobId> = self
            .entries()
            .into_iter()
            .filter(|e| (e.uidvalidity, e.generation) == (uidvalidity, generation))
            .map(|e| (e.uid, e.blob_id))
            .collect();
        assert!(view.stored.iter().flatten().all(|uid| stored.contains_key(&uid)));
        let world = self.world();
        // What is known to be gone is kept, and counts as stored no more.
        let counts = |uid: u32| view.stored.contains(uid) || !world.mails.contains_key(&uid);
        assert!(stored.keys().all(|uid| counts(*uid)), "{view:?}\n{}", world.log.join("\n"));
        for (uid, mail) in &world.mails {
            let open = view.open.iter().any(|open| open.uid == *uid);
            let quarantined = view.quarantined.iter().any(|q| q.uid == *uid);
            match stored.get(uid) {
                Some(blob) => assert_eq!(*blob, BlobId::of(&mail.bytes), "UID {uid}"),
                None => assert!(open || quarantined, "UID {uid} is nowhere\n{}", world.log.join("\n")),
            }
            assert!(view.covered.contains(*uid), "UID {uid} is not covered");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn inbox() -> MailboxSource {
    MailboxSource {
        name: "INBOX".into(),
        raw_name: "INBOX".into(),
        delimiter: Some("/".into()),
        special_use: None,
    }
}

async fn listen(listener: TcpListener, world: Arc<Mutex<World>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&world)));
    }
}

async fn serve(stream: TcpStream, world: Arc<Mutex<World>>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"* OK ready\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let Some((tag, command)) = line.split_once(' ') else { continue };
        let (mut answer, mut ends) = world.lock().unwrap().answer(tag, command);
        {
            let mut world = world.lock().unwrap();
            match world.cuts.first_mut() {
                Some(0) => {
                    world.cuts.remove(0);
                    answer.truncate(answer.len() / 2);
                    ends = true;
                }
                Some(left) => *left -= 1,
                None => {}
            }
        }
        write.write_all(&answer).await?;
        if ends {
            return Ok(());
        }
    }
    Ok(())
}
