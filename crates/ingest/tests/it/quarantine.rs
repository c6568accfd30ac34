//! Messages that cannot be taken: found among the others, tried three times, given up with all that is known of them.

use std::collections::BTreeSet;

use serde_json::Value;
use vigie_archive::Reader;
use vigie_common::record::EventKind;
use vigie_common::shutdown::Shutdown;
use vigie_ingest::control::serve::Control;

use crate::faulty::{Poison, Rig, world};

/// Every kind of poison, in a crowd and alone: the others are stored, this one is quarantined, and the work goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_message_is_quarantined_and_the_others_are_stored() {
    for (poison, reason) in [
        (Poison::Close, "the server closed the connection"),
        (Poison::Refuse("[SERVERBUG] Server error - Please try again later"), "Please try again later"),
        (Poison::Longer(9), "connection lost"),
        (Poison::Omit, "does not send it"),
        (Poison::RefuseListing, "refuses to list it"),
        (Poison::CloseListing, "when it is listed"),
    ] {
        for (uids, bad) in [(1..=40, 17), (1..=1, 1)] {
            // A server that dies of its only message shows none at all: there is nothing to be had from it.
            if uids == (1..=1) && matches!(poison, Poison::RefuseListing | Poison::CloseListing) {
                continue;
            }
            let rig = Rig::new(world(uids.clone())).await;
            rig.world().poison.insert(bad, poison.clone());
            let pass = rig.settled().await;
            assert_eq!((pass.open, pass.quarantined), (0, 1), "{poison:?}");
            rig.assert_at_rest();
            let stored: BTreeSet<u32> = rig.view().stored.iter().flatten().collect();
            assert_eq!(stored, uids.clone().filter(|uid| *uid != bad).collect(), "{poison:?}");
            let reader = Reader::open(&rig.root()).unwrap();
            let quarantined = reader.quarantined().unwrap();
            let note = reader.note(&quarantined[0]).unwrap();
            assert_eq!((note.uid, note.attempts), (bad, 3), "{poison:?}");
            assert!(note.reason.contains(reason), "{poison:?}: {}", note.reason);
            let event = rig.events().into_iter().find(|e| e.kind == EventKind::Quarantined).unwrap();
            assert_eq!((event.uid, event.id), (Some(bad), Some(note.id)));
            // Once quarantined it is not asked for any more, and the difference in EXISTS is explained.
            rig.world().log.clear();
            let pass = rig.once().await;
            assert_eq!((pass.stored, pass.quarantined), (0, 1), "{poison:?}");
            let asked = rig.world().log.join("\n");
            assert!(!asked.contains("BODY.PEEK[]"), "{poison:?}: {asked}");
            assert_eq!(rig.view().difference, None, "{poison:?}");
        }
    }
}

/// Few connections are lost on one message among many, and no other one of them is fetched more than twice.
#[tokio::test(flavor = "multi_thread")]
async fn the_one_message_is_found_quickly() {
    let rig = Rig::new(world(1..=300)).await;
    rig.world().poison.insert(123, Poison::Close);
    let mut life = rig.live().await;
    let mut lost = 0;
    while rig.pass(&mut life).await.is_err() {
        lost += 1;
    }
    assert!(lost <= 4, "{lost}");
    assert_eq!(rig.view_of(&life).await.stored.len(), 299);
    let most = rig.world().sent.values().copied().max();
    assert!(most <= Some(2), "{most:?}");
}

