//! What holds for every file.

use super::Violation;

/// Kinds of files that people write; others (messages, golden files) are as they have to be.
const WRITTEN: [&str; 10] =
    [".rs", ".toml", ".md", ".yml", ".yaml", ".sh", ".html", ".css", ".ts", ".svelte"];

/// Directories that only a build makes.
const BUILT: [&str; 3] = ["target", "node_modules", "dist"];

/// Where only one machine has something. In pieces, so that this file may name them.
const MACHINE: [&str; 3] = [concat!("/", "home/"), concat!("/", "work/"), concat!("/", "root/")];

/// A path that should not be in the repository.
pub(super) fn path(file: &str) -> Option<Violation> {
    let part = file.split('/').find(|part| BUILT.contains(part))?;
    Some(Violation::new(file, 1, format!("`{part}` is made by a build: remove it from git and ignore it")))
}

/// Lines that should be written otherwise.
pub(super) fn lines(file: &str, text: &str) -> Vec<Violation> {
    if !WRITTEN.iter().any(|kind| file.ends_with(kind)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.ends_with([' ', '\t']) {
            found.push(Violation::new(file, number, "white space at the end of the line: remove it"));
        }
        if let Some(path) = MACHINE.iter().find(|path| begins_with(line, path)) {
            let advice = format!("`{path}...` is a place on one machine: name it relative to the repository");
            found.push(Violation::new(file, number, advice));
        }
    }
    found
}

/// Whether an absolute path that begins so stands in the line: not as a piece of another path.
fn begins_with(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric() && !"./_-*}>~".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(text: &str) -> Vec<(usize, bool)> {
        let found = lines("docs/a.md", text);
        found.into_iter().map(|v| (v.line, v.advice.starts_with("white space"))).collect()
    }

    #[test]
    fn trailing_white_space() {
        assert_eq!(advice("a\nb \n\nc\t\n"), [(2, true), (4, true)]);
        assert!(lines("corpus/a.eml", "Subject: a \n").is_empty());
    }

    #[test]
    fn places_on_one_machine() {
        assert_eq!(
            advice(&format!("see `{}me/x`\nand {}y\n", MACHINE[0], MACHINE[1])),
            [(1, false), (2, false)]
        );
        assert!(advice(&format!("https://example.org{}me and a{}b\n", MACHINE[0], MACHINE[1])).is_empty());
    }

    #[test]
    fn what_a_build_makes() {
        assert!(path("crates/metrics/ui/dist/a.js").is_some());
        assert!(path("crates/ingest/src/target.rs").is_none());
    }
}
