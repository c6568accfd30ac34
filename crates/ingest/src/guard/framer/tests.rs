//! What comes through, and that all of it parses.

use proptest::prelude::*;

use super::*;

fn run(framer: &mut Framer, input: &[u8]) -> Result<String, Violation> {
    let mut out = BytesMut::new();
    framer.push(input, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn guarded(input: &str) -> String {
    run(&mut Framer::new(Limits::default()), input.as_bytes()).unwrap()
}

#[test]
fn good_lines_come_through_as_they_are() {
    for line in [
        "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n",
        "* 12 EXISTS\r\n",
        "* CAPABILITY IMAP4rev1 IDLE\r\n",
        "* LIST (\\HasNoChildren) \"/\" \"A  (b\"\r\n",
        "* 1 FETCH (UID 7 BODY[] {5}\r\nab\ncd FLAGS (\\Seen))\r\n",
        "* SEARCH 1 2 3\r\n",
        "* SEARCH\r\n",
        "A0001 OK done {5}\r\n",
        "+ idling\r\n",
        "* STATUS INBOX (MESSAGES 1)\r\n",
        "* VANISHED (EARLIER) 1:5\r\n",
    ] {
        assert_eq!(guarded(line), line);
    }
}

#[test]
fn what_the_parser_cannot_take_is_made_such_that_it_can() {
    for (line, expected) in [
        ("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", "* OK NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"),
        ("* ESEARCH (TAG \"A1\") UID ALL 1:3\r\n", "* OK ESEARCH (TAG \"A1\") UID ALL 1:3\r\n"),
        ("* 5  FETCH (UID  7 FLAGS (\\Seen ) )\r\n", "* 5 FETCH (UID 7 FLAGS (\\Seen))\r\n"),
        ("* OK [ALERT]\u{e9}t\u{e9}\r\n", "* OK [ALERT] \u{e9}t\u{e9}\r\n"),
        ("A0001 NO [ALERT]\u{e9}\r\n", "A0001 NO [ALERT] \u{e9}\r\n"),
        ("* 1 FETCH (UID 1 INTERNALDATE NIL)\r\n", "* 1 FETCH (UID 1 INTERNALDATE \"\")\r\n"),
        ("* 1 FETCH (UID 1 internaldate nil)\r\n", "* 1 FETCH (UID 1 internaldate \"\")\r\n"),
        ("* 1 FETCH (UID 7) FLAGS (\\Seen)\r\n", "* 1 FETCH (UID 7)\r\n"),
        ("* 1 FETCH (FLAGS ((a (b))) UID 7 RFC822.SIZE )\r\n", "* 1 FETCH (UID 7)\r\n"),
        ("* 1 FETCH UID 7\r\n", "* 1 FETCH (UID 7)\r\n"),
        (
            "* 1 FETCH (UID 7 INTERNALDATE Nil X {3}\r\nabc)\r\n* 2 EXISTS\r\n",
            "* 1 FETCH (UID 7 INTERNALDATE \"\" X {3}\r\nabc)\r\n* 2 EXISTS\r\n",
        ),
        ("* 1 FETCH (UID 7 ((( {3}\r\nabc)))\r\n* 2 EXISTS\r\n", "* 1 FETCH (UID 7)\r\n* 2 EXISTS\r\n"),
        ("* CAPABILITY IMAP4rev2 IDLE\r\n", "* CAPABILITY IMAP4rev2 IDLE IMAP4rev1\r\n"),
        (
            "* 1 FETCH (X-GM-LABELS (\\Inbox {4}\r\na\"\\b {0}\r\n) UID 7)\r\n* 2 EXISTS\r\n",
            "* 1 FETCH (X-GM-LABELS (\\Inbox \"a\\\"\\\\b\" \"\") UID 7)\r\n* 2 EXISTS\r\n",
        ),
        (
            "* 1 FETCH (X-GM-LABELS ({3}\r\n\u{e9}\n) UID 7)\r\n",
            "* 1 FETCH (X-GM-LABELS (\"???\") UID 7)\r\n",
        ),
        ("\r\n", ""),
        ("* METADATA \"\" (/shared/comment NIL)\r\n", ""),
        ("* METADATA \"\" (/shared/comment {5}\r\nhello)\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"),
        ("* XTEXT {5}\r\nhello)\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"),
        ("* 1 EXISTS\n", "* 1 EXISTS\r\n"),
        ("* OK a\rb\u{1b}[2J\r\n", "* OK a b [2J\r\n"),
        ("* STATUS INBOX (MESSAGES 5) \r\n", "* STATUS INBOX (MESSAGES 5)\r\n"),
        ("* FLAGS (\\Seen caf\u{e9})\r\n", "* FLAGS (\\Seen caf??)\r\n"),
    ] {
        assert_eq!(guarded(line), expected, "{line}");
    }
}

#[test]
fn lengths_and_nesting_are_capped() {
    let limits = Limits { line: 1000, literal: 100, literals: 3, depth: 8 };
    let fresh = || Framer::new(limits);
    assert_eq!(run(&mut fresh(), &[b'x'; 1001]), Err(Violation::LineTooLong(1000)));
    for announced in ["500000000", "10737418240", "4294967296"] {
        let line = format!("* 1 FETCH (BODY[] {{{announced}}}\r\n");
        let announced = announced.parse().unwrap();
        assert_eq!(
            run(&mut fresh(), line.as_bytes()),
            Err(Violation::LiteralTooLarge { announced, most: 100 })
        );
    }
    for length in ["99999999999999999999", "-1", "5+", ""] {
        let line = format!("* 1 FETCH (BODY[] {{{length}}}\r\n");
        assert_eq!(run(&mut fresh(), line.as_bytes()), Err(Violation::BadLiteral), "{length}");
    }
    let deep = format!("* 1 FETCH (X {}\r\n", "(".repeat(50_000));
    assert_eq!(run(&mut Framer::new(Limits::default()), deep.as_bytes()), Err(Violation::TooDeep(64)));
    // Many literals in one response count together.
    let many = "* 1 FETCH (BODY[1] {60}\r\n".to_owned() + &"a".repeat(60) + " BODY[2] {60}\r\n";
    assert!(matches!(run(&mut fresh(), many.as_bytes()), Err(Violation::LiteralTooLarge { .. })));
    let mut roomy = fresh();
    roomy.expect_literal(500);
    assert!(run(&mut roomy, b"* 1 FETCH (BODY[] {600}\r\n").is_ok());
}

/// The parser tries all of a response again with each literal.
#[test]
fn a_response_of_very_many_literals_does_not_take_minutes() {
    for (before, each) in [("", "X {0}\r\n "), ("X-GM-LABELS (", "{0}\r\n ")] {
        let many = format!("* 1 FETCH ({before}") + &each.repeat(30_000);
        assert_eq!(
            run(&mut Framer::new(Limits { line: 1 << 20, ..Limits::default() }), many.as_bytes()),
            Err(Violation::TooManyLiterals(64)),
            "{before}"
        );
    }
}

/// Quotes in odd places hide depth from the framer: the parser's recursion ended the whole process.
#[test]
fn depth_behind_misplaced_quotes_does_not_overflow_the_stack() {
    let deep = "(".repeat(50_000);
    for before in ["X a\"", "X (\"a)", "X (a \"b)"] {
        let line = format!("* 1 FETCH (UID 7 {before} BODYstructure {deep}\r\n");
        assert_eq!(guarded(&line), "* 1 FETCH (UID 7)\r\n", "{before}");
    }
}

/// What a sender wrote into a message is never taken for a response, however the server announces it.
#[test]
fn a_literal_is_passed_only_where_the_parser_sees_one() {
    let body = ")\r\nA0001 OK done\r\n";
    for (before, expected) in [
        ("UID 7 FLAGS (x\"y) BODY[]", "* 1 FETCH (UID 7)\r\n"),
        ("UID 7 X (a", "* 1 FETCH (UID 7)\r\n"),
        ("UID 7 X a", "* 1 FETCH (UID 7)\r\n"),
    ] {
        for space in ["", " "] {
            let line = format!("* 1 FETCH ({before}{space}{{{}}}\r\n{body})\r\n", body.len());
            let out = guarded(&line);
            assert!(out == expected || out == line, "{line} -> {out}");
            let parsed = async_imap::imap_proto::Response::parse(out.as_bytes()).unwrap();
            assert!(parsed.0.is_empty(), "{line} -> {out}");
        }
    }
}

/// A code may hold brackets itself; the parser cut the first character of the text in two.
#[test]
fn text_that_touches_the_last_bracket_of_a_code() {
    assert_eq!(
        guarded("* NO [BADCHARSET (\"a]\" b)]\u{e9}t\u{e9}\r\n"),
        "* NO [BADCHARSET (\"a] \" b)] \u{e9}t\u{e9}\r\n"
    );
}

/// They hid from the guard what the parser saw after they were made spaces.
#[test]
fn control_characters_between_words_hide_nothing() {
    assert_eq!(guarded("* \u{1}METADATA \"\" (/shared/comment NIL)\r\n"), "");
    assert_eq!(
        guarded("*\u{18}1 FETCH (UID 1\u{7f}INTERNALDATE\u{0}NIL)\r\n"),
        "* 1 FETCH (UID 1 INTERNALDATE \"\")\r\n"
    );
}

#[test]
fn nothing_follows_the_answer_to_starttls() {
    let mut framer = Framer::new(Limits::default());
    framer.set_mode(Mode::Switching);
    assert_eq!(run(&mut framer, b"* OK wait\r\nA0001 OK go\r\n").unwrap(), "* OK wait\r\nA0001 OK go\r\n");
    assert_eq!(run(&mut framer, b"* CAPABILITY IMAP4rev1\r\n"), Err(Violation::Injected));
    let mut framer = Framer::new(Limits::default());
    framer.set_mode(Mode::Switching);
    assert_eq!(run(&mut framer, b"A0001 OK go\r\n* CAPABILITY IMAP4rev1\r\n"), Err(Violation::Injected));
}

#[test]
fn during_authentication_only_its_own_answers_come_through() {
    let mut framer = Framer::new(Limits::default());
    framer.set_mode(Mode::Authenticating);
    let out = run(&mut framer, b"* CAPABILITY IMAP4rev1\r\n* 5 EXISTS\r\n+ \r\n* BYE bad\r\nA0001 NO no\r\n")
        .unwrap();
    assert_eq!(out, "+ \r\n* BYE bad\r\nA0001 NO no\r\n");
}

proptest! {
    /// However the bytes are cut, the same comes out.
    #[test]
    fn cuts_do_not_matter(cuts in prop::collection::vec(1usize..20, 0..60)) {
        let input = b"* OK hi\r\n* 1 FETCH (UID 7 BODY[] {5}\r\nab\ncd FLAGS (\\Seen))\r\n* NAMESPACE x\r\n* 2 FETCH (X-GM-LABELS (a {3}\r\nb\"c {2}\r\nde) UID 8)\r\nA1 OK [X]y\r\n";
        let whole = run(&mut Framer::new(Limits::default()), input).unwrap();
        let mut framer = Framer::new(Limits::default());
        let mut got = String::new();
        let mut rest = &input[..];
        for cut in cuts {
            let (head, tail) = rest.split_at(cut.min(rest.len()));
            got += &run(&mut framer, head).unwrap();
            rest = tail;
        }
        got += &run(&mut framer, rest).unwrap();
        prop_assert_eq!(got, whole);
    }

    /// Lines without literals: whatever the server sends, the parser takes all that comes out.
    #[test]
    fn all_that_comes_out_parses(lines in prop::collection::vec(hostile_line(), 1..8)) {
        let mut framer = Framer::new(Limits::default());
        for line in lines {
            let mut out = BytesMut::new();
            if framer.push(&line, &mut out).is_err() { return Ok(()); }
            if framer.left > 0 || framer.fate != Fate::New { return Ok(()); }
            let mut rest = &out[..];
            while !rest.is_empty() {
                let parsed = async_imap::imap_proto::Response::parse(rest);
                prop_assert!(parsed.is_ok(), "{:?} -> {:?}", String::from_utf8_lossy(&line), parsed);
                rest = parsed.unwrap().0;
            }
        }
    }
}

fn hostile_line() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("*".to_owned()),
        Just("OK".to_owned()),
        Just("[ALERT]".to_owned()),
        Just("FETCH".to_owned()),
        Just("(UID 1".to_owned()),
        Just("INTERNALDATE NIL".to_owned()),
        Just("FLAGS (".to_owned()),
        Just("\"".to_owned()),
        Just(")".to_owned()),
        Just("7".to_owned()),
        Just("BODY[]".to_owned()),
        Just("METADATA".to_owned()),
        Just("SEARCH".to_owned()),
        Just("CAPABILITY".to_owned()),
        Just("é".to_owned()),
        Just("STATUS".to_owned()),
        Just("LIST () \"/\"".to_owned()),
        Just("\0".to_owned()),
        Just("ID (".to_owned()),
        Just("BODYSTRUCTURE (((".to_owned()),
        "[ -~]{0,12}",
        ".{0,6}",
    ];
    (prop::collection::vec(word, 0..8), prop::collection::vec(any::<u8>(), 0..4)).prop_map(
        |(words, noise)| {
            let mut line = words.join(" ").into_bytes();
            line.extend(noise);
            line.retain(|&b| b != b'\n');
            line.extend_from_slice(b"\r\n");
            line
        },
    )
}
