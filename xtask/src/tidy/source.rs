//! What holds for Rust files.

use super::Violation;

const LONGEST: usize = 500;
const LONGEST_MAIN: usize = 60;

/// In pieces, so that this file may name them.
const ALLOW: [&str; 2] = [concat!("#[", "allow("), concat!("#![", "allow(")];
const SLEEP: [&str; 2] = [concat!("thread::", "sleep("), concat!("time::", "sleep(")];

pub(super) fn check(file: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut violate = |line, advice: String| found.push(Violation::new(file, line, advice));
    let lines = text.lines().count();

    if file.ends_with("/mod.rs") {
        violate(1, "`mod.rs` names nothing: call it after its directory, beside it".into());
    }
    let machine_made = file.starts_with("fuzz/") || file.contains("/generated/");
    if !machine_made && !text.starts_with("//!") {
        violate(1, "no module header: begin with `//!` and say what the file is for".into());
    }
    if lines > LONGEST && !machine_made {
        violate(
            LONGEST + 1,
            format!("{lines} lines, more than {LONGEST}: find the second idea and give it a file"),
        );
    }
    if file.ends_with("src/main.rs") && lines > LONGEST_MAIN {
        violate(
            LONGEST_MAIN + 1,
            format!("{lines} lines, more than {LONGEST_MAIN}: `main.rs` only starts what the library does"),
        );
    }
    let mut testing = file.contains("/tests/") || file.ends_with("/tests.rs");
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_start();
        testing |= line.starts_with("#[cfg(test)]");
        if ALLOW.iter().any(|allow| line.starts_with(allow)) {
            violate(
                number,
                "a waiver that outlives its cause: use `#[expect(lint, reason = \"...\")]`".into(),
            );
        }
        if testing && !line.starts_with("//") && SLEEP.iter().any(|sleep| line.contains(sleep)) {
            violate(
                number,
                "a test that sleeps is slow and fails at random: wait for the condition, with a deadline"
                    .into(),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &str, text: &str) -> Vec<usize> {
        check(file, text).into_iter().map(|v| v.line).collect()
    }

    #[test]
    fn a_tidy_file() {
        assert_eq!(check("crates/a/src/lib.rs", "//! What a is.\n\npub fn a() {}\n"), []);
    }

    #[test]
    fn the_header() {
        assert_eq!(lines("crates/a/src/lib.rs", "pub fn a() {}\n"), [1]);
        assert_eq!(lines("crates/a/src/lib.rs", ""), [1]);
        assert!(lines("fuzz/fuzz_targets/a.rs", "pub fn a() {}\n").is_empty());
    }

    #[test]
    fn length() {
        let text = |count: usize| "//!\n".repeat(count);
        assert!(lines("crates/a/src/a.rs", &text(500)).is_empty());
        assert_eq!(lines("crates/a/src/a.rs", &text(501)), [501]);
        assert_eq!(lines("crates/a/src/main.rs", &text(61)), [61]);
        assert!(lines("crates/a/tests/it/main.rs", &text(61)).is_empty());
    }

    #[test]
    fn module_files() {
        assert_eq!(lines("crates/a/src/b/mod.rs", "//! b.\n"), [1]);
    }

    #[test]
    fn waivers() {
        assert_eq!(lines("a.rs", &format!("//! a.\n{}dead_code)]\n    {}x)]", ALLOW[1], ALLOW[0])), [2, 3]);
    }

    #[test]
    fn sleep_in_tests() {
        let text = format!("//! a.\n{}1);\n#[cfg(test)]\nmod tests {{ tokio::{}1) }}\n", SLEEP[0], SLEEP[1]);
        assert_eq!(lines("crates/a/src/a.rs", &text), [4]);
        assert_eq!(lines("crates/a/tests/it/a.rs", &text), [2, 4]);
        assert_eq!(lines("crates/a/src/a/tests.rs", &text), [2, 4]);
    }
}
