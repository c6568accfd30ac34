//! Servers that attack whoever connects: one script a kind, for tests and trials with good servers beside them.
//!
//! None of them is meant to be served in the end: a client has done well when it lives, keeps its memory, goes on with its other
//! accounts, and says what is wrong with this one.

use std::time::Duration;

use crate::server::{
    Routine, Server, Step, close, fill, flood, huge, reply, reset, routine, send, stall, trickle,
};

/// A way to attack.
pub struct Kind {
    /// In a word or two, good for an account id.
    pub name: &'static str,
    /// Keys of the account that the attack needs, as TOML.
    pub account: &'static str,
    script: Vec<Step>,
}

impl Kind {
    fn new(name: &'static str, script: impl IntoIterator<Item = Step>) -> Self {
        Self { name, account: "", script: script.into_iter().collect() }
    }

    /// A server that attacks each connection so.
    pub async fn start(&self) -> Server {
        Server::plain().script(self.script.clone()).start().await
    }
}

/// All of them.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    let mut kinds = floods();
    kinds.extend(literals());
    kinds.extend(grammar());
    kinds.extend(silences());
    kinds.extend(farewells());
    kinds.extend(lies());
    kinds
}

/// A mailbox of one message, UID 7.
fn polite() -> Routine {
    routine()
        .answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK\r\n")
        .answer("EXAMINE", "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n{tag} OK\r\n")
        .answer("UID FETCH * (UID FLAGS", "* 1 FETCH (UID 7 FLAGS () RFC822.SIZE 5)\r\n{tag} OK\r\n")
        .answer("UID FETCH 7 (UID BODY.PEEK[])", "* 1 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n{tag} OK\r\n")
}

/// The points of a session at which a server may do something else.
const PHASES: [(&str, &str); 6] = [
    ("capability", "CAPABILITY"),
    ("login", "LOGIN"),
    ("list", "LIST"),
    ("examine", "EXAMINE"),
    ("listing", "UID FETCH"),
    ("idle", "IDLE"),
];
const FETCH: &str = "UID FETCH 7 (UID BODY.PEEK[])";

fn greeted() -> Step {
    send("* OK ready\r\n")
}

/// Polite up to a command, which is answered by these steps.
fn at(command: &str, then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    [greeted(), polite().until(command)].into_iter().chain(then).collect()
}

/// What has no end.
fn floods() -> Vec<Kind> {
    let endless = |text: &'static str| [send(text), fill(b'x', u64::MAX)];
    vec![
        Kind::new("endless-greeting", endless("* OK ")),
        Kind::new("endless-line", at("LIST", endless("* OK "))),
        Kind::new("endless-string", at("LIST", endless("* LIST () \"/\" \""))),
        Kind::new("endless-capability", at("CAPABILITY", [send("* CAPABILITY"), flood(" X-MORE")])),
        Kind::new("capability-storm", at("CAPABILITY", [flood("* CAPABILITY IMAP4rev1 X\r\n")])),
        Kind::new("endless-list", at("LIST", [flood("* LIST () \"/\" \"again and again\"\r\n")])),
        Kind::new(
            "endless-listing",
            at("UID FETCH", [flood("* 1 FETCH (UID 7 FLAGS () RFC822.SIZE 5)\r\n")]),
        ),
        Kind::new("endless-bodies", at(FETCH, [flood("* 1 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n")])),
        Kind::new(
            "exists-storm",
            at("EXAMINE", [flood("* 1 EXISTS\r\n* 4294967295 EXISTS\r\n* 0 EXISTS\r\n")]),
        ),
        Kind::new(
            "idle-storm",
            at(
                "IDLE",
                [
                    reply("+ idling\r\n"),
                    flood("* OK Still here\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 0 RECENT\r\n"),
                ],
            ),
        ),
        Kind::new("continuation-storm", at("LOGIN", [flood("+ go on\r\n")])),
        Kind::new("blank-lines", at("EXAMINE", [flood("\r\n")])),
        Kind::new("flags-storm", at("UID FETCH", [send("* 1 FETCH (UID 7 FLAGS ("), flood("\\Seen ")])),
    ]
}

/// Literals: what is announced, and what comes.
fn literals() -> Vec<Kind> {
    let message = |announced: &'static str, bytes: u64| {
        at(FETCH, [send("* 1 FETCH (UID 7 BODY[] "), huge(announced, b'x', bytes), stall()])
    };
    vec![
        Kind::new("literal-500mb", message("500000000", 500_000_000)),
        Kind::new("literal-10gb", message("10737418240", u64::MAX)),
        Kind::new("literal-no-number", message("99999999999999999999", 1 << 20)),
        Kind::new("literal-negative", message("-1", 1 << 20)),
        Kind::new(
            "literal-in-list",
            at("LIST", [send("* LIST () \"/\" "), huge(500_000_000, b'x', 500_000_000)]),
        ),
        Kind::new("literal-in-greeting", [send("* OK "), huge(500_000_000, b'x', 500_000_000)]),
        Kind::new(
            "literal-too-short",
            at(FETCH, [reply("* 1 FETCH (UID 7 BODY[] {4}\r\nhello)\r\n{tag} OK\r\n")]),
        ),
        Kind::new(
            "literal-too-long",
            at(FETCH, [reply("* 1 FETCH (UID 7 BODY[] {6}\r\nhello)\r\n{tag} OK\r\n"), stall()]),
        ),
    ]
}

