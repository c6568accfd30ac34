//! Which parts are shown as text, which as HTML, and which are attachments: RFC 8621 section 4.1.4.

use super::walk::Node;

/// Numbers of nodes, each list in the order of the message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bodies {
    /// To show as text.
    pub(crate) text: Vec<usize>,
    /// To show as HTML.
    pub(crate) html: Vec<usize>,
    /// All others.
    pub(crate) attachments: Vec<usize>,
}

/// How far a multipart was read. A list that a branch of an alternative has no use for is closed to it.
struct Frame<'a> {
    children: std::slice::Iter<'a, usize>,
    kind: &'a str,
    in_alternative: bool,
    is_first: bool,
    text: bool,
    html: bool,
    text_length: usize,
    html_length: usize,
}

/// Sorts the leaves of a message.
pub(crate) fn sort(nodes: &[Node<'_>]) -> Bodies {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (number, node) in nodes.iter().enumerate() {
        if let Some(siblings) = node.parent.and_then(|parent| children.get_mut(parent)) {
            siblings.push(number);
        }
    }
    let mut bodies = Bodies::default();
    let root = [0];
    let mut frames = vec![Frame {
        children: root.iter(),
        kind: "mixed",
        in_alternative: false,
        is_first: true,
        text: true,
        html: true,
        text_length: 0,
        html_length: 0,
    }];
    while let Some(frame) = frames.last_mut() {
        let Some(&number) = frame.children.next() else {
            bodies.complete(frame);
            frames.pop();
            continue;
        };
        let is_first = std::mem::take(&mut frame.is_first);
        let Some(node) = nodes.get(number) else { continue };
        if !node.is_multipart {
            bodies.leaf(number, node, is_first, frame);
            continue;
        }
        let kind = node.part.media_type.strip_prefix("multipart/").unwrap_or_default();
        let inner = Frame {
            children: children.get(number).map(|list| list.iter()).unwrap_or_default(),
            kind,
            in_alternative: frame.in_alternative || kind == "alternative",
            is_first: true,
            text: frame.text,
            html: frame.html,
            text_length: bodies.text.len(),
            html_length: bodies.html.len(),
        };
        frames.push(inner);
    }
    bodies
}

impl Bodies {
    fn leaf(&mut self, number: usize, node: &Node<'_>, is_first: bool, frame: &mut Frame<'_>) {
        let part = &node.part;
        let media_type = part.media_type.as_str();
        let is_media = ["image/", "audio/", "video/"].iter().any(|kind| media_type.starts_with(kind));
        let is_shown = part.disposition.as_deref() != Some("attachment")
            && (media_type == "text/plain" || media_type == "text/html" || is_media)
            && (is_first || frame.kind != "related" && (is_media || part.name.is_none()));
        if !is_shown {
            self.attachments.push(number);
        } else if frame.kind == "alternative" {
            match media_type {
                "text/plain" if frame.text => self.text.push(number),
                "text/html" if frame.html => self.html.push(number),
                _ => self.attachments.push(number),
            }
        } else {
            if frame.in_alternative {
                frame.html &= media_type != "text/plain";
                frame.text &= media_type != "text/html";
            }
            if frame.text {
                self.text.push(number);
            }
            if frame.html {
                self.html.push(number);
            }
            if is_media && !(frame.text && frame.html) || !(frame.text || frame.html) {
                self.attachments.push(number);
            }
        }
    }

    /// An alternative of one kind only stands for both.
    fn complete(&mut self, frame: &Frame<'_>) {
        if frame.kind != "alternative" || !frame.text || !frame.html {
            return;
        }
        let only_html = self.text.len() == frame.text_length && self.html.len() != frame.html_length;
        let only_text = self.html.len() == frame.html_length && self.text.len() != frame.text_length;
        if only_html {
            self.text.extend(self.html.get(frame.html_length..).unwrap_or_default());
        } else if only_text {
            self.html.extend(self.text.get(frame.text_length..).unwrap_or_default());
        }
    }
}
