//! What is kept of a login: over rotation, crashes, several processes, a full disk; and when it ends.

use vigie_testkit::server::{send, stall};

use super::authority::Authority;
use super::{kept, log_in, mailbox, open, place, shown, xoauth2};
use crate::health::{alarm, get, start};
use crate::place::{Place, Running};

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_rotation_and_use_it_goes_on_with_the_new_token() {
    let (server, authority) = (
        open().script([stall()]).script([send("* OK ready\r\n"), mailbox().until("LOGOUT")]).start().await,
        Authority::start().await,
    );
    let place = place(server.port(), &authority, "refresh_token");
    log_in(&place, &authority);
    let mut run = Running::start(place.command(&["run"]), false);
    authority.wait_for("refresh_token", 2).await;
    // Asked before the mail server is: so now it is durable.
    server.wait_for_connections(2).await;
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    assert_eq!(kept(&place)["refreshToken"], "canary-refresh-token-0002");
    place.sync().assert_clean();
    assert_eq!(shown(&server, 3, 1).await, xoauth2(3));
}

/// The one case that cannot be helped: the provider has put another one in place, and its answer never came.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_answer_came_it_says_what_to_do() {
    let (server, authority) = (open().start().await, Authority::start().await);
    let place = place(server.port(), &authority, "refresh_token");
    log_in(&place, &authority);
    authority.known().mute = true;
    let mut run = Running::start(place.command(&["run"]), false);
    authority.wait_for("refresh_token", 2).await;
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    authority.known().mute = false;
    let summary = place.sync();
    assert_eq!(summary.code, Some(77));
    assert!(summary.errors().concat().contains("run `vigie-ingest login a`"), "{summary:?}");
}

/// A refresh token is good once: whoever comes second has to see what the first was given.
#[tokio::test(flavor = "multi_thread")]
async fn processes_at_the_same_time_take_turns_with_the_token() {
    let (server, authority) = (open().start().await, Authority::start().await);
    let place = place(server.port(), &authority, "refresh_token");
    log_in(&place, &authority);
    let (_run, _) = start(&place, &[]).await;
    // The configuration is written with each command: all of them before the first one reads it.
    let commands: Vec<_> = (0..4).map(|_| place.command(&["check"])).collect();
    let checks: Vec<_> = commands.into_iter().map(|command| Running::start(command, true)).collect();
    for mut check in checks {
        check.wait_for("account a: good");
        assert_eq!(check.end(), Some(0));
    }
    authority.wait_for("refresh_token", 6).await;
    assert_eq!(kept(&place)["refreshToken"], "canary-refresh-token-0006");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_ends_soon_is_an_alarm() {
    let (server, authority) = (open().start().await, Authority::start().await);
    authority.known().refresh_lifetime = Some(2 * 24 * 3600);
    let place = place(server.port(), &authority, "refresh_token");
    log_in(&place, &authority);
    let (_run, address) = start(&place, &[]).await;
    let told = alarm(address, "token-expiring").await;
    assert!(told["text"].as_str().unwrap().contains("run `vigie-ingest login a`"), "{told}");
    let (_, metrics) = get(address, "/metrics", "").await;
    assert!(
        metrics.contains("vigie_ingest_login_timestamp_seconds{account=\"a\",event=\"ends\"} "),
        "{metrics}"
    );
    let token = place.run(&["token", "a", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&token.stdout).unwrap();
    assert!(told["expiresAt"].is_string() && told["flow"] == "refresh_token", "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_and_another_application_are_told() {
    let (server, authority) = (open().start().await, Authority::start().await);
    let here = place(server.port(), &authority, "refresh_token");
    log_in(&here, &authority);
    let other = authority.table("refresh_token").replace("client_id = \"vigie\"", "client_id = \"other\"");
    let other = Place::plain(server.port(), &other);
    std::fs::create_dir(other.path("tokens")).unwrap();
    std::fs::copy(here.path("tokens/a.json"), other.path("tokens/a.json")).unwrap();
    let error = other.sync().errors().concat();
    assert!(error.contains("made with another client_id"), "{error}");
    std::fs::write(here.path("tokens/a.json"), "{\"refreshToken\": \"canary-refresh").unwrap();
    let error = here.sync().errors().concat();
    assert!(
        error.contains("it is damaged; run `vigie-ingest login a`") && !error.contains("canary"),
        "{error}"
    );
    assert_eq!(here.run(&["token", "a"]).status.code(), Some(77));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_no_token_that_was_put_in_place() {
    let (server, authority) = (open().start().await, Authority::start().await);
    let place = place(server.port(), &authority, "refresh_token");
    log_in(&place, &authority);
    // A folder where the new file has to be: nothing can be written, for root either.
    let way = place.path("tokens/.a.json.new");
    std::fs::create_dir(&way).unwrap();
    let (mut run, _address) = start(&place, &[]).await;
    let line = run.wait_for("cannot keep the login of me");
    assert!(!line.contains("canary"), "{line}");
    assert_eq!(kept(&place)["refreshToken"], "canary-refresh-token-0001");
    assert_eq!(server.connections(), 1, "no token is used before what follows it is safe");
    std::fs::remove_dir(&way).unwrap();
    server.wait_for(2, "IDLE").await;
    assert_eq!(kept(&place)["refreshToken"], "canary-refresh-token-0003");
}