/// What no parser takes.
fn grammar() -> Vec<Kind> {
    let noise: Vec<u8> = (0x80..=0xff).chain(*b"\r\n* \xff\xfe OK [\xc3]\xa9\r\n").collect();
    let panics = "* OK [ALERT]\u{e9}\r\n* 1 FETCH (INTERNALDATE NIL)\r\n* METADATA \"\" (/x {3}\r\n\u{e9}\u{e9})\r\n\
                  * 1  FETCH (FLAGS (\\Seen ) )\r\n* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n* ESEARCH (TAG \"x\") UID ALL 1\r\n";
    vec![
        Kind::new(
            "nesting",
            at("EXAMINE", [send(format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(100_000))), stall()]),
        ),
        Kind::new(
            "nesting-in-flags",
            at("UID FETCH", [send(format!("* 1 FETCH (FLAGS {}\r\n", "(".repeat(100_000))), stall()]),
        ),
        Kind::new("eight-bit", at("LIST", [flood(noise)])),
        Kind::new("panics", at("EXAMINE", [send(panics.repeat(100)), flood(panics)])),
        Kind::new(
            "nul",
            at("LIST", [reply("* LIST () \"/\" \"a\0b\"\r\n* OK \0\0\0\r\n{tag} OK \0\r\n"), flood("\0")]),
        ),
        Kind::new("http", [send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), close()]),
        Kind::new(
            "escapes",
            at("LIST", [reply("{tag} NO \u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m \u{202e}\r\n")]),
        ),
    ]
}

/// Nothing, or next to nothing.
fn silences() -> Vec<Kind> {
    const SECOND: Duration = Duration::from_secs(1);
    let names = [
        "silent-capability",
        "silent-login",
        "silent-list",
        "silent-examine",
        "silent-listing",
        "silent-idle",
    ];
    let at_phases =
        names.into_iter().zip(PHASES).map(|(name, (_, command))| Kind::new(name, at(command, [stall()])));
    let mut kinds = vec![
        Kind::new("silent", [stall()]),
        Kind::new("silent-body", at(FETCH, [send("* 1 FETCH (UID 7 BODY[] {5}\r\nhe"), stall()])),
        Kind::new("trickle-greeting", [send("* OK "), trickle("slow ", SECOND)]),
        Kind::new("trickle-list", at("LIST", [trickle("* LIST () \"/\" \"INBOX\"\r\n", SECOND)])),
        Kind::new(
            "trickle-body",
            at(FETCH, [send("* 1 FETCH (UID 7 BODY[] {900}\r\n"), trickle("x", SECOND)]),
        ),
    ];
    kinds.extend(at_phases);
    kinds
}

/// Ends.
fn farewells() -> Vec<Kind> {
    let names = ["bye-capability", "bye-login", "bye-list", "bye-examine", "bye-listing", "bye-idle"];
    let bye = || [send("* BYE go away\r\n* 1 EXISTS\r\n"), close()];
    let at_phases =
        names.into_iter().zip(PHASES).map(|(name, (_, command))| Kind::new(name, at(command, bye())));
    let mut kinds = vec![
        Kind::new("closes", [close()]),
        Kind::new("resets", [reset()]),
        Kind::new("bye-greeting", bye()),
        Kind::new("preauth", [send("* PREAUTH welcome back\r\n"), stall()]),
        Kind::new("refuses", at("LOGIN", [reply("{tag} NO [AUTHENTICATIONFAILED] no\r\n")])),
        Kind::new("throttles", at("EXAMINE", [reply("{tag} NO [THROTTLED] no\r\n")])),
    ];
    kinds.extend(at_phases);
    kinds
}

/// What is not so.
fn lies() -> Vec<Kind> {
    let many: String = (0..100_000).map(|n| format!("* LIST () \"/\" \"mailbox {n}\"\r\n")).collect();
    let many = format!("{many}* LIST () \"/\" INBOX\r\n{{tag}} OK\r\n");
    let storm: String =
        (1..200_000_u32).map(|n| format!("* {n} FETCH (UID {} RFC822.SIZE 5)\r\n", n * 20_000)).collect();
    let storm = polite()
        .answer(
            "EXAMINE",
            "* 4294967295 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 4294967295] x\r\n{tag} OK\r\n",
        )
        .answer("UID FETCH * (UID FLAGS", format!("{storm}{{tag}} OK\r\n"));
    let sizes = polite()
        .answer("UID FETCH * (UID FLAGS", "* 1 FETCH (UID 7 FLAGS () RFC822.SIZE 4294967295)\r\n{tag} OK\r\n")
        .answer("UID FETCH 7 (UID BODY.PEEK[]<", "* 1 FETCH (UID 7 BODY[]<0> {5}\r\nhello)\r\n{tag} OK\r\n");
    vec![
        Kind::new("many-mailboxes", [greeted(), polite().answer("LIST", many.clone()).until("NEVER")]),
        Kind {
            account: "mailboxes = [\"*\"]\n",
            ..Kind::new("all-of-many", [greeted(), polite().answer("LIST", many).until("NEVER")])
        },
        Kind::new("uid-storm", [greeted(), storm.until("NEVER")]),
        Kind::new("wrong-sizes", [greeted(), sizes.until("NEVER")]),
        Kind::new(
            "foreign-tags",
            at("LIST", [send("A9999 OK done\r\nZ1 NO no\r\n* LIST () \"/\" INBOX\r\n"), stall()]),
        ),
        Kind::new("tag-storm", at("LIST", [flood("A0001 OK done\r\n")])),
        Kind::new(
            "new-mail-for-ever",
            [greeted(), polite().answer("IDLE", "+ idling\r\n* 2 EXISTS\r\n* 3 EXISTS\r\n").until("NEVER")],
        ),
    ]
}
