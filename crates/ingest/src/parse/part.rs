//! What the header of a part says about it: media type, names, encoding.

use vigie_common::document::{Code, Part};

use super::defects::{Defects, quote};
use super::header::Block;
use super::limits;
use super::parameters::{self, Structured};
use super::transfer::Encoding;
use super::words::Flaws;

/// A part as its header describes it.
#[derive(Debug)]
pub(crate) struct Described {
    /// Everything that needs no content.
    pub(crate) part: Part,
    /// How its content is encoded.
    pub(crate) encoding: Encoding,
    /// The boundary of a multipart; empty where it names none.
    pub(crate) boundary: Vec<u8>,
}

impl Described {
    /// Whether it is of a type that has parts.
    pub(crate) fn is_multipart(&self) -> bool {
        self.part.media_type.starts_with("multipart/")
    }
}

/// Reads the header of the part `id`, which is of type `default` unless it says otherwise.
pub(crate) fn describe(header: &Block<'_>, default: &str, id: &str, defects: &mut Defects) -> Described {
    let mut flaws = Flaws::default();
    let value = |name: &str| header.first(name).map(|field| field.value());
    let content_type = value("content-type").map(|value| Structured::read(&value));
    let disposition = value("content-disposition").map(|value| Structured::read(&value));
    let encoding = value("content-transfer-encoding").map(|value| parameters::without_comments(&value));
    let encoding = Encoding::of(&String::from_utf8_lossy(&encoding.unwrap_or_default()));

    let media_type = match &content_type {
        None => default.to_owned(),
        Some(read) => media_type(&read.value).unwrap_or_else(|| {
            defects.note_in(
                id,
                Code::BadMediaType,
                format!("{} was taken as text/plain", quote(&read.value)),
            );
            "text/plain".to_owned()
        }),
    };
    let mut parameter = |from: &Option<Structured>, name: &str| {
        from.as_ref().and_then(|from| from.get(name, &mut flaws)).map(label).filter(|text| !text.is_empty())
    };
    let name = parameter(&disposition, "filename").or_else(|| parameter(&content_type, "name"));
    let declared = parameter(&content_type, "charset").map(|charset| charset.trim().to_owned());
    let boundary = parameter(&content_type, "boundary").unwrap_or_default();
    let is_text = media_type.starts_with("text/");
    let text = |name: &str| {
        let text = header.first(name)?.text().0;
        Some(label(text.trim().to_owned())).filter(|text| !text.is_empty())
    };
    let part = Part {
        name,
        charset: is_text.then(|| declared.unwrap_or_else(|| "us-ascii".to_owned())),
        disposition: disposition.map(|read| label(read.value)).filter(|value| !value.is_empty()),
        cid: text("content-id").map(|id| id.trim_matches(['<', '>']).to_owned()).filter(|id| !id.is_empty()),
        language: text("content-language").map(|list| {
            list.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
        }),
        location: text("content-location"),
        media_type,
        ..Part::default()
    };
    if flaws.word {
        defects.note_in(id, Code::BadEncodedWord, "an encoded word in a parameter was kept as written");
    }
    if flaws.charset {
        defects.note_in(
            id,
            Code::BadCharset,
            "the charset of a parameter is unknown or not what its bytes are",
        );
    }
    Described { part, encoding, boundary: boundary.trim_end().as_bytes().to_vec() }
}

/// `type/subtype` at the beginning of the value, if it is one.
fn media_type(value: &str) -> Option<String> {
    let word = value.split([' ', '\t', ',']).next()?;
    let (main, sub) = word.split_once('/')?;
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b))
    };
    (is_token(main) && is_token(sub) && word.len() < 256).then(|| word.to_owned())
}

/// Cuts a text that describes a part to its cap.
fn label(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(limits::LABEL));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::header;

    fn described(header: &str) -> (Described, Vec<Code>) {
        let mut defects = Defects::default();
        let block = header::split(header.as_bytes(), 0, |_| false);
        let described = describe(&block, "text/plain", "1", &mut defects);
        (described, defects.into_vec().into_iter().map(|defect| defect.code).collect())
    }

    #[test]
    fn what_is_not_said_is_plain_text() {
        let (read, defects) = described("Subject: x\n\n");
        assert_eq!((&*read.part.media_type, read.part.charset.as_deref()), ("text/plain", Some("us-ascii")));
        assert_eq!(defects, []);
    }

    #[test]
    fn everything_said() {
        let (read, defects) = described(
            "Content-Type: IMAGE/png (x); name=a.png\nContent-Disposition: Inline; filename*=utf-8''%C3%BC.png\n\
             Content-ID: <id@x>\nContent-Language: de, en\nContent-Location: here\nContent-Transfer-Encoding: base64 (y)\n\n",
        );
        let part = read.part;
        assert_eq!((&*part.media_type, part.name.as_deref()), ("image/png", Some("ü.png")));
        assert_eq!((part.charset, part.disposition.as_deref()), (None, Some("inline")));
        assert_eq!((part.cid.as_deref(), part.location.as_deref()), (Some("id@x"), Some("here")));
        assert_eq!(part.language.unwrap(), ["de", "en"]);
        assert_eq!((read.encoding, defects), (Encoding::Base64, vec![]));
    }

    #[test]
    fn bad_types_are_text() {
        for bad in ["text", "", "a/b/c", "/", "text/ plain", "näh/x"] {
            let (read, defects) = described(&format!("Content-Type: {bad}\n\n"));
            assert_eq!((&*read.part.media_type, defects), ("text/plain", vec![Code::BadMediaType]), "{bad}");
        }
        assert_eq!(described("Content-Type: text/html charset=utf-8\n\n").0.part.media_type, "text/html");
    }
}
