//! File names that are safe on any system, made from what a sender wrote.

/// Longest name in bytes.
const LONGEST: usize = 200;
/// Longest extension in bytes, its dot counted.
const LONGEST_EXTENSION: usize = 20;

/// Names that Windows gives to devices, whatever their extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Makes a safe file name: one path component, nothing hidden, nothing that changes how the rest is shown.
pub(crate) fn safe(name: &str) -> String {
    // Of a path only its last component is a name.
    let last = name.rsplit(['/', '\\']).find(|component| !component.trim().is_empty()).unwrap_or_default();
    let clean: String = last
        .chars()
        .take(LONGEST * 4)
        .filter(|c| !is_invisible(*c))
        .map(|c| if r#"<>:"|?*"#.contains(c) || c.is_whitespace() && c != ' ' { '_' } else { c })
        .collect();
    let clean = clean.trim_matches([' ', '.', '-', '~']).trim();
    if clean.is_empty() {
        return "unnamed".to_owned();
    }
    let (stem, extension) = match clean.rfind('.').and_then(|dot| clean.split_at_checked(dot)) {
        Some((stem, extension)) if extension.len() <= LONGEST_EXTENSION && !stem.is_empty() => {
            (stem, extension)
        }
        _ => (clean, ""),
    };
    let stem = super::limits::cut(stem, LONGEST - extension.len() - 1).trim_end_matches([' ', '.']);
    let mark = if is_device(clean) { "_" } else { "" };
    format!("{mark}{stem}{extension}")
}

fn is_device(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = first.strip_prefix("com").or_else(|| first.strip_prefix("lpt"));
    DEVICES.contains(&&*first)
        || numbered.is_some_and(|number| {
            let mut digits = number.chars();
            matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
        })
}

/// Controls, marks of direction and joiners, separators of lines, private and unassigned ones that hide.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        for (name, expected) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            (r"C:\dir\file.txt", "file.txt"),
            (".bashrc", "bashrc"),
            ("-rf", "rf"),
            ("..", "unnamed"),
            ("", "unnamed"),
            ("a/", "a"),
            ("con.txt", "_con.txt"),
            ("COM1", "_COM1"),
            ("common.txt", "common.txt"),
            ("exe\u{202e}fdp.scr", "exefdp.scr"),
            ("a\r\nb\0c", "abc"),
            ("what?.txt", "what_.txt"),
            ("grün.txt ", "grün.txt"),
        ] {
            assert_eq!(safe(name), expected, "{name:?}");
        }
        let long = safe(&format!("{}.pdf", "ü".repeat(300)));
        assert!(long.len() <= LONGEST && long.ends_with("ü.pdf"), "{long}");
    }

    proptest! {
        #[test]
        fn any_name_is_one_component(name in any::<String>()) {
            let safe = safe(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= LONGEST);
            prop_assert!(!safe.contains(['/', '\\', '\0', '\n']) && !safe.starts_with(['.', '-']));
            prop_assert!(!safe.ends_with(['.', ' ']));
            prop_assert_eq!(super::safe(&safe), safe);
        }
    }
}
