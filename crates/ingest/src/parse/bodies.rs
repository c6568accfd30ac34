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

#[cfg(test)]
mod tests {
    use crate::parse::parse;

    fn multipart(kind: &str, boundary: &str, parts: &[&str]) -> String {
        let parts: String = parts.iter().map(|part| format!("--{boundary}\n{part}\n")).collect();
        format!("Content-Type: multipart/{kind}; boundary={boundary}\n\n{parts}--{boundary}--\n")
    }

    fn leaf(media_type: &str, disposition: &str) -> String {
        format!("Content-Type: {media_type}\nContent-Disposition: {disposition}\n\n{media_type}\n")
    }

    #[track_caller]
    fn sorts(message: &str, text: &[&str], html: &[&str], attachments: &[&str]) {
        let document = parse(message.as_bytes()).document;
        let ids = |list: &[vigie_common::document::Part]| -> Vec<String> {
            list.iter().map(|part| part.part_id.clone().unwrap()).collect()
        };
        assert_eq!(ids(&document.text_body), text);
        assert_eq!(ids(&document.html_body), html);
        assert_eq!(ids(&document.attachments), attachments);
    }

    /// The example of RFC 8621.
    #[test]
    fn the_example_of_the_standard() {
        let inline = leaf("text/plain", "inline");
        let plain = multipart("mixed", "d", &[&inline, &leaf("image/jpeg", "inline"), &inline]);
        let related = multipart("related", "e", &[&leaf("text/html", ""), &leaf("image/jpeg", "")]);
        let alternative = multipart("alternative", "c", &[&plain, &related]);
        let others =
            [leaf("image/jpeg", "attachment"), leaf("application/x-excel", ""), leaf("message/rfc822", "")];
        let inner = multipart("mixed", "b", &[&alternative, &others[0], &others[1], &others[2]]);
        sorts(
            &multipart("mixed", "a", &[&inline, &inner, &inline]),
            &["1", "2.1.1.1", "2.1.1.2", "2.1.1.3", "3"],
            &["1", "2.1.2.1", "3"],
            &["2.1.1.2", "2.1.2.2", "2.2", "2.3", "2.4"],
        );
    }

    #[test]
    fn an_alternative_of_one_kind_stands_for_both() {
        let (plain, html) = (leaf("text/plain", ""), leaf("text/html", ""));
        sorts(&multipart("alternative", "a", &[&html]), &["1"], &["1"], &[]);
        sorts(&multipart("alternative", "a", &[&plain]), &["1"], &["1"], &[]);
        sorts(&multipart("alternative", "a", &[&plain, &html]), &["1"], &["2"], &[]);
        let calendar = leaf("text/calendar", "");
        sorts(&multipart("alternative", "a", &[&plain, &html, &calendar]), &["1"], &["2"], &["3"]);
    }

    #[test]
    fn a_later_text_with_a_name_is_an_attachment() {
        let (plain, named) = (leaf("text/plain", ""), leaf("text/plain; name=log.txt", ""));
        sorts(&multipart("mixed", "a", &[&plain, &named]), &["1"], &["1"], &["2"]);
        sorts(&multipart("mixed", "a", &[&named, &plain]), &["1", "2"], &["1", "2"], &[]);
        sorts(&multipart("mixed", "a", &[&leaf("text/plain", "attachment")]), &[], &[], &["1"]);
    }

    #[test]
    fn no_part_is_in_no_list() {
        // Two texts in one branch of an alternative close both lists to a picture after them.
        let parts = [leaf("text/plain", ""), leaf("text/html", ""), leaf("text/plain", "")];
        let branch = multipart("mixed", "b", &[&parts[0], &parts[1], &parts[2]]);
        sorts(&multipart("alternative", "a", &[&branch]), &["1.1"], &["1.1"], &["1.2", "1.3"]);
    }
}
