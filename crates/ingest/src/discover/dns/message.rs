//! DNS messages (RFC 1035 section 4): one question for MX or SRV records, and its answer. Pure; answers are hostile.

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::discover) enum Kind {
    Mx,
    Srv,
}

impl Kind {
    const fn number(self) -> u16 {
        match self {
            Self::Mx => 15,
            Self::Srv => 33,
        }
    }
}

/// A record of an answer. Names are in lower case, without the dot at their end: empty means the root, "there is none".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::discover) enum Record {
    Mx { preference: u16, host: String },
    Srv { priority: u16, weight: u16, port: u16, host: String },
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// All of it; none is an answer too.
    Records(Vec<Record>),
    /// More than fits: ask again over TCP.
    Truncated,
}

/// Why an answer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not to this question; the right one may still come.
    Foreign,
    /// The server refuses or fails, by its response code.
    Refused(u8),
    /// It cannot be read.
    Malformed,
}

/// Records that are read at most.
const RECORDS: usize = 64;
/// Octets of a name, and jumps within it, at most.
const NAME: usize = 255;
const JUMPS: usize = 32;

/// The question for `name`; `None` when that is no name.
pub(super) fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    // Recursion desired, one question.
    let mut out = Vec::with_capacity(name.len() + 18);
    for number in [id, 0x0100, 1, 0, 0, 0] {
        out.extend(number.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|&length| (1..64).contains(&length))?;
        out.push(length);
        out.extend(label.as_bytes());
    }
    out.push(0);
    if out.len() > 12 + NAME {
        return None;
    }
    for number in [kind.number(), 1] {
        out.extend(number.to_be_bytes());
    }
    Some(out)
}

/// The answer to the question `asked`.
pub(super) fn answer(asked: &[u8], bytes: &[u8]) -> Result<Answer, Fault> {
    let mut reader = Reader { bytes, at: 0 };
    let mut asked = Reader { bytes: asked, at: 0 };
    let id = reader.number().ok_or(Fault::Foreign)?;
    let flags = reader.number().ok_or(Fault::Foreign)?;
    let counts = [(); 4].map(|()| reader.number());
    let [Some(1), Some(answers), ..] = counts else { return Err(Fault::Foreign) };
    let is_answer = flags & 0x8000 != 0;
    if !is_answer || Some(id) != asked.number() {
        return Err(Fault::Foreign);
    }
    asked.at = 12;
    // A question that is not ours: somebody guesses.
    let same = reader.name() == asked.name()
        && reader.number() == asked.number()
        && reader.number() == asked.number();
    if !same {
        return Err(Fault::Foreign);
    }
    let kind =
        asked.bytes.get(asked.at - 4..asked.at - 2).map(|b| b.iter().fold(0, |n, &b| n << 8 | u16::from(b)));
    match flags & 0x000f {
        0 => {}
        3 => return Ok(Answer::Records(Vec::new())),
        code => return Err(Fault::Refused(u8::try_from(code).unwrap_or(u8::MAX))),
    }
    if flags & 0x0200 != 0 {
        return Ok(Answer::Truncated);
    }
    let mut records = Vec::new();
    for _ in 0..usize::from(answers).min(RECORDS) {
        let record = reader.record(kind.unwrap_or_default()).ok_or(Fault::Malformed)?;
        records.extend(record);
    }
    Ok(Answer::Records(records))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// A record; the inner `None` when it is of another kind or has no usable name.
    #[expect(clippy::option_option, reason = "a record that is left out is no fault of the message")]
    fn record(&mut self, wanted: u16) -> Option<Option<Record>> {
        self.name()?;
        let (kind, class) = (self.number()?, self.number()?);
        self.at += 4;
        let length = usize::from(self.number()?);
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len())?;
        let record = if class == 1 && kind == wanted { self.content(kind) } else { None };
        // A name that runs out of its record is none.
        let fits = self.at <= end;
        self.at = end;
        Some(record.filter(|_| fits))
    }

    fn content(&mut self, kind: u16) -> Option<Record> {
        if kind == Kind::Mx.number() {
            return Some(Record::Mx { preference: self.number()?, host: self.name()? });
        }
        let (priority, weight, port) = (self.number()?, self.number()?, self.number()?);
        Some(Record::Srv { priority, weight, port, host: self.name()? })
    }

    /// A name, following pointers backward alone: each to before where the last one led.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let (mut at, mut floor) = (self.at, self.at);
        let mut after = None;
        for _ in 0..JUMPS + NAME {
            let length = *self.bytes.get(at)?;
            match length {
                0 => {
                    self.at = after.unwrap_or(at + 1);
                    return Some(name);
                }
                1..64 => {
                    let label = self.bytes.get(at + 1..at + 1 + usize::from(length))?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    // A dot or a byte beyond ASCII inside a label is no part of any host name.
                    if !label.iter().all(|b| b.is_ascii_graphic() && *b != b'.') {
                        return None;
                    }
                    name.extend(label.iter().map(|b| char::from(b.to_ascii_lowercase())));
                    if name.len() > NAME {
                        return None;
                    }
                    at += 1 + usize::from(length);
                }
                192.. => {
                    let low = *self.bytes.get(at + 1)?;
                    let to = usize::from(length & 0x3f) << 8 | usize::from(low);
                    after.get_or_insert(at + 2);
                    if to >= floor {
                        return None;
                    }
                    (at, floor) = (to, to);
                }
                64..192 => return None,
            }
        }
        None
    }
}

