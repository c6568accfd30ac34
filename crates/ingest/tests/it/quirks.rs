//! What real servers do that no standard foresees: each quirk is a script of the test server. Nothing is lost, nothing
//! is doubled, nobody is asked without pause, and people are told how it stands.
//!
//! The quirks and where they are known from are listed in the project's notes; a server that broke something is added here.

mod asian;
mod google;
mod microsoft;
mod others;
mod software;

use std::collections::BTreeMap;
use std::path::Path;

use vigie_common::config::Loaded;
use vigie_common::id::BlobId;
use vigie_ingest::session::{Session, connect};
use vigie_ingest::settings::Settings;
use vigie_ingest::transport::Dialer;
use vigie_testkit::server::{Builder, Routine, Server, Step, close, routine, send};

use crate::place::Place;

/// The mailbox of most quirks: UIDs 1 to 3.
pub(crate) const MESSAGES: u32 = 3;

pub(crate) fn greeted() -> Step {
    send("* OK ready\r\n")
}

/// The bytes of a message.
pub(crate) fn body(uid: u32) -> String {
    format!("Subject: number {uid}\r\n\r\nmessage {uid}\r\n")
}

/// A line of a listing.
pub(crate) fn listed(uid: u32) -> String {
    format!(
        "* {uid} FETCH (UID {uid} FLAGS () INTERNALDATE \"01-Nov-2026 00:00:0{} +0000\" RFC822.SIZE {})\r\n",
        uid % 10,
        body(uid).len()
    )
}

/// A message as an answer to `BODY.PEEK[]`.
pub(crate) fn sent(uid: u32) -> String {
    let body = body(uid);
    format!("* {uid} FETCH (UID {uid} BODY[] {{{}}}\r\n{body})\r\n", body.len())
}

pub(crate) fn done(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<String>() + "{tag} OK done\r\n"
}

/// Answers of a plain server without IDLE whose INBOX has the messages 1 to `top`.
pub(crate) fn usual_to(top: u32) -> Routine {
    let mut answers = routine()
        .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n")
        .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK done\r\n")
        .answer("EXAMINE", examined(top, 5, Some(top + 1)))
        .answer("UID FETCH * (UID FLAGS", done((1..=top).map(listed)))
        .answer("UID FETCH * (UID BODY.PEEK[])", done((1..=top).map(sent)));
    for uid in 1..=top {
        let slice = sent(uid).replace("BODY[]", "BODY[]<0>");
        answers = answers.answer(&format!("UID FETCH {uid} (UID BODY.PEEK[]<0."), done([slice]));
    }
    answers
}

pub(crate) fn usual() -> Routine {
    usual_to(MESSAGES)
}

/// An answer to EXAMINE.
pub(crate) fn examined(exists: u32, uidvalidity: u64, uidnext: Option<u32>) -> String {
    let uidnext = uidnext.map(|next| format!("* OK [UIDNEXT {next}] next\r\n")).unwrap_or_default();
    format!(
        "* {exists} EXISTS\r\n* OK [UIDVALIDITY {uidvalidity}] valid\r\n{uidnext}{{tag}} OK [READ-ONLY] done\r\n"
    )
}

/// A whole connection of these answers.
pub(crate) fn all(answers: Routine) -> [Step; 2] {
    [greeted(), answers.until("LOGOUT")]
}

/// A connection that says good-bye, or nothing, where a command comes.
pub(crate) fn ends_at(answers: Routine, command: &str, words: &str) -> [Step; 4] {
    [greeted(), answers.until(command), send(words), close()]
}

/// One pass over a server of one script, on which all goes well and `messages` are stored; the server is given back for its
/// transcript.
#[track_caller]
pub(crate) fn stored(place: &Place, messages: u32) {
    let entries = place.entries();
    assert_eq!(entries.len(), messages as usize, "{:?}", entries.iter().map(|e| e.uid).collect::<Vec<_>>());
    for entry in &entries {
        assert_eq!(entry.blob_id, BlobId::of(body(entry.uid).as_bytes()), "UID {}", entry.uid);
    }
    place.assert_whole(u64::from(messages));
}

/// A server with these answers on each connection is synced twice: all of it is there, and there once.
pub(crate) async fn synced_twice(answers: Routine, messages: u32) -> (Place, Server) {
    let server = Server::plain().script(all(answers)).start().await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    stored(&place, messages);
    let again = place.sync();
    again.assert_clean();
    assert_eq!(again.stored(), 0, "{again:?}\n{}", server.transcript());
    stored(&place, messages);
    (place, server)
}

/// All lines that the client sent, without their tags.
pub(crate) fn commands(server: &Server) -> Vec<String> {
    let lines = (1..=server.connections()).flat_map(|connection| server.lines(connection));
    lines.filter_map(|line| line.split_once(' ').map(|(_, command)| command.to_owned())).collect()
}

/// A session of its own, for what takes minutes by itself.
pub(crate) async fn session(server: Builder) -> (Session, Server) {
    let server = server.start().await;
    let text = format!(
        "[[account]]\nid = \"a\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nuser = \"me\"\npassword = \"secret\"",
        server.port()
    );
    let loaded = Loaded::parse(Path::new("/nowhere/vigie.toml"), text, []).unwrap();
    let settings = Settings::from_config(&loaded).unwrap();
    let session = connect(&Dialer::default(), &settings.accounts[0]).await.unwrap();
    (session, server)
}

/// How many messages each UIDVALIDITY has.
pub(crate) fn by_validity(place: &Place) -> BTreeMap<(u32, u32), usize> {
    let mut counts = BTreeMap::new();
    for entry in place.entries() {
        *counts.entry((entry.uidvalidity, entry.generation)).or_default() += 1;
    }
    counts
}
