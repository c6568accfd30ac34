//! Servers that lie about which messages there are: every one that they have ends as stored, none twice, and nothing is
//! taken for done that is not.

use crate::faulty::{Poison, Rig, mail, world};

fn commands(rig: &Rig) -> String {
    rig.world().log.join("\n")
}

/// Whatever UIDNEXT says: too much by four thousand million, too little, nothing at all, no number.
#[tokio::test(flavor = "multi_thread")]
async fn uidnext_is_only_a_hint() {
    for next in [Some("4294967295"), Some("1"), Some("20"), Some("0"), Some("99999999999"), None] {
        let rig = Rig::new(world(1..=30)).await;
        rig.world().uidnext = next.map(str::to_owned);
        rig.world().no_uidnext = next.is_none();
        rig.once().await;
        rig.assert_at_rest();
        assert_eq!(rig.view().stored.len(), 30, "{next:?}");
        assert!(rig.view().covered.highest() <= Some(30), "{next:?}: nothing is covered that was not shown");
        // More come, and some go; UIDNEXT stays as it was.
        rig.world().fill(31..=35);
        rig.world().mails.retain(|uid, _| uid % 10 != 3);
        rig.once().await;
        rig.assert_at_rest();
        assert_eq!(rig.view().stored.highest(), Some(35), "{next:?}");
        assert!(rig.world().log.len() < 60, "{next:?}:\n{}", commands(&rig));
    }
}

/// GMX: UIDNEXT goes back, and the UIDs that were free are given to other messages.
#[tokio::test(flavor = "multi_thread")]
async fn a_uidnext_that_is_wound_back_hides_nothing() {
    let rig = Rig::new(world((1..=30).chain([60]))).await;
    rig.once().await;
    rig.world().uidnext = Some("41".into());
    rig.world().fill(36..=40);
    rig.once().await;
    rig.assert_at_rest();
    assert_eq!(rig.view().stored.len(), 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_of_a_million_costs_few_commands() {
    let rig = Rig::new(world((1..=5).chain(1_000_000..=1_000_005).chain([4_000_000_000]))).await;
    rig.once().await;
    rig.assert_at_rest();
    assert_eq!(rig.view().stored.len(), 12);
    let count = rig.world().log.len();
    assert!(count < 60, "{count}:\n{}", commands(&rig));
}

/// EXISTS is too high, too low, or beyond anything: one complete listing, then it is known to be wrong.
#[tokio::test(flavor = "multi_thread")]
async fn exists_is_not_believed() {
    for exists in [1, 29, 31, 4_294_967_295] {
        let rig = Rig::new(world(1..=30)).await;
        rig.world().exists = Some(exists);
        rig.once().await;
        rig.assert_at_rest();
        assert_eq!(rig.view().stored.len(), 30, "{exists}");
        rig.world().log.clear();
        rig.once().await;
        let asked = rig.world().log.iter().filter(|c| c.contains("UID FETCH")).count();
        assert!(asked <= 2, "{exists}:\n{}", commands(&rig));
        assert!(!commands(&rig).contains("BODY.PEEK[]"));
    }
}

/// Everything twice, in descending order, with FETCHes for others, without UID, of UID 0 and of expunged numbers between.
#[tokio::test(flavor = "multi_thread")]
async fn answers_in_any_order_and_number_are_each_taken_once() {
    let rig = Rig::new(world(1..=300)).await;
    {
        let mut world = rig.world();
        world.descending = true;
        world.twice = true;
        world.noise = "* 3 FETCH (FLAGS (\\Seen))\r\n* 9 FETCH (UID 0 RFC822.SIZE 5 BODY[] {5}\r\nzero!)\r\n* 9 FETCH (UID 4711 RFC822.SIZE 5 BODY[] {5}\r\nother)\r\n* 2 FETCH (BODY[] {5}\r\nnobod)\r\n* 4711 EXPUNGE\r\n".into();
    }
    let pass = rig.once().await;
    assert_eq!((pass.stored, pass.open), (300, 0));
    rig.assert_at_rest();
    assert_eq!(rig.entries().len(), 300);
    assert_eq!(rig.once().await.stored, 0);
}

/// Listings that leave out messages which are there: they are met again, the last hundred at the next look, any other by
/// the count.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_misses_messages_once_loses_none() {
    for hidden in [vec![1], vec![150, 151], vec![299, 300], (100..=300).collect()] {
        let rig = Rig::new(world(1..=300)).await;
        rig.world().hidden = hidden.iter().copied().collect();
        rig.once().await;
        rig.once().await;
        rig.assert_at_rest();
        assert_eq!(rig.view().stored.len(), 300, "{hidden:?}");
    }
}

/// Messages go between their listing and their fetch: gone, not open, and none that is there for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_expunged_while_it_is_fetched_is_gone() {
    let rig = Rig::new(world(1..=300)).await;
    rig.world().expunged_at_fetch = [5, 150, 299, 300].into();
    let pass = rig.once().await;
    assert_eq!((pass.stored, pass.gone, pass.open), (296, 4, 0));
    rig.assert_at_rest();
}

/// The server's count and ours are of the same moment: what goes while a pass lasts is no difference between them.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_during_a_pass_is_no_difference() {
    let rig = Rig::new(world(1..=9)).await;
    {
        let mut world = rig.world();
        world.expunged_at_fetch = [5].into();
        world.once = Some("* 5 EXPUNGE\r\n".into());
    }
    let pass = rig.once().await;
    assert_eq!((pass.stored, pass.gone), (8, 1));
    assert_eq!(rig.view().difference, None);
    rig.assert_at_rest();
}

/// RFC822.SIZE is wrong: what comes is what counts. Only nothing where something was announced is no message.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_as_long_as_what_comes() {
    let rig = Rig::new(world(1..=6)).await;
    let long = format!("Subject: long\r\n\r\n{}", "x".repeat(1_500_000));
    for (uid, bytes, announced) in [
        (1, mail(1), 1),
        (2, mail(2), 100_000),
        (3, long.clone(), 10),
        (4, long, 1_200_000),
        (5, String::new(), 0),
        (6, mail(6), 1_100_000),
    ] {
        let mut world = rig.world();
        world.add(uid, &bytes);
        world.mails.get_mut(&uid).unwrap().announced = Some(announced);
    }
    rig.settled().await;
    rig.assert_at_rest();
    assert_eq!(rig.view().stored.len(), 6);
}

/// Octets are octets, also those of a pass that came to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_broken_pass_received_counts() {
    let rig = Rig::new(world(1..=1)).await;
    rig.world().poison.insert(1, Poison::RefuseListing);
    let mut life = rig.live().await;
    assert!(rig.pass(&mut life).await.is_err());
    let board = &life.shared.as_ref().unwrap().board;
    assert!(board.of_account("a", |known| known.budget.total()) > Some(0));
}

/// A pass that is cut after any of its answers goes on from what is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_ends_anywhere_goes_on_from_there() {
    for cut in 0..14 {
        let rig = Rig::new(world((1..=60).chain(5_000..=5_100))).await;
        rig.world().cuts = vec![cut, cut];
        for _ in 0..2 {
            let _ = rig.pass(&mut rig.live().await).await;
        }
        rig.world().cuts.clear();
        rig.settled().await;
        rig.assert_at_rest();
        assert_eq!(rig.entries().len(), 161, "{cut}");
        assert_eq!(rig.view().quarantined, [], "{cut}");
    }
}
