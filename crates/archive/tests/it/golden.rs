//! Frozen formats: the catalog's schema, a segment's bytes, where things lie.
//!
//! `UPDATE_GOLDEN=1` writes the files; a change of them is a change of a contract.

use std::path::{Path, PathBuf};
use std::process::Command;

use vigie_archive::segment::{Ending, Scan};
use vigie_archive::{Frame, Header, Round, layout};
use vigie_common::id::BlobId;

use crate::fixture::{Mail, at, folder, mail, now, open};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[track_caller]
fn check(name: &str, written: &[u8]) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden(name), written).unwrap();
    }
    let frozen = std::fs::read(golden(name)).unwrap();
    assert!(frozen == written, "{name} is not what it was");
}

fn store(root: &Path, mails: &[Mail]) {
    let messages = mails.iter().map(Mail::build).collect();
    open(root).commit(&Round { messages, ..Round::default() }, now()).unwrap();
}

#[test]
fn the_schema() {
    let folder = folder();
    store(folder.path(), &[]);
    let db = rusqlite::Connection::open(folder.path().join("catalog.db")).unwrap();
    let mut query = db.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
    let tables: Vec<String> =
        query.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    check("catalog-2.sql", (tables.join(";\n\n") + ";\n").as_bytes());
}

/// Tables, columns, types and keys, whatever the words that made them.
fn shape(db: &rusqlite::Connection) -> Vec<(String, String, String, bool, bool)> {
    let sql = "SELECT t.name, c.name, c.type, c.\"notnull\", c.pk > 0 FROM sqlite_schema t, pragma_table_info(t.name) c
        WHERE t.type = 'table' ORDER BY 1, 2";
    let mut query = db.prepare(sql).unwrap();
    let rows = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// A catalog of the first format is brought up to date where it lies, and a reader waits for that.
#[test]
fn a_catalog_of_format_1_is_upgraded() {
    let (old, new) = (folder(), folder());
    store(new.path(), &[]);
    let path = old.path().join("catalog.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        &std::fs::read_to_string(golden("catalog-1.sql"))
            .unwrap()
            .replace("CREATE TABLE sqlite_sequence(name,seq);", ""),
    )
    .unwrap();
    db.execute_batch("INSERT INTO meta VALUES ('format', 1), ('epoch', 7), ('version', '0.1.0')").unwrap();
    drop(db);
    let read = vigie_archive::Reader::open(old.path());
    assert!(matches!(read, Err(vigie_archive::Error::Older { found: 1, known: 2, .. })), "{read:?}");
    store(old.path(), &[mail(1)]);
    let reader = vigie_archive::Reader::open(old.path()).unwrap();
    assert_eq!((reader.epoch().unwrap(), reader.totals().unwrap().messages), (7, 1));
    let open = |root: &Path| rusqlite::Connection::open(root.join("catalog.db")).unwrap();
    assert_eq!(shape(&open(old.path())), shape(&open(new.path())));
}

/// The golden segment is read for ever. What is written today has the same headers to the byte; how well the
/// bytes are compressed is zstd's affair.
#[test]
fn a_segment() {
    let folder = folder();
    let same = "Subject: same\r\n\r\nagain\r\n";
    store(folder.path(), &[mail(1).bytes(same), mail(2).bytes(same), mail(3).not_kept()]);
    let written = std::fs::read(folder.path().join(layout::segment("one", "2026-03", 1))).unwrap();
    let golden_segment = golden("segment-1.mail.zst");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden_segment, &written).unwrap();
    }
    let frozen = std::fs::read(&golden_segment).unwrap();
    let frame = frozen.windows(4).position(|magic| magic == [0x28, 0xb5, 0x2f, 0xfd]).unwrap();
    assert_eq!(&written[..4], [0x50, 0x2a, 0x4d, 0x18]);
    assert!(written[..frame] == frozen[..frame], "a header is not written as it was");

    let mut scan = Scan::new(frozen.as_slice(), 0);
    let mut headers = Vec::new();
    let ending = loop {
        match scan.pair().unwrap() {
            Ok(pair) => headers.push(pair.header),
            Err(ending) => break ending,
        }
    };
    assert_eq!(ending, Ending::Whole);
    let flags: Vec<_> = headers.iter().map(|h| (h.id.clone(), h.same, h.kept, h.erased)).collect();
    assert_eq!(
        flags,
        [
            (mail(1).id(), false, true, false),
            (mail(2).id(), true, true, false),
            (mail(3).id(), false, false, false)
        ]
    );
    assert!(
        headers.iter().all(|header| header.source.as_ref().is_some_and(|s| s.host == "imap.example.org"))
    );
    let json = serde_json::to_string_pretty(&headers).unwrap() + "\n";
    check("segment-1.headers.json", json.as_bytes());
}

#[test]
fn zstd_reads_a_segment() {
    let folder = folder();
    let mails: Vec<Mail> = (1..40).map(mail).collect();
    store(folder.path(), &mails);
    let path = folder.path().join(layout::segment("one", "2026-03", 1));
    let run = match Command::new("zstd").arg("-dc").arg(&path).output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => panic!("install zstd to run the tests"),
        run => run.unwrap(),
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let all: Vec<u8> = mails.into_iter().flat_map(|mail| mail.body).collect();
    assert_eq!(run.stdout, all);
}

#[test]
fn an_empty_message_is_a_message() {
    let folder = folder();
    store(folder.path(), &[mail(1).bytes("")]);
    let reader = vigie_archive::Reader::open(folder.path()).unwrap();
    assert_eq!(reader.raw("one", &BlobId::of(b"")).unwrap(), Some(Vec::new()));
    let header = Header::new(mail(1).id(), BlobId::of(b""), 0, None);
    assert!(Frame::encode(header, b"").unwrap().compressed() > 0);
}

#[test]
fn places() {
    let id = mail(1).id();
    let path = |at| layout::document("one", at, &id);
    assert_eq!(path(None), format!("messages/one/undated/{id}.json"));
    assert_eq!(
        path(Some(at("2026-03-04T05:06:07.9+02:00"))),
        format!("messages/one/2026/03/04/030607-{id}.json")
    );
    assert_eq!(path(Some(at("0031-01-01T00:00:00Z"))), format!("messages/one/0031/01/01/000000-{id}.json"));
    let blob = BlobId::of(b"");
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(layout::attachment(&blob), format!("attachments/e3/{hex}"));
    assert_eq!(layout::segment("one", &layout::month(now()), 12), "raw/one/2026-03/0012.mail.zst");
    assert_eq!(layout::segment("one", "2026-03", 12345), "raw/one/2026-03/12345.mail.zst");
}
