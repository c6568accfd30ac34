//! Mail for people to look at: what arrives in the mailboxes of a small shop, in many kinds.
//!
//! A message is determined by its seed, number, kind and time. What it refers to (the letter that
//! it answers, the order that it bills) is worked out from these, so that no message needs another.

mod machines;
mod people;
mod post;
mod trade;

use jiff::Timestamp;

use super::encoding::Charset;
use super::head::{Head, address, date};
use super::random::Random;

/// The domain of the shop whose mail this is.
const SHOP: &str = "example.org";

/// A kind of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An order from the shop: text and HTML.
    Order,
    /// A supplier's invoice with a PDF.
    Invoice,
    /// A customer's letter, or an answer in a conversation.
    Support,
    /// A newsletter of a mailing list, with an image in its HTML.
    Newsletter,
    /// A server's alert, or the end of one.
    Alert,
    /// A DMARC aggregate report.
    Dmarc,
    /// What somebody entered into a form of the web site.
    Form,
    /// A report of failed delivery.
    Bounce,
    /// An invitation to a meeting.
    Invitation,
}

impl Kind {
    /// The kind of a message in a mailbox where all kinds arrive.
    #[must_use]
    pub fn drawn(seed: u64, index: u64) -> Self {
        match Random::of(&[seed, index, 0x6b69_6e64]).below(100) {
            0..45 => Self::Support,
            45..60 => Self::Form,
            60..75 => Self::Newsletter,
            75..83 => Self::Invoice,
            83..88 => Self::Invitation,
            88..92 => Self::Bounce,
            92..95 => Self::Alert,
            _ => Self::Order,
        }
    }
}

/// The message of this number in a mailbox where all kinds arrive.
#[must_use]
pub fn demo(seed: u64, index: u64, when: Timestamp) -> Vec<u8> {
    of_kind(Kind::drawn(seed, index), seed, index, when)
}

/// The message of this number and kind.
#[must_use]
pub fn of_kind(kind: Kind, seed: u64, index: u64, when: Timestamp) -> Vec<u8> {
    let mut random = Random::of(&[seed, index, kind as u64]);
    // Mail takes a few seconds from its sender to the mailbox.
    let sent = when.checked_sub(jiff::SignedDuration::from_secs(random.between(1, 20).cast_signed()));
    let letter = Letter { seed, index, when, sent: sent.unwrap_or(when), random };
    match kind {
        Kind::Order => trade::order(letter),
        Kind::Invoice => trade::invoice(letter),
        Kind::Support => people::support(letter),
        Kind::Form => people::form(letter),
        Kind::Newsletter => post::newsletter(letter),
        Kind::Invitation => post::invitation(letter),
        Kind::Alert => machines::alert(letter),
        Kind::Dmarc => machines::dmarc(letter),
        Kind::Bounce => machines::bounce(letter),
    }
}

/// A message about to be written.
struct Letter {
    seed: u64,
    index: u64,
    when: Timestamp,
    sent: Timestamp,
    random: Random,
}

/// Who sends a letter: charset of the name, name, local part, domain, offset from UTC in hours.
struct Sender<'a> {
    charset: Charset,
    name: &'a str,
    local: &'a str,
    domain: &'a str,
    hours: i8,
}

impl Letter {
    /// The fields that every message has, but for its subject.
    fn head(&mut self, from: &Sender<'_>, to: &str) -> Head {
        let mut head = Head::default();
        let mailbox = format!("{}@{}", from.local, from.domain);
        head.field("Return-Path", format!("<{mailbox}>"));
        let host = format!("mx{}.{}", self.index % 4 + 1, from.domain);
        head.field(
            "Received",
            format!(
                "from {host} ({host} [192.0.2.{}])\r\n\tby mail.{SHOP} with ESMTPS id {:08x}\r\n\tfor <{to}@{SHOP}>; {}",
                self.random.between(1, 250),
                self.random.below(1 << 32),
                date(self.when, 0)
            ),
        );
        head.field("Message-ID", message_id(self.seed, self.index));
        head.field("Date", date(self.sent, from.hours));
        head.field("From", address(from.charset, from.name, &mailbox));
        head.field("To", format!("{to}@{SHOP}"));
        head
    }

    fn boundary(&mut self, name: &str) -> String {
        format!("{name}-{:016x}", self.random.draw())
    }
}

/// The Message-ID of the message of this number.
fn message_id(seed: u64, index: u64) -> String {
    format!("<{index}.{:012x}@mail.example.net>", Random::of(&[seed, index]).below(1 << 48))
}
