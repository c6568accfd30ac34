//! SIGHUP: the configuration is read again, and whoever is not concerned stays connected.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use vigie_archive::{MailboxState, Reader};
use vigie_testkit::mailbox_server::{Account, MailboxServer, Security, Service};

use crate::messages::{server, small};
use crate::place::{Place, Running};

/// State of an account's mailboxes in the catalog.
fn states(place: &Place, account: &str) -> Vec<MailboxState> {
    let mailboxes = Reader::open(&place.archive()).unwrap().mailboxes().unwrap().into_iter();
    mailboxes.filter(|m| m.account == account).filter_map(|m| m.standing.map(|s| s.state)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_accounts_stay_connected_and_others_follow() {
    let (same, inbox, _) = server(3).await;
    let (changes, _, account) = server(2).await;
    let (goes, _, _) = server(1).await;
    let (comes, _, _) = server(4).await;
    account.mailbox("Archive").append(small(77));
    let mut place = Place::plain(same.port(), "");
    for (id, server) in [("changes", &changes), ("goes", &goes)] {
        place.account(id, server.port(), "tls = \"none\"\n");
    }
    let socket = UnixDatagram::bind(place.path("notify.sock")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut command = place.command(&["run"]);
    command.env("NOTIFY_SOCKET", place.path("notify.sock"));
    let mut run = Running::start(command, false);
    let mut follow = Running::start(place.command(&["follow"]), true);
    for server in [&same, &changes, &goes] {
        server.service().wait_for_command("IDLE", 1).await;
    }

    // Half of a file that somebody is just writing.
    let file = place.path("vigie.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n[[account]]\nid = \"half\"\nhost = \"127.0.")).unwrap();
    run.signal("HUP");
    let line = run.wait_for("refused as a whole");
    assert!(line.contains("vigie.toml:"), "it says where: {line}");
    inbox.append(small(50));
    follow.wait_for("\"seq\":7");

    let port = |server: &MailboxServer| format!("port = {}\n", server.port());
    let text = text
        .replace(&port(&changes), &format!("{}mailboxes = [\"*\"]\n", port(&changes)))
        .replace("id = \"goes\"", "id = \"comes\"")
        .replace(&port(&goes), &port(&comes))
        .replace("min_free = \"1MiB\"", "min_free = \"2MiB\"");
    std::fs::write(&file, text).unwrap();
    run.signal("HUP");
    assert!(run.wait_for("cannot change while ingest runs").contains("[archive]"));
    let line = run.wait_for("the configuration was read again");
    assert!(line.contains("unchanged=1 restarted=1 begun=1 ended=1"), "{line}");
    comes.service().wait_for_command("IDLE", 1).await;
    changes.service().wait_for_command("IDLE", 3).await;
    inbox.append(small(51));
    follow.wait_for("\"seq\":13");
    assert_eq!(same.service().connections(), 1, "the same connection as before");
    assert_eq!((goes.service().connections(), goes.service().commands("LOGOUT")), (1, 1));
    assert_eq!(states(&place, "goes"), [MailboxState::Stopped]);
    assert_eq!(states(&place, "changes").len(), 2);

    let mut buffer = [0; 512];
    let mut told = Vec::new();
    while told.iter().filter(|word| *word == "READY=1").count() < 3 {
        let length = socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        told.extend(text.lines().filter(|l| l.ends_with("=1")).map(str::to_owned));
    }
    assert_eq!(told, ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1"]);
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    place.assert_whole(13);
}

/// Who waits for hours because of a wrong password need not be restarted when it is right.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_account_tries_at_once() {
    let account = Account::new("me", "another");
    let server = MailboxServer::start(&Service::new([account.clone()]), Security::None).await.unwrap();
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("stands still");
    account.set_password("secret");
    run.signal("HUP");
    assert!(run.wait_for("read again").contains("restarted=1"));
    server.service().wait_for_command("IDLE", 1).await;
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}

/// An account that was taken out while nobody ran, after a life that could not say good-bye.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_nobody_watches_is_told_to_be_stopped() {
    let (server, _, _) = server(1).await;
    let place = Place::plain(server.port(), "");
    let run = Running::start(place.command(&["run"]), false);
    server.service().wait_for_command("IDLE", 1).await;
    run.signal("KILL");
    drop(run);
    assert_eq!(states(&place, "a"), [MailboxState::Idle]);
    let mut command = place.command(&["run"]);
    let text = std::fs::read_to_string(place.path("vigie.toml")).unwrap();
    std::fs::write(place.path("vigie.toml"), text.split("[[account]]").next().unwrap()).unwrap();
    command.arg("--log-level=debug");
    let mut run = Running::start(command, false);
    run.wait_for("there is nothing to watch");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    assert_eq!(states(&place, "a"), [MailboxState::Stopped]);
    place.assert_whole(1);
}
