//! `run`: arrivals, the end, and one instance at a time.

use std::time::Duration;

use vigie_archive::Reader;
use vigie_common::document::Mode;

use crate::messages::{server, small};
use crate::place::{Place, Running};

#[tokio::test(flavor = "multi_thread")]
async fn arrivals_are_stored_and_sigterm_ends_it() {
    let (server, inbox, _) = server(40).await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    let mut follow = Running::start(place.command(&["follow"]), true);
    server.service().wait_for_command("IDLE", 1).await;
    for n in 0..5 {
        inbox.append(small(100 + n));
        follow.wait_for("\"mode\":\"live\"");
    }
    run.wait_for("exists=45");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    place.assert_whole(45);
    let mailboxes = Reader::open(&place.archive()).unwrap().mailboxes().unwrap();
    let on_server: Vec<_> = mailboxes.iter().map(|m| m.selected.and_then(|s| s.exists)).collect();
    assert_eq!(on_server, [Some(45)], "what arrived counts on the server, too");
    assert_eq!(place.entries().iter().filter(|e| e.mode == Mode::Live).count(), 5);
    let status = String::from_utf8(place.run(&["status"]).stdout).unwrap();
    assert!(status.contains("not running") && status.contains("INBOX"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_back_when_the_server_does() {
    let (server, inbox, _) = server(10).await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    let mut follow = Running::start(place.command(&["follow"]), true);
    server.service().wait_for_command("IDLE", 1).await;
    server.disconnect_all();
    run.wait_for("trying again later");
    inbox.append(small(100));
    server.service().wait_for_command("IDLE", 2).await;
    follow.wait_for("\"seq\":11");
    run.signal("INT");
    assert_eq!(run.end(), Some(0));
    place.assert_whole(11);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_mailboxes_without_idle_are_all_fetched_and_told() {
    let (server, _, account) = server(5).await;
    server.service().forgo("IDLE");
    for name in ["Archive/2025", "Archive/2026", "Entw&APw-rfe", "Sent"] {
        account.mailbox(name).append(small(9));
    }
    let place = Place::plain(server.port(), "mailboxes = [\"*\"]");
    let run = Running::start(place.command(&["run"]), false);
    let mut follow = Running::start(place.command(&["follow"]), true);
    follow.wait_for("\"seq\":9");
    assert_eq!(server.service().connections(), 3, "no more than three connections an account");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    place.assert_whole(9);
    let status = String::from_utf8(place.run(&["status"]).stdout).unwrap();
    assert!(status.contains("Entwürfe") && status.contains("Archive/2025"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_its_lifeline() {
    let (server, _, _) = server(1).await;
    let place = Place::plain(server.port(), "");
    let mut command = place.command(&["run"]);
    command.env("VIGIE_LIFELINE", "1");
    let mut run = Running::start(command, false);
    server.service().wait_for_command("IDLE", 1).await;
    drop(run.stdin.take());
    run.wait_for("lifeline ended");
    assert_eq!(run.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_on_one_archive_ends_with_75_and_names_the_first() {
    let (server, _, _) = server(1).await;
    let place = Place::plain(server.port(), "");
    let run = Running::start(place.command(&["run"]), false);
    server.service().wait_for_command("IDLE", 1).await;
    let second = place.run(&["sync"]);
    assert_eq!(second.status.code(), Some(75));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(&format!("process {}", run.child.id())), "{said}");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_its_starter_that_it_is_ready() {
    let (server, _, _) = server(1).await;
    let place = Place::plain(server.port(), "");
    let socket = std::os::unix::net::UnixDatagram::bind(place.path("notify.sock")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut command = place.command(&["run"]);
    command.env("NOTIFY_SOCKET", place.path("notify.sock"));
    let run = Running::start(command, false);
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"READY=1"), "{}", String::from_utf8_lossy(&buffer[..length]));
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}
