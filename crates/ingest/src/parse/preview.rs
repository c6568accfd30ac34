//! The beginning of a message as one line of text.

use super::limits;
use super::markup;

/// Most bytes of a text that are looked at.
const LOOKED_AT: usize = 64 * 1024;

/// The beginning of `text`, white space run together.
pub(crate) fn of_text(text: &str) -> String {
    let mut out = Line::default();
    for c in limits::cut(text, LOOKED_AT).chars() {
        if !out.push(c) {
            break;
        }
    }
    out.finish()
}

/// The beginning of what a reader of `html` would see.
pub(crate) fn of_html(html: &str) -> String {
    let mut out = Line::default();
    markup::visible(limits::cut(html, LOOKED_AT), |c| out.push(c));
    out.finish()
}

/// Text of at most [`limits::PREVIEW`] characters in one line.
#[derive(Default)]
struct Line {
    text: String,
    length: usize,
    blank: bool,
}

impl Line {
    /// Adds a character and says whether there is room for more.
    fn push(&mut self, c: char) -> bool {
        // Mails pad their previews with characters that nobody sees.
        if matches!(c, '\u{34f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}') {
            return true;
        }
        if c.is_whitespace() || c.is_control() {
            self.blank = self.length > 0;
            return true;
        }
        if self.blank {
            self.blank = false;
            if self.length + 1 >= limits::PREVIEW {
                return false;
            }
            self.text.push(' ');
            self.length += 1;
        }
        self.text.push(c);
        self.length += 1;
        self.length < limits::PREVIEW
    }

    fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_short_line() {
        assert_eq!(of_text("  Hello\r\n\r\n  there \u{200c}\u{200c} you "), "Hello there you");
        assert_eq!(of_text(&"ü ".repeat(300)).chars().count(), limits::PREVIEW - 1);
        assert_eq!(of_text(&"ü".repeat(300)).chars().count(), limits::PREVIEW);
        assert_eq!(of_html("<p>Hello<br>there</p>"), "Hello there");
    }
}
