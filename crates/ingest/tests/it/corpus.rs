//! Messages with one oddity each, and the documents that they must give: `corpus/<oddity>.eml` and `.json`.
//!
//! `UPDATE_GOLDEN=1` writes the documents anew; what changed is then for a person to judge.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vigie_common::document::Document;
use vigie_ingest::parse;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "eml")).collect();
    cases.sort();
    assert!(!cases.is_empty(), "no messages in {}", folder.display());
    cases
}

#[test]
fn every_oddity_gives_its_document() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let parsed = parse::parse(&fs::read(&case).unwrap());
        let have = serde_json::to_value(&parsed.document).unwrap();
        let golden = case.with_extension("json");
        if update {
            fs::write(&golden, serde_json::to_string_pretty(&have).unwrap() + "\n").unwrap();
        }
        let text = fs::read_to_string(&golden).unwrap_or_else(|e| panic!("{}: {e}", golden.display()));
        let want: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), parsed.document, "{}", case.display());
        if want != have {
            wrong.push(format!("{}: the document is now {have:#}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
