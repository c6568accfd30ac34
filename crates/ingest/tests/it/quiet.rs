//! Many mailboxes in which nothing happens: few connections, few commands, few octets.

use std::collections::BTreeSet;

use tokio::time::{Instant, sleep_until};
use vigie_archive::{MailboxState, Reader};
use vigie_testkit::mailbox_server::{Account, Draft, MailboxServer, Security, Service};
use vigie_testkit::server::{Server, serve, serve_cut};

use crate::messages::{server, small};
use crate::place::{DEADLINE, Place, Running};

const ACCOUNTS: u32 = 40;
const OTHERS: [&str; 4] = ["Archive", "Lists", "Orders", "Sent"];

fn user(number: u32) -> String {
    format!("user{number}")
}

/// Waits until so many mailboxes are in one of these states.
async fn wait_for_states(place: &Place, wanted: &[MailboxState], count: usize) {
    let until = Instant::now() + DEADLINE;
    loop {
        let mailboxes =
            Reader::open(&place.archive()).and_then(|reader| reader.mailboxes()).unwrap_or_default();
        let standing = mailboxes.iter().filter_map(|m| m.standing.as_ref());
        let found = standing.filter(|s| wanted.contains(&s.state)).count();
        if found >= count {
            return;
        }
        assert!(Instant::now() < until, "{found} of {count}");
        // The catalog tells nobody that it changed.
        sleep_until(Instant::now() + std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_mailboxes_of_forty_accounts_share_few_connections() {
    let accounts: Vec<Account> = (0..ACCOUNTS).map(|n| Account::new(user(n), "secret")).collect();
    for account in &accounts {
        account.mailbox("INBOX").append_all((0..5).map(|n| Draft::new(small(n))));
        for name in OTHERS {
            account.mailbox(name).append_all((0..5).map(|n| Draft::new(small(n))));
        }
    }
    let server = MailboxServer::start(&Service::new(accounts.clone()), Security::None).await.unwrap();
    let mut place = Place::new();
    for number in 0..ACCOUNTS {
        let more = format!("tls = \"none\"\nuser = \"{}\"\nmailboxes = [\"*\"]\n", user(number));
        place.account(&format!("a{number}"), server.port(), &more);
    }
    let run = Running::start(place.command(&["run"]), false);
    wait_for_states(&place, &[MailboxState::Idle, MailboxState::Polling], 200).await;
    let service = server.service();
    service.wait_for_command("IDLE", 40).await;
    assert!(service.connections() <= 60, "{}", service.connections());
    let idle = Reader::open(&place.archive()).unwrap().mailboxes().unwrap();
    let idle: BTreeSet<_> = idle
        .iter()
        .filter(|m| m.standing.as_ref().is_some_and(|s| s.state == MailboxState::Idle))
        .map(|m| m.mailbox.raw_name.as_str())
        .collect();
    assert_eq!(idle, BTreeSet::from(["INBOX"]), "the server tells of each account's INBOX");
    // One connection serves five mailboxes, and an arrival is still told at once.
    let mut follow = Running::start(place.command(&["follow"]), true);
    accounts[17].mailbox("INBOX").append(small(1000));
    follow.wait_for("\"mode\":\"live\"");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    place.assert_whole(1001);
}

/// However many messages there are, a pass over a mailbox in which nothing happened takes few octets: the server says no
/// more than this.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_over_a_quiet_mailbox_takes_few_octets() {
    let account = Account::new("me", "secret");
    account.mailbox("INBOX").append_all((0..6000).map(|n| Draft::new(small(n))));
    let service = Service::new([account]);
    let server =
        Server::plain().script([serve(&service)]).script([serve_cut(&service, 16_000)]).start().await;
    let place = Place::plain(server.port(), "");
    assert_eq!(place.sync().stored(), 6000);
    for _ in 0..3 {
        let before = (service.commands("UID FETCH"), server.connections());
        place.sync().assert_clean();
        assert_eq!(service.commands("UID FETCH") - before.0, 1);
        assert_eq!(server.connections() - before.1, 1, "it was not cut\n{}", server.transcript());
    }
}

/// One connection for three mailboxes: the server tells of the first, and is asked for the others. None is opened without
/// a reason, and the first is open again afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_without_a_connection_of_their_own_are_asked_for() {
    let (server, inbox, account) = server(3).await;
    let archive = account.mailbox("Archive");
    archive.append(small(10));
    account.mailbox("Sent").append(small(11));
    let place =
        Place::plain(server.port(), "mailboxes = [\"*\"]\nconnections = 1\npoll = \"10s\"\nidle = \"30s\"\n");
    let run = Running::start(place.command(&["run"]), false);
    let mut follow = Running::start(place.command(&["follow"]), true);
    follow.wait_for("\"seq\":5");
    let service = server.service();
    service.wait_for_command("IDLE", 1).await;
    let opened = service.commands("EXAMINE");
    service.wait_for_command("STATUS", 4).await;
    assert_eq!(service.commands("EXAMINE"), opened, "none is opened without a reason");
    archive.append(small(12));
    let idles = service.commands("IDLE");
    follow.wait_for("\"mailbox\":\"Archive\"");
    service.wait_for_command("IDLE", idles + 2).await;
    inbox.append(small(13));
    follow.wait_for("\"seq\":7");
    assert_eq!(service.connections(), 1);
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    place.assert_whole(7);
}
