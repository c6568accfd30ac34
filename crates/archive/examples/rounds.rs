//! How fast rounds are: `cargo run --release -p vigie-archive --example rounds -- FOLDER [MESSAGES [ROUND [SIZE]]]`.
//!
//! Stores small messages in a new archive in FOLDER (which stays: removing many files slows the next run
//! down) and says how many a second, and where the time went.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vigie_archive::{Archive, Frame, Header, Message, RawPolicy, Round, Settings};
use vigie_common::clock::now;
use vigie_common::document::{MailboxSource, Mode, Source};
use vigie_common::id::{BlobId, Instance};
use vigie_common::record::Entry;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let root: PathBuf = arguments.next().ok_or("which folder?")?.into();
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (count, size, octets) = (number(20_000)?, number(1024)?, number(3500)?);
    let settings = Settings { root, raw: RawPolicy::Always, min_free: 0 };
    let mut archive = Archive::open(&settings, "0")?;
    let (mut took, mut synced) = (Duration::ZERO, Duration::ZERO);
    for first in (0..count).step_by(size) {
        let uids = first..(first + size).min(count);
        let messages = uids.map(|n| message(n, octets)).collect::<Result<_, _>>()?;
        let round = Round { messages, ..Round::default() };
        #[expect(clippy::disallowed_methods, reason = "a measurement")]
        let start = Instant::now();
        synced += archive.commit(&round, now())?.sync.took;
        took += start.elapsed();
    }
    let rate = count as f64 / took.as_secs_f64();
    writeln!(std::io::stdout(), "{count} messages in {took:?}, {synced:?} of it syncs: {rate:.0} a second")?;
    Ok(())
}

fn message(n: usize, octets: usize) -> Result<Message, Box<dyn std::error::Error>> {
    let uid = u32::try_from(n + 1)?;
    let bytes = format!("Subject: number {n}\r\n\r\n").repeat(octets / 20).into_bytes();
    let instance =
        Instance { account: "bench".into(), mailbox: "INBOX".into(), uidvalidity: 1, generation: 0, uid };
    let (id, blob_id) = (instance.id(), BlobId::of(&bytes));
    let size = bytes.len() as u64;
    let mailbox = MailboxSource {
        name: "INBOX".into(),
        raw_name: "INBOX".into(),
        delimiter: Some("/".into()),
        special_use: None,
    };
    let source = Source {
        account: "bench".into(),
        host: "imap.example.org".into(),
        mailbox,
        uid_validity: 1,
        generation: 0,
        uid,
        modseq: None,
        internal_date_raw: Some("17-Jul-2025 02:44:25 +0200".into()),
        rfc822_size: Some(size),
        flags_raw: Vec::new(),
        gmail: None,
        object_id: None,
        matched: false,
    };
    let days = i64::from(uid % 500);
    let entry = Entry {
        id: id.clone(),
        blob_id: blob_id.clone(),
        duplicate_of: None,
        account: "bench".into(),
        mailbox: "INBOX".into(),
        uidvalidity: 1,
        generation: 0,
        uid,
        received_at: Some(jiff::Timestamp::from_second(1_760_000_000 + days * 3600)?),
        sent_at: None,
        stored_at: now(),
        size,
        from: Some("someone@example.org".into()),
        domain: Some("example.org".into()),
        recipients: vec!["somebody@example.net".into()],
        subject: Some(format!("number {n}")),
        message_id: Some(format!("{n}@example.org")),
        in_reply_to: None,
        list_id: None,
        attachments: 0,
        attachment_bytes: 0,
        keywords: Vec::new(),
        defects: Vec::new(),
        mode: Mode::Backfill,
        path: String::new(),
    };
    let raw = Frame::encode(Header::new(id, blob_id, size, Some(source)), &bytes)?;
    Ok(Message { entry, document: vec![b' '; octets], raw, keep: true, attachments: Vec::new() })
}
