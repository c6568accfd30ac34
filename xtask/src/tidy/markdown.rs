//! Links of the documentation.

use super::Violation;

/// Links to files that are not there. `exists` takes a path relative to the root.
pub(super) fn links(file: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        for target in targets(line) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if resolve(file, path).is_none_or(|path| !exists(&path)) {
                found.push(Violation::new(
                    file,
                    number,
                    format!("the link to `{target}` leads nowhere: correct it"),
                ));
            }
        }
    }
    found
}

/// The targets of `[text](target)` in a line, outside of code.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    // Every second piece between backticks is code.
    let prose = line.split('`').step_by(2);
    prose.flat_map(|piece| piece.split("](").skip(1)).filter_map(|rest| {
        let target = rest.split(')').next()?;
        target.split_whitespace().next()
    })
}

/// A path as seen from `file`, relative to the root; nothing when it leads out of it.
fn resolve(file: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<usize> {
        let exists = |path: &str| ["docs/a.md", "README.md", ""].contains(&path);
        links("docs/b.md", text, exists).into_iter().map(|v| v.line).collect()
    }

    #[test]
    fn links_that_lead_somewhere() {
        assert!(broken("[a](a.md) [a](./a.md#part) [r](../README.md) [top](#top) [root](..)\n").is_empty());
        assert!(broken("[x](https://example.org/y) [m](mailto:a@example.org)\n").is_empty());
    }

    #[test]
    fn links_that_lead_nowhere() {
        assert_eq!(broken("[a](a.md)\n[c](c.md), [`code`](d.md#x)\n[out](../../README.md)\n"), [2, 2, 3]);
    }

    #[test]
    fn code_has_no_links() {
        assert_eq!(broken("`[c](c.md)`\n```\n[c](c.md)\n```\n[c](c.md)\n"), [5]);
    }
}
