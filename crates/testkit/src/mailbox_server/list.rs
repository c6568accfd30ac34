//! LIST: names, levels, and the patterns that choose among them.

use std::collections::BTreeSet;

/// The delimiter between levels.
const DELIMITER: char = '/';

/// The answers to `LIST reference pattern`, one a line.
pub(super) fn list(names: &[String], reference: &str, pattern: &str) -> String {
    if pattern.is_empty() {
        return String::from("* LIST (\\Noselect) \"/\" \"\"\r\n");
    }
    let pattern = format!("{reference}{pattern}");
    let mut lines = String::new();
    for name in with_parents(names) {
        if !matches(&pattern, &name) {
            continue;
        }
        let below = format!("{name}{DELIMITER}");
        let children = names.iter().any(|other| other.starts_with(&below));
        let selectable = if names.contains(&name) { "" } else { "\\Noselect " };
        let children = if children { "\\HasChildren" } else { "\\HasNoChildren" };
        lines.push_str(&format!("* LIST ({selectable}{children}) \"{DELIMITER}\" {}\r\n", quoted(&name)));
    }
    lines
}

fn with_parents(names: &[String]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for name in names {
        all.insert(name.clone());
        let parents = name.match_indices(DELIMITER).filter_map(|(at, _)| name.get(..at));
        all.extend(parents.filter(|parent| !parent.is_empty()).map(ToOwned::to_owned));
    }
    all
}

/// A name as a quoted string, or as a literal where it cannot be one.
fn quoted(name: &str) -> String {
    if name.is_ascii() && !name.contains(['\r', '\n', '\0']) {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("{{{}}}\r\n{name}", name.len())
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let inbox = name == "INBOX" && pattern.eq_ignore_ascii_case(name);
    inbox || fits(pattern.as_bytes(), name.as_bytes())
}

fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), None | Some(_)) if fits(rest, name) => true,
        (Some((b'%', rest)), None | Some(_)) if fits(rest, name) => true,
        (Some((b'*', _)), Some((_, after))) => fits(pattern, after),
        (Some((b'%', _)), Some((byte, after))) => *byte != b'/' && fits(pattern, after),
        (Some((wanted, rest)), Some((byte, after))) => wanted == byte && fits(rest, after),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{list, matches};

    #[test]
    fn star_goes_deep_and_percent_one_level() {
        assert!(matches("*", "Reports/DMARC"));
        assert!(!matches("%", "Reports/DMARC"));
        assert!(matches("Reports/%", "Reports/DMARC"));
        assert!(matches("R*C", "Reports/DMARC"));
        assert!(matches("inbox", "INBOX"));
        assert!(!matches("orders", "Orders"));
    }

    #[test]
    fn a_parent_that_is_no_mailbox_is_listed_so() {
        let names = [String::from("INBOX"), String::from("Reports/DMARC")];
        let lines = list(&names, "", "%");
        assert_eq!(
            lines,
            "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n* LIST (\\Noselect \\HasChildren) \"/\" \"Reports\"\r\n"
        );
        assert_eq!(list(&names, "", ""), "* LIST (\\Noselect) \"/\" \"\"\r\n");
        assert_eq!(list(&[String::from("a\"b")], "", "*"), "* LIST (\\HasNoChildren) \"/\" \"a\\\"b\"\r\n");
    }
}
