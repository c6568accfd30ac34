//! `kill -9` in the middle of a backfill, again and again: complete in the end, nothing twice.

use std::collections::BTreeSet;

use crate::messages::server;
use crate::place::{Place, Running};

/// Deterministic, and spread over the whole backfill.
const KILLS: u64 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_many_moments_it_is_complete_in_the_end() {
    const MESSAGES: u64 = 3_000;
    let (server, _, _) = server(MESSAGES).await;
    let place = Place::plain(server.port(), "");
    let mut seen = BTreeSet::new();
    for n in 1..=KILLS {
        let fetched = server.service().commands("UID FETCH");
        let mut sync = Running::start(place.command(&["sync"]), false);
        // Killed after so many commands of this run, so that each run gets a little further.
        server.service().wait_for_command("UID FETCH", fetched + 1 + usize::try_from(n % 7).unwrap()).await;
        sync.child.kill().unwrap();
        sync.child.wait().unwrap();
        if place.archive().join("catalog.db").exists() {
            let ids: BTreeSet<_> = place.entries().iter().map(|e| e.id.clone()).collect();
            assert!(seen.is_subset(&ids), "what was recorded stays recorded");
            seen = ids;
        }
    }
    place.sync().assert_clean();
    place.assert_whole(MESSAGES);
    assert_eq!(place.entries().len() as u64, MESSAGES);
    assert_eq!(place.sync().stored(), 0);
}
