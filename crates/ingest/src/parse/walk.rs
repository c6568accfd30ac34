//! Walks a message once from its first byte to its last, and cuts it into parts.
//!
//! The stack of open multiparts is a list; parts refer to their parents by number, so that neither depth
//! nor number of parts costs more than their caps. A `message/*` part is a leaf, as in JMAP.

use vigie_common::document::{Code, Part};

use super::boundaries::{self, Finder};
use super::defects::Defects;
use super::header::{self, Block};
use super::limits;
use super::part::{self, Described};
use super::transfer::Encoding;

/// A part and its place.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    /// What its header says; content is filled in later.
    pub(crate) part: Part,
    /// Section number: `1`, `2.1`; empty for the root of a message of several parts.
    pub(crate) id: String,
    /// Number of the node that it is in; the root has none.
    pub(crate) parent: Option<usize>,
    /// Whether it is a multipart.
    pub(crate) is_multipart: bool,
    /// How the content is encoded.
    pub(crate) encoding: Encoding,
    /// The content as it stands in the message.
    pub(crate) content: &'a [u8],
}

/// A message cut into parts. Each node comes after its parent and after its elder siblings.
#[derive(Debug)]
pub(crate) struct Walked<'a> {
    /// The header block of the message.
    pub(crate) header: Block<'a>,
    /// The parts; the first one is the root.
    pub(crate) nodes: Vec<Node<'a>>,
}

/// Cuts the message that begins at `start`.
pub(crate) fn walk<'a>(raw: &'a [u8], start: usize, defects: &mut Defects) -> Walked<'a> {
    let header = header::split(raw, start, |_| false);
    let body = header.body;
    let described = part::describe(&header, "text/plain", "", defects);
    let mut walk = Walk { raw, nodes: Vec::new(), open: Vec::new(), leaf: None, defects };
    walk.enter(described, body);
    walk.parts(body);
    Walked { header, nodes: walk.nodes }
}

/// A multipart whose end was not seen yet.
struct Open {
    node: usize,
    boundary: Vec<u8>,
    is_digest: bool,
    children: usize,
    body: usize,
}

impl AsRef<[u8]> for Open {
    fn as_ref(&self) -> &[u8] {
        &self.boundary
    }
}

struct Walk<'a, 'd> {
    raw: &'a [u8],
    nodes: Vec<Node<'a>>,
    open: Vec<Open>,
    /// The leaf that is being read, and where its content began.
    leaf: Option<(usize, usize)>,
    defects: &'d mut Defects,
}

impl Walk<'_, '_> {
    fn parts(&mut self, body: usize) {
        let finder = Finder::new();
        let mut at = body;
        while let Some(found) = finder.next(self.raw, at, &self.open) {
            let begin = self.leaf.map_or(at, |(_, begin)| begin);
            self.leave(boundaries::content_end(self.raw, begin, found.start));
            while self.open.len() > found.level + 1 {
                self.close(found.start, true);
            }
            at = found.next;
            if found.closing {
                self.close(found.start, false);
            } else if self.nodes.len() + 1 >= limits::PARTS {
                self.rest(at);
                return;
            } else {
                at = self.part(at);
            }
        }
        self.leave(self.raw.len());
        while !self.open.is_empty() {
            self.close(self.raw.len(), true);
        }
    }

    /// Reads the header of the part that begins at `start`, and returns where its body begins.
    fn part(&mut self, start: usize) -> usize {
        let header = header::split(self.raw, start, |line| boundaries::which(line, &self.open).is_some());
        let id = self.next_id();
        if header.stray.is_some() {
            let detail = if header.fields.is_empty() {
                "the part has no header; all of it was taken as its content"
            } else {
                "a line of the part's header is no field; left out"
            };
            self.defects.note_in(&id, Code::BadHeader, detail);
        }
        if header.too_many {
            self.defects.note_in(&id, Code::TooManyHeaders, "further fields of the part were not read");
        }
        let is_digest = self.open.last().is_some_and(|open| open.is_digest);
        let default = if is_digest { "message/rfc822" } else { "text/plain" };
        let described = part::describe(&header, default, &id, self.defects);
        self.enter(described, header.body);
        header.body
    }

    /// Adds a node whose body begins at `body`: a multipart is opened, a leaf is read from there.
    fn enter(&mut self, mut described: Described, body: usize) {
        let id = self.next_id();
        let mut is_multipart = described.is_multipart();
        if is_multipart && self.open.len() + 2 > limits::DEPTH {
            let detail = format!("deeper than {} levels; kept as one part, not looked into", limits::DEPTH);
            self.defects.note_in(&id, Code::DepthLimit, detail);
            described.part.media_type = "application/octet-stream".to_owned();
            is_multipart = false;
        }
        let node = self.add(described.part, id, is_multipart, described.encoding);
        if !is_multipart {
            self.leaf = Some((node, body));
            return;
        }
        let is_digest = self.nodes.get(node).is_some_and(|node| node.part.media_type == "multipart/digest");
        let nameless = described.boundary.is_empty();
        self.open.push(Open { node, boundary: described.boundary, is_digest, children: 0, body });
        if nameless {
            // Its lines cannot be told apart: all of it is one text.
            self.note(
                node,
                Code::NoBoundary,
                "the multipart names no boundary; its content was taken as text",
            );
            self.open.pop();
            self.text_in(node, body);
        }
    }

    fn add(&mut self, part: Part, id: String, is_multipart: bool, encoding: Encoding) -> usize {
        let parent = self.open.last().map(|open| open.node);
        if let Some(open) = self.open.last_mut() {
            open.children += 1;
        }
        let (id, part_id) = if is_multipart { (id, None) } else { (leaf_id(id.clone()), Some(leaf_id(id))) };
        let part = Part { part_id, ..part };
        self.nodes.push(Node { part, id, parent, is_multipart, encoding, content: b"" });
        self.nodes.len() - 1
    }

