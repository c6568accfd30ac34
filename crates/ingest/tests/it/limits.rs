//! What providers limit, and what we limit ourselves: throttling, refused credentials, the daily budget.

use serde_json::Value;
use tokio::time::Instant;
use vigie_common::document::Mode;
use vigie_testkit::mailbox_server::{Account, Draft, MailboxServer, Security, Service};
use vigie_testkit::server::{Server, reply, routine, send, serve};

use crate::messages::{server, small};
use crate::place::{DEADLINE, Place, Running};

/// How the mailboxes stand, by their name.
pub(crate) fn standing(place: &Place) -> Vec<(String, Value)> {
    let output = place.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let mailboxes = status["mailboxes"].as_array().cloned().unwrap_or_default();
    let named =
        |m: Value| (m["mailbox"]["name"].as_str().unwrap_or_default().to_owned(), m["standing"].clone());
    mailboxes.into_iter().map(named).collect()
}

/// Asks until all mailboxes of the catalog (one at least) stand so.
#[track_caller]
pub(crate) fn wait_for_state(place: &Place, state: &str) -> Vec<(String, Value)> {
    let until = Instant::now() + DEADLINE;
    loop {
        let now = standing(place);
        if !now.is_empty() && now.iter().all(|(_, standing)| standing["state"] == state) {
            return now;
        }
        assert!(Instant::now() < until, "not {state}: {now:#?}");
    }
}

