//! `generate`: made-up mail in the read model, by the same code that counts real mail. For measurements.

use jiff::Timestamp;
use vigie_common::clock;
use vigie_common::document::Mode;
use vigie_common::exit::Exit;
use vigie_common::id::{BlobId, Id, Instance};
use vigie_common::record::{Cursor, Entry, Record};

use super::{Failure, Outcome, failure, say};
use crate::model::{Model, Sample};
use crate::settings::Settings;

/// Records of one transaction.
const BATCH: u64 = 10_000;
const ACCOUNTS: [&str; 10] =
    ["support", "orders", "alerts", "reports", "forms", "billing", "press", "jobs", "lists", "archive"];
const MAILBOXES: [&str; 16] = [
    "INBOX",
    "Sent",
    "Archive",
    "Junk",
    "Archive/2022",
    "Archive/2023",
    "Archive/2024",
    "Archive/2025",
    "Lists",
    "Lists/rust",
    "Lists/linux",
    "Reports",
    "Bounces",
    "Done",
    "Waiting",
    "Drafts",
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Messages
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Days over which they are spread, up to now
    #[arg(long, default_value_t = 1400, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Outcome {
    let mut model = Model::open(&settings.database).map_err(|e| failure(&e))?;
    if model.cursor().map_err(|e| failure(&e))?.is_some() {
        let text = format!("{} holds mail already: name another database", settings.database.display());
        return Err(Failure::new(Exit::Usage, text));
    }
    let now = clock::now();
    let mut maker = Maker { random: 0x9e37_79b9_7f4a_7c15, now, days: arguments.days };
    let mut seq = 0;
    while seq < arguments.records {
        let end = (seq + BATCH).min(arguments.records);
        let records: Vec<Record> = (seq + 1..=end).map(|seq| maker.record(seq)).collect();
        model.apply(&records, false, |_| None).map_err(|e| failure(&e))?;
        seq = end;
    }
    // A week of samples, one a minute.
    for minute in (0..7 * 24 * 60).rev() {
        let sample = maker.sample(now.as_second() - minute * 60);
        model.sample(&sample).map_err(|e| failure(&e))?;
    }
    model.checkpoint().map_err(|e| failure(&e))?;
    say(&format!("{seq} messages in {}", settings.database.display()))?;
    Ok(Exit::Done)
}

/// Makes up mail with the rhythm of offices, and senders of which few write often.
struct Maker {
    random: u64,
    now: Timestamp,
    days: u32,
}

impl Maker {
    /// The next of a reproducible row of numbers (xorshift).
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Small numbers often, large ones seldom.
    fn few_often(&mut self, end: u64) -> u64 {
        let bits = u64::from(end.max(2).ilog2()) + 1;
        let wide = 1 + self.below(bits);
        self.below((1 << wide).min(end))
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let index = self.few_often(u64::try_from(all.len()).unwrap_or(1));
        all.get(usize::try_from(index).unwrap_or(0)).copied().unwrap_or("other")
    }

    fn received_at(&mut self) -> Timestamp {
        let day = i64::try_from(self.below(self.days.into())).unwrap_or(0);
        // Two of three messages come in the nine hours of an office.
        let second = if self.below(3) > 0 { 8 * 3600 + self.below(9 * 3600) } else { self.below(86_400) };
        let second = i64::try_from(second).unwrap_or(0);
        let today = self.now.as_second().div_euclid(86_400) * 86_400;
        let at = (today - day * 86_400 + second).min(self.now.as_second());
        Timestamp::from_second(at).unwrap_or(self.now)
    }

    fn record(&mut self, seq: u64) -> Record {
        let account = self.one_of(&ACCOUNTS).to_owned();
        let mailbox = self.one_of(&MAILBOXES).to_owned();
        let uid = u32::try_from(seq).unwrap_or(u32::MAX);
        let instance = Instance {
            account: account.clone(),
            mailbox: mailbox.clone(),
            uidvalidity: 1,
            generation: 0,
            uid,
        };
        let received_at = self.received_at();
        let way = i64::try_from(self.few_often(100_000)).unwrap_or(0) - 2;
        let domain = format!("domain{}.example", self.few_often(5000));
        let from = format!("person{}@{domain}", self.few_often(200));
        let wide = 9 + self.below(14);
        let attachments = u32::try_from(self.few_often(4)).unwrap_or(0);
        let entry = Entry {
            id: instance.id(),
            blob_id: BlobId::of(&seq.to_le_bytes()),
            duplicate_of: (self.below(50) == 0).then(|| Id::of_mailbox(&account, &mailbox)),
            account,
            mailbox,
            uidvalidity: 1,
            generation: 0,
            uid,
            received_at: Some(received_at),
            sent_at: Timestamp::from_second(received_at.as_second() - way).ok(),
            stored_at: self.now,
            size: 400 + self.below(1 << wide),
            from: Some(from),
            domain: Some(domain),
            recipients: Vec::new(),
            subject: None,
            message_id: None,
            in_reply_to: None,
            list_id: None,
            attachments,
            attachment_bytes: u64::from(attachments) * 20_000,
            keywords: Vec::new(),
            defects: Vec::new(),
            mode: Mode::Backfill,
            path: String::new(),
        };
        let cursor = Cursor { epoch: 1, seq, mark: 1 };
        Record { cursor, seq, entry: Some(Box::new(entry)), event: None }
    }

    fn sample(&mut self, at: i64) -> Sample {
        let mut share = || u32::try_from(self.below(1000)).map_or(0.0, |n| f64::from(n) / 1000.0);
        Sample {
            at,
            cpu: share(),
            load: share() * 4.0,
            memory_used: share() * 4e9,
            memory_limit: 4e9,
            disk_used: 5e10,
            disk_total: 1e11,
            received: share() * 1e6,
            sent: share() * 1e6,
        }
    }
}
