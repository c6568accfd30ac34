//! UIDs that mean other messages than before: what is known from earlier is not fetched again, what is not sure is.

use vigie_common::record::EventKind;

use crate::faulty::{Rig, World, world};

/// The same messages under other UIDs: what a mailbox looks like that was set up anew.
fn renumber(world: &mut World, uidvalidity: Option<&str>, by: u32) {
    world.uidvalidity = uidvalidity.map(str::to_owned);
    world.mails = std::mem::take(&mut world.mails).into_iter().map(|(uid, mail)| (uid + by, mail)).collect();
    world.sent.clear();
    world.log.clear();
}

/// Another UIDVALIDITY: higher, lower, one seen before, none, beyond 32 bits. What is known is not fetched again.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_generation_takes_over_what_is_known() {
    let rig = Rig::new(world(1..=30)).await;
    rig.once().await;
    for (n, (validity, uidvalidity, generation)) in [
        (Some("9"), 9, 0),
        (Some("4"), 4, 0),
        (Some("9"), 9, 1),
        (None, 0, 0),
        (Some("5"), 5, 1),
        (Some("99999999999999"), 0, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let before = rig.entries().len();
        renumber(&mut rig.world(), validity, 10);
        let arrived = *rig.world().mails.keys().next_back().unwrap() + 1;
        rig.world().add(arrived, &format!("Message-ID: <new-{n}@example.org>\r\n\r\n{n}\r\n"));
        let all = rig.world().mails.len();
        let pass = rig.once().await;
        assert_eq!(rig.world().sent, [(arrived, 1)].into(), "{validity:?}: only the new one is fetched");
        assert_eq!(pass.stored as usize, all, "{validity:?}");
        rig.assert_at_rest();
        let selected = rig.view().selected.unwrap();
        assert_eq!((selected.uidvalidity, selected.generation), (uidvalidity, generation), "{validity:?}");
        let entries = rig.entries();
        assert_eq!(entries.len(), before + all, "the old ones stay");
        for entry in &entries[before..] {
            let source = rig.document(entry).vigie.source.unwrap();
            assert_eq!(source.matched, entry.uid != arrived, "{validity:?}: UID {}", entry.uid);
            assert_eq!((source.uid, source.uid_validity), (entry.uid, uidvalidity));
            assert_eq!(entry.duplicate_of.is_some(), source.matched);
        }
        let resets = rig.events().iter().filter(|e| e.kind == EventKind::Reset).count();
        assert_eq!(resets, n + 1, "told once");
    }
}

/// Fewer than twenty that agree, one that contradicts, ambiguous ones: fetched, which is always right.
#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_is_not_sure_is_no_match() {
    // Few.
    let rig = Rig::new(world(1..=19)).await;
    rig.once().await;
    renumber(&mut rig.world(), Some("6"), 100);
    rig.once().await;
    assert_eq!(rig.world().sent.len(), 19);
    rig.assert_at_rest();
    // Another date, or another size, under the same Message-ID.
    for change in 0..2 {
        let rig = Rig::new(world(1..=30)).await;
        rig.once().await;
        renumber(&mut rig.world(), Some("6"), 100);
        let mail = rig.world().mails[&115].clone();
        let mut mail = mail;
        match change {
            0 => mail.date = "01-Jan-2020 00:00:00 +0000".into(),
            _ => mail.bytes.extend_from_slice(b"and more\r\n"),
        }
        rig.world().mails.insert(115, mail);
        rig.once().await;
        assert_eq!(rig.world().sent.len(), 30, "{change}");
        rig.assert_at_rest();
    }
    // Two of one name, one without any: these alone are fetched.
    let mut world = world(1..=30);
    world.add(31, "Message-ID: <7@example.org>\r\n\r\nanother seven\r\n");
    world.add(32, "Subject: nameless\r\n\r\nx\r\n");
    let rig = Rig::new(world).await;
    rig.once().await;
    renumber(&mut rig.world(), Some("6"), 100);
    rig.once().await;
    assert_eq!(rig.world().sent.keys().copied().collect::<Vec<_>>(), [107, 131, 132]);
    rig.assert_at_rest();
}

