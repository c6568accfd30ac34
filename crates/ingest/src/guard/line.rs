//! One line of a server, made such that imap-proto takes it. Pure.

use std::borrow::Cow;
use std::panic::catch_unwind;

use super::Violation;

pub(super) enum Verdict<'a> {
    /// To the parser, without its line end.
    Release(Cow<'a, [u8]>),
    /// Nobody needs it.
    Drop,
    /// It is no response at all.
    Refuse,
}

/// The line with spaces for control characters.
pub(super) fn without_controls(line: &[u8]) -> Cow<'_, [u8]> {
    let is_control = |&byte: &u8| byte < 0x20 || byte == 0x7f;
    if line.iter().any(is_control) {
        Cow::Owned(line.iter().map(|byte| if is_control(byte) { b' ' } else { *byte }).collect())
    } else {
        Cow::Borrowed(line)
    }
}

/// Whether quotes, parentheses and literals mean something in this first line of a response: not in
/// the free text of status responses and continuations.
pub(super) fn has_structure(line: &[u8]) -> bool {
    line.starts_with(b"* ") && !is_status(after_star(line))
}

/// `tag OK ...`, the end of a command.
pub(super) fn is_tagged(line: &[u8]) -> bool {
    !line.is_empty() && !line.starts_with(b"*") && !line.starts_with(b"+")
}

/// `* BYE ...`.
pub(super) fn is_bye(line: &[u8]) -> bool {
    first_word(after_star(line)).eq_ignore_ascii_case(b"BYE")
}

/// Responses that we ask for and that may hold a literal. Any other with one is left out as a whole.
pub(super) fn may_hold_literals(line: &[u8]) -> bool {
    let words = after_star(line);
    let name = first_word(words);
    [&b"LIST"[..], b"LSUB", b"STATUS"].iter().any(|n| name.eq_ignore_ascii_case(n)) || is_fetch(words)
}

/// The length in `{n}` at the end of a line.
pub(super) fn literal_length(line: &[u8]) -> Result<Option<u64>, Violation> {
    let Some(inner) = line.strip_suffix(b"}") else { return Ok(None) };
    let Some(start) = memchr::memrchr(b'{', inner) else { return Ok(None) };
    let digits = inner.get(start + 1..).unwrap_or_default();
    std::str::from_utf8(digits)
        .ok()
        .filter(|d| d.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|d| d.parse().ok())
        .map(Some)
        .ok_or(Violation::BadLiteral)
}

/// What stands before the `{n}` at the end of a line.
pub(super) fn before_literal(line: &[u8]) -> &[u8] {
    memchr::memrchr(b'{', line).and_then(|at| line.get(..at)).unwrap_or(line)
}

/// The length of the literal at the end of a line, when it is one of Gmail's labels: the parser takes these as atoms and
/// quoted strings alone, and what follows them (the UID) would be lost.
pub(super) fn label_literal(line: &[u8]) -> Option<u64> {
    const LABELS: &[u8] = b"X-GM-LABELS (";
    let line = line.strip_suffix(b"\r\n")?;
    if !is_fetch(after_star(line)) {
        return None;
    }
    let at = line.windows(LABELS.len()).rposition(|w| w.eq_ignore_ascii_case(LABELS))? + LABELS.len();
    let (mut quoted, mut escaped) = (false, false);
    for &byte in line.get(at..)? {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b')' if !quoted => return None,
            _ => {}
        }
    }
    literal_length(line).ok()?.filter(|&length| !quoted && length <= 4096)
}

/// Adds `bytes` to a quoted string.
pub(super) fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(if (0x20..0x7f).contains(&byte) { byte } else { b'?' });
    }
}

/// Makes a complete response such that the parser takes it.
pub(super) fn normalise(line: &[u8], has_structure: bool) -> Verdict<'_> {
    let clean = if has_structure { structured(line) } else { status(line) };
    let words = after_star(&clean);
    if line.is_empty() || first_word(words).eq_ignore_ascii_case(b"METADATA") {
        return Verdict::Drop;
    }
    if parses(&clean) {
        return Verdict::Release(clean);
    }
    if !line.starts_with(b"*") {
        return Verdict::Refuse;
    }
    if let Some(salvaged) = salvage(line) {
        return Verdict::Release(Cow::Owned(salvaged));
    }
    // Text of a response that the parser does not know: kept for whoever looks for it.
    let words = after_star(line);
    let mut told = b"* OK ".to_vec();
    told.extend(words.iter().map(|&b| if b == b'[' { b'?' } else { b }));
    if parses(&told) { Verdict::Release(Cow::Owned(told)) } else { Verdict::Drop }
}

/// Of a FETCH that the parser cannot take: the UID, so that the message is not taken for one that is not there.
pub(super) fn salvage(line: &[u8]) -> Option<Vec<u8>> {
    let words = after_star(line);
    if !is_fetch(words) {
        return None;
    }
    let mut after_uid = words
        .split(|b| matches!(b, b' ' | b'(' | b')'))
        .filter(|word| !word.is_empty())
        .skip_while(|word| !word.eq_ignore_ascii_case(b"UID"))
        .skip(1);
    let uid = after_uid.next().filter(|word| word.iter().all(u8::is_ascii_digit))?;
    let salvaged = [b"* ", first_word(words), b" FETCH (UID ", uid, b")"].concat();
    parses(&salvaged).then_some(salvaged)
}