    /// A text that nobody declared, in place of the parts of `parent`; its content begins at `body`.
    fn text_in(&mut self, parent: usize, body: usize) {
        let id = match self.nodes.get(parent) {
            Some(node) if !node.id.is_empty() => format!("{}.1", node.id),
            _ => "1".to_owned(),
        };
        let part = Part {
            part_id: Some(id.clone()),
            media_type: "text/plain".to_owned(),
            charset: Some("us-ascii".to_owned()),
            ..Part::default()
        };
        let encoding = Encoding::Identity;
        self.nodes.push(Node { part, id, parent: Some(parent), is_multipart: false, encoding, content: b"" });
        self.leaf = Some((self.nodes.len() - 1, body));
    }

    /// The leaf that is being read ends at `end`.
    fn leave(&mut self, end: usize) {
        if let Some((node, begin)) = self.leaf.take()
            && let Some(node) = self.nodes.get_mut(node)
        {
            node.content = self.raw.get(begin..end.max(begin)).unwrap_or_default();
        }
    }

    /// The innermost multipart ends at `end`.
    fn close(&mut self, end: usize, unclosed: bool) {
        let Some(open) = self.open.pop() else { return };
        if open.children == 0 && unclosed {
            self.note(
                open.node,
                Code::NoBoundary,
                "the boundary never appears; the content was taken as text",
            );
            self.text_in(open.node, open.body);
            let at_end = end == self.raw.len();
            self.leave(if at_end { end } else { boundaries::content_end(self.raw, open.body, end) });
        } else if unclosed {
            self.note(open.node, Code::UnclosedMultipart, "the closing boundary is missing");
        }
    }

    /// Everything from `start` on is one opaque part: there are too many.
    fn rest(&mut self, start: usize) {
        let id = self.next_id();
        let detail = format!("more than {} parts; the rest is one part, not looked into", limits::PARTS);
        self.defects.note_in(&id, Code::TooManyParts, detail);
        let part = Part { media_type: "application/octet-stream".to_owned(), ..Part::default() };
        let node = self.add(part, id, false, Encoding::Identity);
        self.leaf = Some((node, start));
        self.leave(self.raw.len());
    }

    fn next_id(&self) -> String {
        let Some(open) = self.open.last() else { return String::new() };
        let number = open.children + 1;
        match self.nodes.get(open.node) {
            Some(node) if !node.id.is_empty() => format!("{}.{number}", node.id),
            _ => number.to_string(),
        }
    }

    fn note(&mut self, node: usize, code: Code, detail: &str) {
        let id = self.nodes.get(node).map_or("", |node| &node.id);
        self.defects.note_in(id, code, detail);
    }
}

/// A message of one part calls it `1`.
fn leaf_id(id: String) -> String {
    if id.is_empty() { "1".to_owned() } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section numbers, types and contents of the leaves, and the codes of the defects.
    #[track_caller]
    fn walks(message: &str, leaves: &[(&str, &str, &str)], codes: &[Code]) {
        let mut defects = Defects::default();
        let walked = walk(message.as_bytes(), 0, &mut defects);
        let have: Vec<_> = walked
            .nodes
            .iter()
            .filter(|node| !node.is_multipart)
            .map(|node| (&*node.id, &*node.part.media_type, std::str::from_utf8(node.content).unwrap()))
            .collect();
        assert_eq!(have, leaves, "{message}");
        assert_eq!(defects.into_vec().into_iter().map(|defect| defect.code).collect::<Vec<_>>(), codes);
    }

    const HEAD: &str = "Content-Type: multipart/mixed; boundary=b\n\n";
    const INNER: &str = "--b\nContent-Type: multipart/digest; boundary=c\n\n";

    #[test]
    fn parts_and_what_stands_around_them() {
        walks("\nbody\n", &[("1", "text/plain", "body\n")], &[]);
        let message =
            format!("{HEAD}before\n--b\n\none\n--b\nContent-Type: a/b\n\ntwo\n\n--b--\nafter\n--b\n\nx");
        walks(&message, &[("1", "text/plain", "one"), ("2", "a/b", "two\n")], &[]);
        let nested = format!("{HEAD}{INNER}--c\n\none\n--c--\n--b\n\ntwo\n--b--\n");
        walks(&nested, &[("1.1", "message/rfc822", "one"), ("2", "text/plain", "two")], &[]);
    }

    #[test]
    fn what_is_never_closed() {
        let leaves = &[("1.1", "message/rfc822", "one"), ("2", "text/plain", "two")];
        let inner = format!("{HEAD}{INNER}--c\n\none\n--b\n\ntwo\n--b--\n");
        walks(&inner, leaves, &[Code::UnclosedMultipart]);
        let both = format!("{HEAD}{INNER}--c\n\none");
        walks(&both, &leaves[..1], &[Code::UnclosedMultipart; 2]);
        let header = format!("{HEAD}--b\nContent-Type: a/b\n--b--\n");
        walks(&header, &[("1", "a/b", "")], &[]);
    }

    #[test]
    fn multiparts_without_parts() {
        walks(&format!("{HEAD}text\n"), &[("1", "text/plain", "text\n")], &[Code::NoBoundary]);
        walks(&format!("{HEAD}--b--\n"), &[], &[]);
        let nameless = format!("{HEAD}--b\nContent-Type: multipart/mixed\n\ntext\n--b--\n");
        walks(&nameless, &[("1.1", "text/plain", "text")], &[Code::NoBoundary]);
        let unseen = format!("{HEAD}{INNER}text\n--b--\n");
        walks(&unseen, &[("1.1", "text/plain", "text")], &[Code::NoBoundary]);
    }
}
