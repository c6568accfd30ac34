//! The socket of a running ingest.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;

use crate::place::{Place, Running};

fn ask(place: &Place, line: &str) -> String {
    let mut stream = UnixStream::connect(place.path("ingest.sock")).unwrap();
    stream.write_all(line.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn a_running_ingest_takes_commands_of_its_user_alone() {
    let place = Place::new();
    // What a killed one left.
    drop(std::os::unix::net::UnixListener::bind(place.path("ingest.sock")).unwrap());
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("watching");
    let socket = std::fs::symlink_metadata(place.path("ingest.sock")).unwrap();
    assert!(socket.file_type().is_socket());
    let archive = place.archive();
    let verify = |archive: &str| {
        format!("{{\"archive\":\"{archive}\",\"request\":{{\"command\":\"verify-repair\",\"deep\":true}}}}\n")
    };
    let answer = ask(&place, &verify(archive.to_str().unwrap()));
    assert!(answer.contains("\"messages\":0"), "{answer}");
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let answer = ask(&place, &verify("/another"));
    assert!(answer.contains("failed") && answer.contains("/another"), "{answer}");
    let answer = ask(&place, "{\"archive\":\"/\",\"request\":{\"command\":\"dance\"}}\n");
    assert!(answer.contains("another version"), "{answer}");
    // One that never ends its line is not listened to without end.
    let mut endless = UnixStream::connect(place.path("ingest.sock")).unwrap();
    let mut answer = String::new();
    let _ = endless.write_all(&vec![b' '; 100 << 10]);
    let _ = endless.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.contains("failed"), "{answer}");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    assert!(!place.path("ingest.sock").exists());
}
