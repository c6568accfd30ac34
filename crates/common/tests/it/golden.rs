//! Golden files: what was once written must be read for ever, and is written the same today.
//!
//! `UPDATE_GOLDEN=1` writes the files; a change of them is a change of a contract.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use vigie_common::document::{self, Document};
use vigie_common::record::{self, Record};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn check(file: &Path, written: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, written).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    assert!(expected == written, "{} differs from what is written today:\n{written}", file.display());
}

/// Reads every golden file that begins with `prefix`, and writes it back the same.
fn read_back<T: Serialize + DeserializeOwned>(prefix: &str) {
    let mut seen = 0;
    for file in std::fs::read_dir(folder("tests/golden")).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with(prefix) {
            let text = std::fs::read_to_string(&path).unwrap();
            let value: T = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert_eq!(serde_json::to_string_pretty(&value).unwrap() + "\n", text, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 0, "no golden file {prefix}*");
}

#[test]
fn documents_read_back() {
    read_back::<Document>("document-");
}

#[test]
fn records_read_back() {
    read_back::<Record>("record-");
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    let pretty = |schema| serde_json::to_string_pretty(&schema).unwrap() + "\n";
    check(&folder("../../docs/schema/vigie.message-1.json"), &pretty(document::schema()));
    check(&folder("../../docs/schema/vigie.record-1.json"), &pretty(record::schema()));
}

/// A reader of `/1` meets documents of a later Vigie: new fields are no reason to refuse one.
#[test]
fn a_document_with_unknown_fields_is_read() {
    let text = std::fs::read_to_string(folder("tests/golden/document-full.json")).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let known: Document = serde_json::from_value(value.clone()).unwrap();
    value.as_object_mut().unwrap().insert("later".into(), 1.into());
    value["vigie"].as_object_mut().unwrap().insert("facts".into(), serde_json::json!({}));
    assert_eq!(serde_json::from_value::<Document>(value).unwrap(), known);
}
