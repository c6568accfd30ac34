//! The archive's folder is taken away while ingest runs, and put back.

use std::fs;

use tokio::time::Instant;
use vigie_testkit::generate::{self, Profile};

use crate::health::{alarm, readyz, start};
use crate::messages::server;
use crate::place::{DEADLINE, Place};

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_was_moved_is_an_alarm_until_it_is_back() {
    let (server, inbox, _) = server(3).await;
    let place = Place::plain(server.port(), "");
    let (run, address) = start(&place, &[]).await;
    server.service().wait_for_command("IDLE", 1).await;
    let away = place.path("away");
    fs::rename(place.archive(), &away).unwrap();
    inbox.append(generate::message(7, 99, Profile::Small));
    let told = alarm(address, "archive-failed").await;
    assert!(told["text"].as_str().unwrap().contains("moved or unmounted"), "{told:#}");
    assert!(!place.archive().exists(), "nothing is made in its place");
    fs::rename(&away, place.archive()).unwrap();
    let until = Instant::now() + DEADLINE;
    while readyz(address).await["alarms"] != serde_json::Value::Array(vec![]) {
        assert!(Instant::now() < until, "the alarm stays");
    }
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    assert_eq!(place.sync().stored(), 0);
    place.assert_whole(4);
}
