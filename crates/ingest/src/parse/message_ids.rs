//! Lists of message ids: everything between angle brackets, or one bare word.

use super::{charsets, limits};

/// Reads an unfolded field; `None` where nothing in it looks like an id.
pub(crate) fn read(text: &[u8]) -> Option<Vec<String>> {
    let (text, _) = charsets::undeclared(text);
    let ids: Vec<String> = text
        .split('<')
        .skip(1)
        .filter_map(|piece| piece.split_once('>'))
        .map(|(id, _)| without_comments(id))
        .filter(|id| !id.is_empty())
        .take(limits::IDS)
        .collect();
    if !ids.is_empty() {
        return Some(ids);
    }
    let bare = text.trim().trim_matches(['<', '>']).trim();
    let is_word = !bare.is_empty() && !bare.contains(|c: char| c.is_whitespace() || c == '<' || c == '>');
    is_word.then(|| vec![bare.to_owned()])
}

/// Blanks and comments may stand in an obsolete id.
fn without_comments(id: &str) -> String {
    let mut depth = 0u32;
    let mut out = String::with_capacity(id.len());
    for c in id.chars() {
        depth += u32::from(c == '(');
        if depth == 0 && !c.is_whitespace() {
            out.push(c);
        }
        depth = depth.saturating_sub(u32::from(c == ')'));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let ids = |text: &str| read(text.as_bytes()).unwrap_or_default();
        assert_eq!(ids("<a@b>"), ["a@b"]);
        assert_eq!(ids("<a@b><c@d> (x) <e@ f (g).h>"), ["a@b", "c@d", "e@f.h"]);
        assert_eq!(ids("bare@word"), ["bare@word"]);
        assert_eq!(ids("<never@ended"), ["never@ended"]);
        for none in ["", "<>", "several words here", "<< >>"] {
            assert_eq!(read(none.as_bytes()), None, "{none}");
        }
    }
}