/// What came of it before the connection was lost is kept, and `show` and `retry` are for people.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_message_is_kept_until_it_is_had() {
    let rig = Rig::new(world(1..=9)).await;
    let long = format!("Subject: long\r\n\r\n{}", "0123456789".repeat(300_000));
    rig.world().add(10, &long);
    rig.world().poison.insert(10, Poison::CloseAt(2_500_000));
    let pass = rig.settled().await;
    assert_eq!((pass.open, pass.quarantined), (0, 1));
    let reader = Reader::open(&rig.root()).unwrap();
    let row = reader.quarantined().unwrap().remove(0);
    let part = std::fs::read(rig.root().join(format!("quarantine/a/{}.eml", row.id))).unwrap();
    assert!(!part.is_empty() && long.as_bytes().starts_with(&part), "{}", part.len());
    let note = reader.note(&row).unwrap();
    assert_eq!((note.size, note.bytes), (Some(long.len() as u64), part.len() as u64));
    assert!(note.internal_date.is_some() && !note.transcript.is_empty());
    let told = serde_json::to_string(&note).unwrap();
    assert!(!told.contains("0123456789"), "no content: {told}");

    let run = |arguments: &[&str]| {
        let mut all = vec!["quarantine"];
        all.extend(arguments);
        rig.run(&all)
    };
    let (listed, code) = run(&["list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (listed[0]["uid"].as_u64(), listed[0]["retrying"].as_bool(), code),
        (Some(10), Some(false), 0)
    );
    let (table, _) = run(&["list"]);
    assert!(table.contains(row.id.as_str()) && table.contains("waits for you"), "{table}");
    let (shown, _) = run(&["show", row.id.as_str()]);
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["id"], row.id.as_str());
    assert_eq!(run(&["show", "aaaaaaaaaaaaaaaaaaaaaaaaaa"]).1, 64);
    let status: Value = serde_json::from_str(&rig.run(&["status", "--json"]).0).unwrap();
    assert_eq!(status["mailboxes"][0]["quarantined"], 1);

    // The server is well again, and a person says so.
    rig.world().poison.clear();
    let (said, code) = run(&["retry", row.id.as_str()]);
    assert_eq!(code, 0, "{said}");
    assert!(run(&["list"]).0.contains("is tried again"));
    let pass = rig.once().await;
    assert_eq!((pass.stored, pass.open, pass.quarantined), (1, 0, 0));
    rig.assert_at_rest();
    assert!(!rig.root().join(format!("quarantine/a/{}.eml", row.id)).exists());
    assert_eq!(run(&["list"]).0.trim(), "nothing is in quarantine");
    assert_eq!(run(&["retry"]).1, 0);
}

/// While another process holds the archive, `retry` says so and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn retry_waits_for_the_lock() {
    let rig = Rig::new(world(1..=3)).await;
    rig.world().poison.insert(2, Poison::Omit);
    rig.settled().await;
    let _life = rig.live().await;
    let (_, code) = rig.run(&["quarantine", "retry"]);
    assert_eq!(code, 75);
    assert_eq!(rig.run(&["quarantine", "list"]).1, 0);
}

/// A running ingest opens them itself, and its next pass asks for them.
#[tokio::test(flavor = "multi_thread")]
async fn retry_is_done_by_the_ingest_that_runs() {
    let rig = Rig::new(world(1..=3)).await;
    rig.world().poison.insert(2, Poison::Omit);
    rig.settled().await;
    rig.world().poison.clear();
    let mut life = rig.live().await;
    assert_eq!(rig.whole(&mut life).await.quarantined, 1);
    let control = Control::bind(rig.root().parent().unwrap(), &rig.root()).unwrap();
    let stop = Shutdown::new();
    let control = tokio::spawn(control.serve(life.shared.as_ref().unwrap().store.clone(), stop.clone()));
    let (said, code) = rig.run(&["quarantine", "retry", "aaaaaaaaaaaaaaaaaaaaaaaaaa"]);
    assert_eq!((said.as_str(), code), ("", 64));
    let (said, code) = rig.run(&["quarantine", "retry"]);
    assert!(code == 0 && said.contains("1 to be tried again"), "{code}: {said}");
    let pass = rig.whole(&mut life).await;
    assert_eq!((pass.stored, pass.open, pass.quarantined), (1, 0, 0));
    let (said, code) = rig.run(&["quarantine", "retry"]);
    assert!(code == 0 && said.contains("nothing in quarantine"), "{code}: {said}");
    stop.cancel();
    control.await.unwrap();
    drop(life);
    rig.assert_at_rest();
}

/// One that is gone when it is asked for again is gone; what is known of it stays on disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_message_that_is_deleted_on_the_server_is_gone() {
    let rig = Rig::new(world(1..=3)).await;
    rig.world().poison.insert(2, Poison::Omit);
    rig.settled().await;
    rig.world().mails.remove(&2);
    assert_eq!(rig.run(&["quarantine", "retry"]).1, 0);
    let pass = rig.once().await;
    assert_eq!((pass.gone, pass.open, pass.quarantined), (1, 0, 0));
    rig.assert_at_rest();
}