/// Whether imap-proto takes the line for exactly one response. BODYSTRUCTURE, which we never ask for, is not even tried: the
/// parser follows it down as deep as it goes, and where quotes are misplaced it sees more depth than the framer.
pub(super) fn parses(line: &[u8]) -> bool {
    const RECURSIVE: &[u8] = b"BODYSTRUCTURE";
    let is_recursive = |at: usize| {
        line.get(at..at + RECURSIVE.len()).is_some_and(|word| word.eq_ignore_ascii_case(RECURSIVE))
    };
    if memchr::memchr2_iter(b'B', b'b', line).any(is_recursive) && is_fetch(after_star(line)) {
        return false;
    }
    let mut whole = Vec::with_capacity(line.len() + 2);
    whole.extend_from_slice(line);
    whole.extend_from_slice(b"\r\n");
    // The known panics are made impossible before; this is for those that are not known yet.
    catch_unwind(
        || matches!(async_imap::imap_proto::Response::parse(&whole), Ok((rest, _)) if rest.is_empty()),
    )
    .unwrap_or(false)
}

/// Outside quotes: one space between words, none at the ends of the line or of a list, no INTERNALDATE NIL
/// (the parser panics), only ASCII.
pub(super) fn structured(line: &[u8]) -> Cow<'_, [u8]> {
    let untouched = !line.windows(2).any(|w| w == b"  " || w == b" )")
        && line.is_ascii()
        && !contains_nil_date(line)
        && !line.ends_with(b" ")
        && !lacks_imap4rev1(line);
    if untouched {
        return Cow::Borrowed(line);
    }
    let mut out = Vec::with_capacity(line.len());
    let (mut quoted, mut escaped) = (false, false);
    for &byte in line {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            out.push(byte);
            continue;
        }
        match byte {
            b' ' if out.last() == Some(&b' ') || out.last() == Some(&b'(') => {}
            b')' if out.last() == Some(&b' ') => {
                out.pop();
                out.push(byte);
            }
            b'"' => {
                quoted = true;
                out.push(byte);
            }
            byte if !byte.is_ascii() => out.push(b'?'),
            byte => out.push(byte),
        }
    }
    while out.last() == Some(&b' ') {
        out.pop();
    }
    if contains_nil_date(&out) {
        out = without_nil_dates(out);
    }
    if lacks_imap4rev1(&out) {
        out.extend_from_slice(b" IMAP4rev1");
    }
    Cow::Owned(out)
}

const DATE: &[u8] = b"INTERNALDATE ";

fn nil_date_at(line: &[u8]) -> Option<usize> {
    line.windows(DATE.len() + 3).position(|w| {
        let (name, value) = w.split_at(DATE.len());
        name.eq_ignore_ascii_case(DATE) && value.eq_ignore_ascii_case(b"NIL")
    })
}

fn contains_nil_date(line: &[u8]) -> bool {
    line.windows(4).any(|w| w.eq_ignore_ascii_case(b" NIL")) && nil_date_at(line).is_some()
}

fn without_nil_dates(mut line: Vec<u8>) -> Vec<u8> {
    while let Some(at) = nil_date_at(&line) {
        let value = at + DATE.len();
        line.splice(value..value + 3, *b"\"\"");
    }
    line
}

/// A server of IMAP4rev2 alone (RFC 9051): the parser wants to read the older name.
fn lacks_imap4rev1(line: &[u8]) -> bool {
    let words = after_star(line);
    first_word(words).eq_ignore_ascii_case(b"CAPABILITY")
        && !words.split(|&b| b == b' ').any(|word| word.eq_ignore_ascii_case(b"IMAP4rev1"))
}

/// A status response, a tagged one or a continuation: a space after `[CODE]` (without it the parser cuts a
/// character in two; a code may hold further brackets).
fn status(line: &[u8]) -> Cow<'_, [u8]> {
    let begin = memchr::memchr(b'[', line).unwrap_or(line.len());
    let touches = |pair: &[u8], first: bool| matches!(pair, &[b']', next] if (first && next != b' ') || !next.is_ascii());
    let code = line.get(begin..).unwrap_or_default();
    let close = memchr::memchr(b']', code);
    if !code.windows(2).enumerate().any(|(at, pair)| touches(pair, close == Some(at))) {
        return Cow::Borrowed(line);
    }
    let mut out = Vec::with_capacity(line.len() + 1);
    for (at, &byte) in line.iter().enumerate() {
        out.push(byte);
        let pair = line.get(at..at + 2).unwrap_or_default();
        if at >= begin && touches(pair, close == Some(at - begin)) {
            out.push(b' ');
        }
    }
    Cow::Owned(out)
}

fn after_star(line: &[u8]) -> &[u8] {
    let rest = line.strip_prefix(b"*").unwrap_or_default();
    rest.trim_ascii_start()
}

fn first_word(words: &[u8]) -> &[u8] {
    words.split(|&b| b == b' ').next().unwrap_or_default()
}

fn is_status(words: &[u8]) -> bool {
    let name = first_word(words);
    [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"].iter().any(|n| name.eq_ignore_ascii_case(n))
}

fn is_fetch(words: &[u8]) -> bool {
    let number = first_word(words);
    let rest = words.get(number.len()..).unwrap_or_default().trim_ascii_start();
    number.iter().all(u8::is_ascii_digit)
        && rest.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"FETCH"))
}
