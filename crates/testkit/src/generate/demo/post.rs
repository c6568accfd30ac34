//! Newsletters and invitations.

use jiff::SignedDuration;

use super::{Letter, Sender};
use crate::generate::encoding::{Charset, Transfer};
use crate::generate::mime::Entity;
use crate::generate::words::language;

/// A GIF of one transparent pixel.
const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// Lists: title, local part, domain.
const LISTS: &[(&str, &str, &str)] = &[
    ("Weekly gardening notes", "garden", "lists.example.io"),
    ("La lettre de l'atelier", "atelier", "lists.example.fr"),
    ("Release announcements", "announce", "lists.example.net"),
    ("Trade fair news", "fairs", "news.example.com"),
];

pub(super) fn newsletter(mut letter: Letter) -> Vec<u8> {
    let (title, local, domain) = letter.random.pick(LISTS);
    let language = language(&mut letter.random);
    let sender = Sender { charset: Charset::Utf8, name: title, local, domain, hours: 0 };
    let mut head = letter.head(&sender, "news");
    let issue = letter.index / 20 + 1;
    let topic = letter.random.pick(language.products);
    head.text("Subject", Charset::Utf8, &format!("{title} #{issue}: {topic}"));
    head.field("List-Id", format!("{title} <{local}.{domain}>"));
    let unsubscribe = format!("<https://{domain}/leave?id={:08x}>", letter.random.below(1 << 32));
    head.field("List-Unsubscribe", format!("<mailto:{local}-leave@{domain}>,\r\n\t{unsubscribe}"));
    head.field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
    head.field("Precedence", "bulk");

    let mut text = format!("{title} #{issue}\n\n");
    let mut html = format!("<html><body style=\"font-family:sans-serif\"><h1>{title} #{issue}</h1>\n");
    html.push_str("<img src=\"cid:pixel@newsletter\" alt=\"\">\n");
    for _ in 0..letter.random.between(3, 12) {
        let (heading, line) = (letter.random.pick(language.products), letter.random.pick(language.sentences));
        text.push_str(&format!("* {heading}\n  {line}\n\n"));
        html.push_str(&format!(
            "<h2>{heading}</h2>\n<p>{line} <a href=\"https://{domain}/{issue}\">&rarr;</a></p>\n"
        ));
    }
    html.push_str("</body></html>\n");
    let image = Entity::attachment("image/gif", "pixel.gif", PIXEL).with("Content-ID", "<pixel@newsletter>");
    let related = letter.boundary("related");
    let html = Entity::text("html", Charset::Utf8, Transfer::Quoted, &html);
    let parts = [
        Entity::text("plain", Charset::Utf8, Transfer::Base64, &text),
        Entity::multipart("related", &related, &[html, image]),
    ];
    let boundary = letter.boundary("alternative");
    Entity::multipart("alternative", &boundary, &parts).into_message(head)
}

pub(super) fn invitation(mut letter: Letter) -> Vec<u8> {
    let language = language(&mut letter.random);
    let (name, local) = letter.random.pick(language.people);
    let sender =
        Sender { charset: language.charset, name, local, domain: "example.com", hours: language.hours };
    let mut head = letter.head(&sender, "team");
    let topic = letter.random.pick(&["Planning", "Review", "Inventory", "Quarterly figures"]);
    head.text("Subject", Charset::Utf8, &format!("Invitation: {topic}"));
    let days = letter.random.between(1, 20);
    let from = letter
        .sent
        .saturating_add(SignedDuration::from_hours(days.cast_signed() * 24))
        .unwrap_or(letter.sent);
    let until = from.saturating_add(SignedDuration::from_mins(45)).unwrap_or(from);
    let stamp = "%Y%m%dT%H%M00Z";
    let calendar = format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//example//calendar//EN\nMETHOD:REQUEST\nBEGIN:VEVENT\n\
         UID:{:016x}@example.com\nDTSTAMP:{}\nDTSTART:{}\nDTEND:{}\nSUMMARY:{topic}\nLOCATION:Room {}\n\
         ORGANIZER;CN=\"{name}\":mailto:{local}@example.com\nATTENDEE;RSVP=TRUE:mailto:team@example.org\n\
         END:VEVENT\nEND:VCALENDAR\n",
        letter.random.draw(),
        letter.sent.strftime(stamp),
        from.strftime(stamp),
        until.strftime(stamp),
        letter.random.between(1, 9),
    );
    let text = format!("{}\n\n{topic}, {} UTC\n\n{name}\n", language.hello, from.strftime("%Y-%m-%d %H:%M"));
    let inner = letter.boundary("choice");
    let choice = Entity::multipart(
        "alternative",
        &inner,
        &[
            Entity::text("plain", language.charset, language.transfer, &text),
            Entity::text("calendar; method=REQUEST", Charset::Utf8, Transfer::EightBit, &calendar),
        ],
    );
    let file = Entity::attachment("application/ics", "invite.ics", calendar.replace('\n', "\r\n").as_bytes());
    let boundary = letter.boundary("mixed");
    Entity::multipart("mixed", &boundary, &[choice, file]).into_message(head)
}