/// A server that is not well, and says so, brings no message into quarantine.
#[tokio::test(flavor = "multi_thread")]
async fn a_passing_refusal_is_no_try() {
    for text in [
        "[UNAVAILABLE] later",
        "[INUSE] busy",
        "Request is throttled. Suggested Backoff Time: 9 milliseconds",
    ] {
        let rig = Rig::new(world(1..=3)).await;
        rig.world().poison.insert(2, Poison::Refuse(text));
        for _ in 0..5 {
            // Whether the pass is broken off by it is another matter.
            let _ = rig.pass(&mut rig.live().await).await;
            rig.make_due();
        }
        let view = rig.view();
        assert_eq!(view.quarantined, [], "{text}");
        rig.world().poison.clear();
        rig.settled().await;
        rig.assert_at_rest();
        assert_eq!(rig.view().stored.len(), 3);
    }
}

/// Nor does a provider that asks for less while a message is tried once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_ends_by_another_s_trouble_is_no_try() {
    let rig = Rig::new(world(1..=3)).await;
    rig.world().poison.insert(2, Poison::Omit);
    assert_eq!(rig.once().await.open, 1);
    rig.world()
        .poison
        .insert(2, Poison::Refuse("Request is throttled. Suggested Backoff Time: 9 milliseconds"));
    for _ in 0..5 {
        rig.make_due();
        assert!(rig.pass(&mut rig.live().await).await.is_err());
    }
    let view = rig.view();
    assert_eq!((view.open.len(), view.open[0].attempts, view.quarantined.len()), (1, 1, 0));
    rig.world().poison.clear();
    rig.make_due();
    rig.settled().await;
    rig.assert_at_rest();
    assert_eq!(rig.view().stored.len(), 3);
}

/// More of them in one window than are looked for at once: each pass finds some, and what is between them is stored.
#[tokio::test(flavor = "multi_thread")]
async fn many_whose_listing_is_refused_do_not_stop_the_mailbox() {
    let rig = Rig::new(world((1..=40).map(|n| n * 100))).await;
    for uid in [500, 1500, 2700, 3800] {
        rig.world().poison.insert(uid, Poison::RefuseListing);
    }
    for _ in 0..10 {
        let _ = rig.pass(&mut rig.live().await).await;
        rig.make_due();
    }
    let pass = rig.once().await;
    assert_eq!((pass.open, pass.quarantined), (0, 4));
    rig.assert_at_rest();
    assert_eq!(rig.view().stored.len(), 36);
}

/// A server that ends every connection as soon as any body is asked for: that is not the message's fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_gives_nothing_any_more_fills_no_quarantine() {
    let rig = Rig::new(world(1..=20)).await;
    rig.once().await;
    rig.world().fill(21..=22);
    for uid in 1..=22 {
        rig.world().poison.insert(uid, Poison::Close);
    }
    let mut life = rig.live().await;
    for _ in 0..8 {
        assert!(rig.pass(&mut life).await.is_err());
    }
    drop(life);
    assert_eq!((rig.view().quarantined.len(), rig.view().open.len()), (0, 0));
    rig.world().poison.clear();
    rig.once().await;
    rig.assert_at_rest();
    assert_eq!(rig.view().stored.len(), 22);
}

/// Larger than any message that is taken: it is not even asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_announced_too_large_is_quarantined_at_once() {
    let rig = Rig::new(world(1..=3)).await;
    rig.world().mails.get_mut(&2).unwrap().announced = Some(4_000_000_000);
    let pass = rig.once().await;
    assert_eq!((pass.stored, pass.open, pass.quarantined), (2, 0, 1));
    assert!(rig.view().quarantined[0].reason.contains("larger than"));
    assert_eq!(rig.world().sent.get(&2), None);
}

/// The process dies again and again while it looks for the one message: what it learnt is not lost, nothing is stored twice.
#[tokio::test(flavor = "multi_thread")]
async fn quarantine_comes_about_over_many_lives() {
    let rig = Rig::new(world(1..=30)).await;
    rig.world().poison.insert(7, Poison::Close);
    for _ in 0..3 {
        let mut life = rig.live().await;
        let _ = rig.pass(&mut life).await;
        let _ = rig.pass(&mut life).await;
        drop(life);
        rig.make_due();
    }
    rig.settled().await;
    rig.assert_at_rest();
    assert_eq!((rig.view().stored.len(), rig.view().quarantined.len()), (29, 1));
    assert_eq!(rig.entries().len(), 29);
}
