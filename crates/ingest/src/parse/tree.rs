//! Puts the parts of a message together: the tree, the lists of bodies, texts, attachments, preview.

use std::collections::BTreeSet;

use vigie_common::document::{Document, Part};
use vigie_common::id::BlobId;

use super::content::{self, Content};
use super::defects::Defects;
use super::transfer::Encoding;
use super::walk::Node;
use super::{bodies, names, preview};

/// The content of an attachment.
pub(crate) struct Found<'a> {
    /// SHA-256 of it, decoded.
    pub(crate) blob_id: BlobId,
    pub(crate) bytes: Vec<u8>,
    /// Where it is too large to be there twice.
    pub(crate) later: Option<(Encoding, &'a [u8])>,
}

/// Fills in everything that the parts tell, and returns the content of the attachments.
pub(crate) fn fill<'a>(
    document: &mut Document,
    mut nodes: Vec<Node<'a>>,
    defects: &mut Defects,
) -> Vec<Found<'a>> {
    let mut contents: Vec<Option<Content<'a>>> =
        nodes.iter_mut().map(|node| (!node.is_multipart).then(|| content::decode(node, defects))).collect();
    let bodies = bodies::sort(&nodes);

    let parts = |list: &[usize]| -> Vec<Part> {
        list.iter().filter_map(|number| nodes.get(*number)).map(|node| node.part.clone()).collect()
    };
    document.text_body = parts(&bodies.text);
    document.html_body = parts(&bodies.html);
    document.attachments = parts(&bodies.attachments);
    document.has_attachment = document.attachments.iter().any(|part| !is_inline_picture(part));

    let text_of = |number: &usize| contents.get(*number)?.as_ref()?.text.as_ref();
    document.preview = bodies
        .text
        .iter()
        .filter_map(|number| {
            let text = text_of(number)?;
            let is_html = nodes.get(*number).is_some_and(|node| node.part.media_type == "text/html");
            Some(if is_html { preview::of_html(&text.value) } else { preview::of_text(&text.value) })
        })
        .find(|preview| !preview.is_empty())
        .unwrap_or_default();

    let mut attachments = Vec::new();
    let mut known = BTreeSet::new();
    for (part, number) in document.attachments.iter_mut().zip(&bodies.attachments) {
        let Some(content) = contents.get_mut(*number).and_then(Option::as_mut) else { continue };
        let Some(blob_id) = part.blob_id.clone() else { continue };
        part.sha256 = Some(blob_id.hex().to_owned());
        part.safe_name = part.name.as_deref().map(names::safe);
        part.decode_error = content.error.map(str::to_owned);
        if known.insert(blob_id.clone()) {
            attachments.push(Found {
                blob_id,
                bytes: std::mem::take(&mut content.bytes).into_owned(),
                later: content.later,
            });
        }
    }
    for (node, content) in nodes.iter().zip(&mut contents) {
        let text = content.as_mut().and_then(|content| content.text.take());
        if let (Some(id), Some(text)) = (&node.part.part_id, text) {
            document.body_values.insert(id.clone(), text);
        }
    }
    if let Some(root) = nest(nodes) {
        document.body_structure = root;
    }
    attachments
}

/// A picture that stands in the text.
fn is_inline_picture(part: &Part) -> bool {
    let disposition = part.disposition.as_deref();
    part.media_type.starts_with("image/")
        && (disposition == Some("inline") || disposition.is_none() && part.cid.is_some())
}

/// Moves each part into its parent, the last ones first, so that none is moved before its own are in it.
fn nest(mut nodes: Vec<Node<'_>>) -> Option<Part> {
    while let Some(node) = nodes.pop() {
        let mut part = node.part;
        if node.is_multipart {
            let mut parts = part.sub_parts.take().unwrap_or_default();
            parts.reverse();
            part.sub_parts = Some(parts);
        }
        let Some(parent) = node.parent else { return Some(part) };
        if let Some(parent) = nodes.get_mut(parent) {
            parent.part.sub_parts.get_or_insert_default().push(part);
        }
    }
    None
}
