//! Letters of customers: conversations with support, and forms.

use super::{Kind, Letter, SHOP, Sender, message_id};
use crate::generate::encoding::{Charset, Transfer};
use crate::generate::head::address;
use crate::generate::mime::Entity;
use crate::generate::random::Random;
use crate::generate::words::language;

/// Conversations run within so many messages of each other, so many at once.
const WINDOW: u64 = 60;
const AT_ONCE: u64 = 7;

pub(super) fn support(mut letter: Letter) -> Vec<u8> {
    let before = earlier(letter.seed, letter.index);
    // What all letters of a conversation share depends on its first.
    let first = before.first().copied().unwrap_or(letter.index);
    let mut shared = Random::of(&[letter.seed, first, 0x7468_7265]);
    let language = language(&mut shared);
    let (name, local) = shared.pick(language.people);
    let topic = shared.pick(language.topics);
    let domain = shared.pick(&["example.com", "example.net", "mail.example.fr"]);
    let answers = before.len() % 2 == 1;

    let customer = Sender { charset: language.charset, name, local, domain, hours: language.hours };
    let agent = Sender { charset: Charset::Utf8, name: "Support", local: "support", domain: SHOP, hours: 1 };
    let mut head = letter.head(if answers { &agent } else { &customer }, "support");
    let mut text = format!("{}\n\n", language.hello);
    for _ in 0..letter.random.between(2, 6) {
        text.push_str(letter.random.pick(language.sentences));
        text.push('\n');
    }
    text.push_str(&format!("\n{}\n{}\n", language.bye, if answers { "Support" } else { name }));
    if let Some(last) = before.last() {
        head.text("Subject", language.charset, &format!("Re: {topic}"));
        head.field("In-Reply-To", message_id(letter.seed, *last));
        let references: Vec<String> = before.iter().map(|index| message_id(letter.seed, *index)).collect();
        head.field("References", references.join("\r\n "));
        text.push_str(&format!("\n> {}\n> {}\n", language.hello, letter.random.pick(language.sentences)));
    } else {
        head.text("Subject", language.charset, topic);
    }
    if answers {
        head.field("Cc", address(language.charset, name, &format!("{local}@{domain}")));
    }
    let body = Entity::text("plain", language.charset, language.transfer, &text);
    if before.is_empty() && letter.random.chance(12) {
        let size = usize::try_from(letter.random.log_normal(15 << 16, 90_000)).unwrap_or_default();
        let photo = photo(&mut letter.random, size.min(400_000));
        let file = Entity::attachment("image/jpeg", "photo écran.jpg", &photo);
        let boundary = letter.boundary("mixed");
        return Entity::multipart("mixed", &boundary, &[body, file]).into_message(head);
    }
    body.into_message(head)
}

/// The numbers of the conversation's earlier letters.
fn earlier(seed: u64, index: u64) -> Vec<u64> {
    let window = index - index % WINDOW;
    let same = |other: &u64| other % AT_ONCE == index % AT_ONCE && Kind::drawn(seed, *other) == Kind::Support;
    (window..index).filter(same).collect()
}

/// Bytes that begin and end as a JPEG does.
fn photo(random: &mut Random, size: usize) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0];
    bytes.extend(random.bytes(size));
    bytes.extend([0xff, 0xd9]);
    bytes
}

pub(super) fn form(mut letter: Letter) -> Vec<u8> {
    let language = language(&mut letter.random);
    let (name, local) = letter.random.pick(language.people);
    let site = Sender { charset: Charset::Utf8, name: "Website", local: "www", domain: SHOP, hours: 0 };
    let mut head = letter.head(&site, "contact");
    head.field("Reply-To", address(Charset::Utf8, name, &format!("{local}@example.com")));
    head.text("Subject", Charset::Utf8, &format!("Contact form: {}", letter.random.pick(language.topics)));
    head.field("Auto-Submitted", "auto-generated");
    let text = format!(
        "Name: {name}\nEmail: {local}@example.com\nPhone: +33 1 99 00 {:02} {:02}\nCompany size: {}\nNewsletter: {}\n\
         Message: {} {}\n",
        letter.random.below(100),
        letter.random.below(100),
        letter.random.pick(&["1-9", "10-49", "50-249", "250+"]),
        letter.random.pick(&["yes", "no"]),
        letter.random.pick(language.sentences),
        letter.random.pick(language.sentences),
    );
    Entity::text("plain", Charset::Utf8, Transfer::Quoted, &text).into_message(head)
}