/// A server that announces wrong sizes announces the same ones again: these are compared.
#[tokio::test(flavor = "multi_thread")]
async fn announced_sizes_are_compared_with_announced_ones() {
    let rig = Rig::new(world(1..=30)).await;
    rig.world().mails.values_mut().for_each(|mail| mail.announced = Some(mail.bytes.len() as u32 + 7));
    rig.once().await;
    renumber(&mut rig.world(), Some("6"), 100);
    rig.once().await;
    assert_eq!(rig.world().sent, [].into());
    rig.assert_at_rest();
    // And one that has learnt to count.
    renumber(&mut rig.world(), Some("7"), 100);
    rig.world().mails.values_mut().for_each(|mail| mail.announced = None);
    rig.once().await;
    assert_eq!(rig.world().sent, [].into());
    rig.assert_at_rest();
}

/// The process dies between the new generation and its messages: what is taken over already stays, the rest is fetched.
#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_is_broken_off_loses_and_doubles_nothing() {
    let rig = Rig::new(world(1..=250)).await;
    rig.once().await;
    renumber(&mut rig.world(), Some("6"), 1000);
    for cut in [2, 4, 5, 6] {
        rig.world().cuts = vec![cut + 3];
        let _ = rig.pass(&mut rig.live().await).await;
    }
    rig.world().cuts.clear();
    rig.once().await;
    rig.assert_at_rest();
    assert_eq!(rig.entries().len(), 500);
}

/// No UIDVALIDITY: as long as the UIDs mean the same, nothing is fetched again; once they do not, a generation begins.
#[tokio::test(flavor = "multi_thread")]
async fn without_uidvalidity_messages_are_compared_by_header_each_session() {
    for validity in [None, Some("0"), Some("99999999999999")] {
        let rig = Rig::new(world(1..=30)).await;
        rig.world().uidvalidity = validity.map(str::to_owned);
        rig.once().await;
        rig.world().fill([31]);
        rig.world().sent.clear();
        rig.once().await;
        assert_eq!(rig.world().sent, [(31, 1)].into(), "{validity:?}");
        assert!(rig.world().log.iter().any(|command| command.contains("HEADER.FIELDS")));
        renumber(&mut rig.world(), validity, 3);
        rig.once().await;
        rig.assert_at_rest();
        assert_eq!(rig.world().sent, [].into(), "{validity:?}: all of them are known");
        let selected = rig.view().selected.unwrap();
        assert_eq!((selected.uidvalidity, selected.generation), (0, 1), "{validity:?}");
    }
}

/// GNU imap4d: the lowest free UID is given to the next message. Nothing but size and date tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_uid_that_is_used_again_is_noticed_at_the_listing() {
    let rig = Rig::new(world(1..=40)).await;
    rig.once().await;
    {
        let mut world = rig.world();
        let mut mail = world.mails[&17].clone();
        mail.bytes = b"Message-ID: <other@example.org>\r\n\r\nanother\r\n".to_vec();
        mail.date = "24-Nov-2026 00:00:00 +0000".into();
        world.mails.insert(17, mail);
        world.sent.clear();
    }
    rig.once().await;
    rig.assert_at_rest();
    let selected = rig.view().selected.unwrap();
    assert_eq!((selected.uidvalidity, selected.generation), (5, 1));
    assert_eq!(rig.world().sent, [(17, 1)].into(), "the others are known");
    assert_eq!(rig.entries().len(), 80);
    // A date that a server changes is no other message, and costs one question.
    rig.world().mails.get_mut(&20).unwrap().date = "23-Nov-2026 00:00:00 +0000".into();
    let mut life = rig.live().await;
    rig.whole(&mut life).await;
    rig.world().log.clear();
    rig.whole(&mut life).await;
    assert!(!rig.world().log.iter().any(|command| command.contains("HEADER.FIELDS")));
    drop(life);
    assert_eq!(rig.view().selected.unwrap().generation, 1);
}

/// UIDVALIDITY changes between two FETCHes of one session: nothing of the new one is stored under the old.
#[tokio::test(flavor = "multi_thread")]
async fn a_uidvalidity_that_changes_while_messages_are_fetched_ends_the_session() {
    let rig = Rig::new(world(1..=300)).await;
    let mut life = rig.live().await;
    rig.world().once = Some("* OK [UIDVALIDITY 6] changed\r\n".into());
    let error = rig.pass(&mut life).await.unwrap_err().to_string();
    assert!(error.contains("changed UIDVALIDITY"), "{error}");
    renumber(&mut rig.world(), Some("6"), 10);
    rig.whole(&mut life).await;
    drop(life);
    rig.assert_at_rest();
    assert_eq!(rig.view().selected.unwrap().uidvalidity, 6);
    assert_eq!(rig.events().iter().filter(|e| e.kind == EventKind::Reset).count(), 1);
}