/// One lane is told to wait: all of them do, and nobody knocks until then.
#[tokio::test(flavor = "multi_thread")]
async fn a_suggested_wait_is_the_whole_account_s() {
    let listed = "* LIST () \"/\" INBOX\r\n* LIST () \"/\" A\r\n* LIST () \"/\" B\r\n{tag} OK\r\n";
    let server = Server::plain()
        .script([
            send("* OK ready\r\n"),
            routine()
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
                .answer("LIST", listed)
                .answer(
                    "EXAMINE \"B\"",
                    "{tag} BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n",
                )
                .until("LOGOUT"),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "mailboxes = [\"*\"]");
    let mut run = Running::start(place.command(&["run"]), false);
    let said = run.wait_for("the account rests");
    assert!(said.contains("Backoff Time: 299961") && said.contains("goes on by itself at"), "{said}");
    let standing = wait_for_state(&place, "throttled");
    assert_eq!(standing.len(), 3);
    for (name, standing) in standing {
        let reason = standing["reason"].as_str().unwrap();
        assert!(reason.contains("asks for less") && reason.contains("299961"), "{name}: {reason}");
        assert!(standing["nextStep"].as_str().unwrap().contains("by itself at 20"), "{name}: {standing}");
    }
    for connection in 1..=server.connections() {
        server.wait_for_end(connection).await;
    }
    assert_eq!(server.connections(), 3, "{}", server.transcript());
    run.signal("TERM");
    run.wait_for("stopped");
    wait_for_state(&place, "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_account_goes_on_by_itself() {
    let account = Account::new("me", "secret");
    account.mailbox("INBOX").append(small(1));
    let service = Service::new([account]);
    let server = Server::plain()
        .script([
            send("* OK ready\r\n"),
            routine().until("LOGIN"),
            reply("{tag} NO [THROTTLED] Suggested Backoff Time: 1200 milliseconds\r\n"),
        ])
        .script([send("* BYE Suggested Backoff Time: 1100 milliseconds\r\n")])
        .script([serve(&service)])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("the account rests");
    run.wait_for("the account rests");
    run.wait_for("stored");
    assert_eq!(server.connections(), 3);
    wait_for_state(&place, "idle");
}

/// A server that takes fewer connections than we would like gets fewer.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_become_fewer() {
    let listed = "* LIST () \"/\" INBOX\r\n* LIST () \"/\" A\r\n* LIST () \"/\" B\r\n{tag} OK\r\n";
    let good = || {
        [
            send("* OK ready\r\n"),
            routine()
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
                .answer("LIST", listed)
                .until("LOGOUT"),
        ]
    };
    let full = || [send("* BYE [ALERT] Too many simultaneous connections. (Failure)\r\n")];
    // The third of three, the second of two, then one alone.
    let server = Server::plain()
        .script(good())
        .script(good())
        .script(full())
        .script(good())
        .script(full())
        .script(good())
        .start()
        .await;
    let place = Place::plain(server.port(), "mailboxes = [\"*\"]");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("connections=2");
    run.wait_for("connections=1");
    wait_for_state(&place, "polling");
    assert_eq!(server.connections(), 6, "{}", server.transcript());
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_wait_for_another_password() {
    let account = Account::new("me", "another");
    account.mailbox("INBOX").append(small(1));
    let service = Service::new([account]);
    let server = MailboxServer::start(&service, Security::None).await.unwrap();
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    let said = run.wait_for("credentials refused");
    assert!(said.contains("a changed file is tried at once"), "{said}");
    assert_eq!(service.connections(), 1);
    std::fs::write(place.path("password"), "another one\n").unwrap();
    run.wait_for("credentials refused");
    std::fs::write(place.path("password"), "another\n").unwrap();
    run.wait_for("stored");
    assert_eq!(service.connections(), 3);
}

/// "Not connected" and UNAVAILABLE are no refusal of the password.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_well_is_no_wrong_password() {
    let service = Service::new([{
        let account = Account::new("me", "secret");
        account.mailbox("INBOX").append(small(1));
        account
    }]);
    let no = |text: &str| {
        [send("* OK ready\r\n"), routine().until("LOGIN"), reply(format!("{{tag}} NO {text}\r\n"))]
    };
    let server = Server::plain()
        .script(no("[UNAVAILABLE] Temporary authentication failure."))
        .script(no("User is authenticated but not connected."))
        .script([serve(&service)])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("stored");
    assert!(!run.seen.iter().any(|line| line.contains("credentials refused")), "{:#?}", run.seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daily_budget_holds_backfill_and_not_new_mail() {
    const SIZE: usize = 300_000;
    let large = |n: usize| format!("Subject: {n}\r\n\r\n{}", "0123456789".repeat(SIZE / 10)).into_bytes();
    let (server, inbox, _) = server(0).await;
    inbox.append_all((0..60).map(|n| Draft::new(large(n))));
    let place = Place::plain(server.port(), "daily_bytes = \"10MiB\"");
    let first = place.sync();
    assert_eq!(first.code, Some(74), "{first:?}");
    let stored = first.stored();
    // Four fifths of it are for what was there before.
    let most = (8 << 20) / SIZE as u64;
    assert!(stored > most / 2 && stored <= most, "{stored} of at most {most}");
    let newest = place.entries().iter().map(|e| e.uid).min().unwrap();
    assert_eq!(u64::from(newest), 60 - stored + 1, "newest first");
    // Neither a second run nor a third resets it.
    assert_eq!(place.sync().stored(), 0);
    let mut run = Running::start(place.command(&["run"]), false);
    server.service().wait_for_command("IDLE", 1).await;
    let (_, standing) = wait_for_state(&place, "throttled").remove(0);
    assert!(standing["reason"].as_str().unwrap().contains("daily_bytes"), "{standing}");
    assert!(
        standing["nextStep"].as_str().unwrap().contains("older mail goes on by itself at 20"),
        "{standing}"
    );
    // New mail is fetched from the reserve, then waits as well.
    let uid = inbox.append(small(1));
    run.wait_for("stored");
    let arrived = place.entries().into_iter().find(|e| e.uid == uid).unwrap();
    assert_eq!(arrived.mode, Mode::Live);
    inbox.append_all((0..20).map(|n| Draft::new(large(100 + n))));
    run.wait_for("stored");
    server.service().wait_for_command("IDLE", 3).await;
    run.signal("TERM");
    run.wait_for("stopped");
    let all = place.entries().len() as u64;
    assert!(all > stored + 1 && all <= (10 << 20) / SIZE as u64 + 1, "{all}");
    place.assert_whole(all);
    // Without a budget all the rest comes, and nothing twice.
    let mut place = place;
    place.configure(|config| config.replace("daily_bytes = \"10MiB\"", ""));
    place.sync().assert_clean();
    place.assert_whole(81);
}
