//! The visible text of HTML: tags, styles, scripts and comments dropped, entities decoded. One pass.

use memchr::{memchr, memmem};

/// Elements whose content nobody sees.
const HIDDEN: [&str; 4] = ["style", "script", "title", "template"];

/// Elements within a line of text.
const INLINE: [&str; 20] = [
    "a", "abbr", "b", "big", "code", "del", "em", "font", "i", "ins", "mark", "q", "s", "small", "span",
    "strong", "sub", "sup", "tt", "u",
];

/// The named entities that stand in mail.
const ENTITIES: [(&str, char); 30] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
    ("egrave", 'è'),
    ("agrave", 'à'),
    ("ccedil", 'ç'),
    ("ntilde", 'ñ'),
    ("euro", '€'),
    ("pound", '£'),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("hellip", '…'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
];

/// Longest entity that is looked at.
const LONGEST_ENTITY: usize = 12;

/// Passes the visible text of `html` to `take`, a character at a time, until it says that it has enough.
pub(crate) fn visible(html: &str, mut take: impl FnMut(char) -> bool) {
    let mut rest = html;
    while let Some(first) = rest.chars().next() {
        let (c, following) = match first {
            '<' => match tag(rest) {
                Some((c, following)) => (c, following),
                None => (Some('<'), after(rest, 1)),
            },
            '&' => {
                let (c, length) = entity(rest).unwrap_or(('&', 1));
                (Some(c), after(rest, length))
            }
            c => (Some(c), after(rest, c.len_utf8())),
        };
        rest = following;
        if c.is_some_and(|c| !take(c)) {
            return;
        }
    }
}

fn after(text: &str, length: usize) -> &str {
    text.get(length..).unwrap_or_default()
}

/// The tag at the beginning: what it stands for, and what follows. None where it is no tag.
fn tag(text: &str) -> Option<(Option<char>, &str)> {
    if text.starts_with("<!--") {
        // A comment without end hides everything.
        let end = memmem::find(text.as_bytes(), b"-->").map_or(text.len(), |end| end + 3);
        return Some((None, after(text, end)));
    }
    let inside = after(text, 1);
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!' || c == '?') {
        return None;
    }
    // A tag without end hides everything: there is no second search.
    let end = memchr(b'>', inside.as_bytes()).unwrap_or(inside.len());
    let following = after(inside, end + 1);
    let name: String = inside
        .trim_start_matches('/')
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .take(16)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if HIDDEN.contains(&&*name) && !inside.starts_with('/') {
        return Some((Some(' '), after_element(following, &name)));
    }
    Some(((!INLINE.contains(&&*name)).then_some(' '), following))
}

/// What follows the end tag of a hidden element; where it is missing, nothing does.
fn after_element<'a>(text: &'a str, name: &str) -> &'a str {
    let mut at = 0;
    while let Some(found) = memmem::find(after(text, at).as_bytes(), b"</") {
        at += found + 2;
        let candidate = after(text, at);
        if candidate.get(..name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name)) {
            let end = memchr(b'>', candidate.as_bytes()).unwrap_or(candidate.len());
            return after(candidate, end + 1);
        }
    }
    ""
}

/// The character of the entity at the beginning, and the entity's length.
fn entity(text: &str) -> Option<(char, usize)> {
    let near = super::limits::cut(text, LONGEST_ENTITY);
    let (name, _) = near.strip_prefix('&')?.split_once(';')?;
    let length = name.len() + 2;
    let Some(number) = name.strip_prefix('#') else {
        return ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, c)| (*c, length));
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    Some((char::from_u32(code).unwrap_or('\u{fffd}'), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shows(html: &str, expected: &str) {
        let mut text = String::new();
        visible(html, |c| {
            text.push(c);
            true
        });
        assert_eq!(text, expected, "{html}");
    }

    #[test]
    fn text_only() {
        shows("a<b>b</b>c<br/>d<P class=x>e", "abc d e");
        shows("<style>p > a {}</STYLE>x<script>1 </a> 2</script>y", " x y");
        shows("<head><title>t</title></head>x", "   x");
        shows("a<!-- <b> -->b<!DOCTYPE x>c", "ab c");
        shows("&lt;b&gt; &#228;&#xE4;&euro; &unknown; & &#x110000;", "<b> ää€ &unknown; & \u{fffd}");
        shows("1 < 2 <3", "1 < 2 <3");
    }

    #[test]
    fn what_is_never_ended_hides_the_rest() {
        shows("a<b", "a");
        shows("a<!-- b", "a");
        shows("a<style> b", "a ");
    }
}
