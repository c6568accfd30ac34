//! `follow`: a reader that acts on mail misses nothing.

use std::io::Write;

use vigie_common::record::Record;

use crate::messages::{server, small};
use crate::place::{Place, Running};

fn record(line: &str) -> Record {
    serde_json::from_str(line).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cursor_file_moves_only_when_the_reader_has_finished() {
    let (server, inbox, _) = server(10).await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let file = place.path("cursor");
    let arguments = ["follow", "--cursor", file.to_str().unwrap()];

    let mut first = Running::start(place.command(&arguments), true);
    let lines: Vec<Record> = (1..=10).map(|n| record(&first.wait_for(&format!("\"seq\":{n}")))).collect();
    assert!(!file.exists(), "printed is not finished with");
    let mut stdin = first.stdin.take().unwrap();
    writeln!(stdin, "{}", lines[3].cursor).unwrap();
    // It ends when the reader does, after the last cursor was kept.
    drop(stdin);
    assert_eq!(first.end(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), lines[3].cursor.to_string());

    inbox.append(small(50));
    place.sync().assert_clean();
    let mut second = Running::start(place.command(&arguments), true);
    assert_eq!(record(&second.wait_for("seq")).seq, 5, "what was not finished with comes again");
    second.wait_for("\"seq\":11");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_catalog_means_from_the_start() {
    let (server, _, _) = server(3).await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let file = place.path("cursor");
    std::fs::write(&file, "0123456789abcdef:2:0123456789abcdef\n").unwrap();
    let mut follow = Running::start(place.command(&["follow", "--cursor", file.to_str().unwrap()]), true);
    assert_eq!(record(&follow.wait_for("seq")).seq, 1);

    std::fs::write(&file, "nonsense").unwrap();
    let output = place.run(&["follow", "--cursor", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a cursor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_begins_where_it_is_told_and_waits_for_an_archive() {
    let (server, _, _) = server(5).await;
    let place = Place::plain(server.port(), "");
    let mut early = Running::start(place.command(&["follow", "--from", "4"]), true);
    place.sync().assert_clean();
    assert_eq!(record(&early.wait_for("seq")).seq, 4);
    let none = Place::plain(server.port(), "").run(&["follow", "--once"]);
    assert_eq!(none.status.code(), Some(69));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_that_is_still_far_away_is_waited_for() {
    let (server, inbox, _) = server(300).await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let mut follow = Running::start(place.command(&["follow", "--from", "302"]), true);
    inbox.append_all((400..402).map(|n| vigie_testkit::mailbox_server::Draft::new(small(n))));
    place.sync().assert_clean();
    assert_eq!(record(&follow.wait_for("seq")).seq, 302);
}

#[tokio::test(flavor = "multi_thread")]
async fn once_with_a_cursor_ends_when_everything_is_finished_with() {
    let (server, _, _) = server(3).await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let file = place.path("cursor");
    let mut follow =
        Running::start(place.command(&["follow", "--once", "--cursor", file.to_str().unwrap()]), true);
    let last = record(&follow.wait_for("\"seq\":3")).cursor;
    writeln!(follow.stdin.as_mut().unwrap(), "{last}").unwrap();
    assert_eq!(follow.end(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), last.to_string());
}
