//! Messages to fill a mailbox with: what they weigh matters, not what they say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

use super::encoding::{Charset, Transfer};
use super::head::{Head, address, date, words};
use super::mime::Entity;
use super::random::Random;

/// How large messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// About 3.5 KiB of plain text each.
    Small,
    /// What a working mailbox holds: log-normal, median near 12 KiB, some attachments up to 2 MiB.
    Mixed,
    /// Attachments of 1 to 10 MiB.
    Large,
}

const WORDS: &[&str] = &[
    "facture",
    "réunion",
    "projet",
    "livraison",
    "budget",
    "serveur",
    "incident",
    "rapport",
    "semaine",
    "équipe",
    "client",
    "contrat",
    "invoice",
    "meeting",
    "delivery",
    "server",
    "report",
    "weekly",
    "team",
    "customer",
    "contract",
    "metric",
    "backup",
    "update",
    "deploy",
    "review",
    "draft",
    "ticket",
    "error",
    "warning",
    "release",
    "quarter",
    "planning",
    "travel",
    "expense",
];
const NAMES: &[&str] = &[
    "Zoé Martin",
    "Jean-François Lefèvre",
    "Ana García",
    "李雷",
    "Søren Kierk",
    "Олег Иванов",
    "Maya Patel",
    "O'Brien, Pat",
];
const DOMAINS: &[&str] =
    &["example.com", "example.org", "example.net", "mail.example.fr", "lists.example.io", "shop.example.de"];

/// The date of the first message: 2024-01-01 00:00:00 UTC.
const START: i64 = 1_704_067_200;

/// The message of this number. Numbers follow each other in time, some ten minutes apart.
#[must_use]
pub fn message(seed: u64, index: u64, profile: Profile) -> Vec<u8> {
    let random = &mut Random::of(&[seed, index, profile as u64]);
    let head = head(random, index);
    let size = match profile {
        Profile::Small => 2500,
        Profile::Large => 4000,
        // The two texts in base64 weigh half as much again; the median is 2^13.
        Profile::Mixed => random.log_normal(13 << 16, 94_000).min(200_000),
    };
    if profile == Profile::Small {
        let text = text(random, size);
        return Entity::text("plain", Charset::Utf8, Transfer::EightBit, &text).into_message(head);
    }
    let body = alternative(random, size / 3);
    let attachment = match profile {
        Profile::Large => random.between(1 << 20, 10 << 20),
        _ if random.chance(15) => random.log_normal(15 << 16, 113_000).min(2 << 20),
        _ => return body.into_message(head),
    };
    let bytes = random.bytes(usize::try_from(attachment).unwrap_or_default());
    let file = Entity::attachment("application/octet-stream", &format!("pièce-{index}.bin"), &bytes);
    let boundary = format!("mix{:08x}", random.below(1 << 32));
    Entity::multipart("mixed", &boundary, &[body, file]).into_message(head)
}

/// A message of about so many bytes, nearly all of them one attachment.
#[must_use]
pub fn large(seed: u64, size: usize) -> Vec<u8> {
    let random = &mut Random::of(&[seed, size as u64]);
    let head = head(random, 0);
    let body = alternative(random, 1000);
    // In base64, 57 bytes are a line of 78.
    let file = Entity::attachment("application/octet-stream", "large.bin", &random.bytes(size / 78 * 57));
    Entity::multipart("mixed", "large", &[body, file]).into_message(head)
}

fn head(random: &mut Random, index: u64) -> Head {
    let seconds = index.saturating_mul(613).saturating_add(random.below(600));
    let since = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    let start = Timestamp::from_second(START).unwrap_or_default();
    let when = date(start.saturating_add(since).unwrap_or(start), 0);
    let mut head = Head::default();
    head.field("Return-Path", format!("<bounce{index}@{}>", random.pick(DOMAINS)));
    let host = format!("mx{}.example.net", index % 9);
    head.field(
        "Received",
        format!(
            "from {host} ({host} [192.0.2.{}])\r\n\tby mail.example.com with ESMTPS id {:08x}\r\n\tfor <me@example.com>; {when}",
            index % 250 + 1,
            random.below(1 << 32)
        ),
    );
    let (hash, signature) = (STANDARD.encode(random.bytes(32)), STANDARD.encode(random.bytes(96)));
    head.field(
        "DKIM-Signature",
        format!(
            "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=k1;\r\n\tbh={hash};\r\n\tb={signature}"
        ),
    );
    head.field("Message-ID", format!("<{index}.{:08x}@{}>", random.below(1 << 32), random.pick(DOMAINS)));
    head.field("Date", when);
    head.field("From", person(random));
    let recipients = random.pick(&[1u64, 1, 1, 2, 5]);
    let recipients: Vec<String> = (0..recipients).map(|_| person(random)).collect();
    head.field("To", recipients.join(",\r\n "));
    let count = random.between(2, 9);
    let subject: Vec<&str> = (0..count).map(|_| random.pick(WORDS)).collect();
    head.field("Subject", words(Charset::Utf8, &subject.join(" ")));
    if index > 0 && random.chance(40) {
        head.field("In-Reply-To", format!("<{}.parent@example.com>", random.below(index)));
    }
    head
}

fn person(random: &mut Random) -> String {
    let mailbox = format!("user{}@{}", random.between(1, 400), random.pick(DOMAINS));
    address(Charset::Utf8, random.pick(NAMES), &mailbox)
}

fn text(random: &mut Random, size: u64) -> String {
    let mut text = String::new();
    while (text.len() as u64) < size {
        for place in 0..random.between(4, 12) {
            if place > 0 {
                text.push(' ');
            }
            text.push_str(random.pick(WORDS));
        }
        text.push('\n');
    }
    text
}

fn alternative(random: &mut Random, size: u64) -> Entity {
    let plain = text(random, size);
    let paragraphs: String = plain.lines().map(|line| format!("<p>{line}</p>\n")).collect();
    let html = format!("<html><body>{paragraphs}</body></html>\n");
    let parts = [
        Entity::text("plain", Charset::Utf8, Transfer::Base64, &plain),
        Entity::text("html", Charset::Utf8, Transfer::Base64, &html),
    ];
    Entity::multipart("alternative", &format!("alt{:08x}", random.below(1 << 32)), &parts)
}