#[cfg(test)]
pub(in crate::discover) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A name on the wire.
    fn wire(name: &str) -> Vec<u8> {
        let labels = name.split('.').filter(|l| !l.is_empty());
        let mut out: Vec<u8> =
            labels.flat_map(|l| [&[u8::try_from(l.len()).unwrap()], l.as_bytes()].concat()).collect();
        out.push(0);
        out
    }

    /// What a server would answer with these records.
    pub(in crate::discover) fn answered(question: &[u8], code: u8, records: &[Record]) -> Vec<u8> {
        let mut out = question[..2].to_vec();
        out.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
        out.extend(&question[12..]);
        for record in records {
            let (kind, content) = match record {
                Record::Mx { preference, host } => {
                    (15, [&preference.to_be_bytes()[..], &wire(host)].concat())
                }
                Record::Srv { priority, weight, port, host } => {
                    let numbers = [priority, weight, port].map(|n| n.to_be_bytes()).concat();
                    (33, [numbers, wire(host)].concat())
                }
            };
            // The owner's name is a pointer to the question's.
            out.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60]);
            out.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
            out.extend(content);
        }
        out
    }

    #[test]
    fn records_are_read() {
        let asked = question(7, "_imaps._tcp.Example.org", Kind::Srv).unwrap();
        let srv = Record::Srv { priority: 0, weight: 1, port: 993, host: "mail.example.org".into() };
        let none = Record::Srv { priority: 0, weight: 0, port: 0, host: String::new() };
        let mx = Record::Mx { preference: 10, host: "mx.example.org".into() };
        let bytes = answered(&asked, 0, &[srv.clone(), mx, none.clone()]);
        assert_eq!(answer(&asked, &bytes), Ok(Answer::Records(vec![srv, none])));
        assert_eq!(answer(&asked, &answered(&asked, 3, &[])), Ok(Answer::Records(vec![])));
        assert_eq!(answer(&asked, &answered(&asked, 2, &[])), Err(Fault::Refused(2)));
        let mut cut = answered(&asked, 0, &[]);
        cut[2] |= 2;
        assert_eq!(answer(&asked, &cut), Ok(Answer::Truncated));
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let asked = question(7, "example.org", Kind::Mx).unwrap();
        for other in [
            question(8, "example.org", Kind::Mx).unwrap(),
            question(7, "example.com", Kind::Mx).unwrap(),
            question(7, "example.org", Kind::Srv).unwrap(),
        ] {
            assert_eq!(answer(&asked, &answered(&other, 0, &[])), Err(Fault::Foreign));
        }
        assert_eq!(answer(&asked, &asked), Err(Fault::Foreign), "a question is no answer");
    }

    #[test]
    fn names_that_lead_in_circles_or_nowhere_end() {
        let asked = question(7, "example.org", Kind::Mx).unwrap();
        let mx = Record::Mx { preference: 1, host: "a.b".into() };
        let good = answered(&asked, 0, std::slice::from_ref(&mx));
        let owner = asked.len();
        let own = u8::try_from(owner).unwrap();
        for pointer in [[0xc0, own], [0xc0, own + 1], [0xff, 0xff], [0x40, 0]] {
            let mut bad = good.clone();
            bad[owner..owner + 2].copy_from_slice(&pointer);
            assert_eq!(answer(&asked, &bad), Err(Fault::Malformed));
        }
        assert_eq!(answer(&asked, &good[..good.len() - 1]), Err(Fault::Malformed));
    }

    #[test]
    fn what_is_no_name_is_not_asked() {
        for name in ["", "a..b", &"a".repeat(64), &"a.".repeat(200)] {
            assert_eq!(question(1, name, Kind::Mx), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..600), keep in 0_usize..40) {
            let asked = question(7, "example.org", Kind::Mx).unwrap();
            let _ = answer(&asked, &bytes);
            let good = answered(&asked, 0, &[Record::Mx { preference: 1, host: "a.b".into() }]);
            let mut mixed = good[..keep.min(good.len())].to_vec();
            mixed.extend(&bytes);
            let _ = answer(&asked, &mixed);
        }
    }
}
