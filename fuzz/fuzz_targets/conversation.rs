//! A whole conversation whose other side is made of any bytes: it ends, no call panics, nothing comes back that was not
//! asked for, and once a connection is lost it stays lost. `|` ends what arrives at once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokio::time::{Duration, Instant};
use vigie_archive::UidSet;
use vigie_fuzz::Pieces;
use vigie_ingest::command::Channel;
use vigie_ingest::error::{Error, Result};
use vigie_ingest::guard::Mode;
use vigie_ingest::session::{Capabilities, Session};
use vigie_ingest::transport::guarded;

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
}

fuzz_target!(|data: &[u8]| {
    RUNTIME.with(|runtime| runtime.block_on(converse(data)));
});

async fn converse(data: &[u8]) {
    let greeting = [b"A0001 OK in\r\n".to_vec()];
    let pieces = Pieces::new(greeting.into_iter().chain(data.split(|&b| b == b'|').map(<[u8]>::to_vec)));
    let mut client = async_imap::Client::new(guarded(Box::new(pieces)));
    client.get_mut().set_mode(Mode::Authenticating);
    let Ok(session) = client.login("me", "canary-7f3a").await else { panic!("no login") };
    let mut session = Session::new(Channel::new(session), Capabilities::default());

    let wanted: UidSet = [3, 5, 6, 7].into_iter().collect();
    // Twice, so that what one command leaves behind meets all of them.
    for _ in 0..2 {
        if let Some(found) = heard(session.mailboxes().await) {
            assert!(found.windows(2).all(|pair| pair[0].source.raw_name != pair[1].source.raw_name));
        }
        heard(session.examine("INBOX", Some((5, 9))).await);
        heard(session.status("Archive").await);
        heard(session.highest_uid().await);
        if let Some(listed) = heard(session.list(3, Some(9)).await) {
            assert!(listed.iter().all(|l| (3..=9).contains(&l.uid)));
            assert!(listed.windows(2).all(|pair| pair[0].uid < pair[1].uid));
        }
        if let Some(there) = heard(session.still_there(&wanted).await) {
            assert!(there.iter().flatten().all(|uid| wanted.contains(uid)));
        }
        let first = session.ask_bodies(&wanted, 100).await;
        let second = session.ask_bodies(&wanted, 100).await;
        for sent in [first, second] {
            if let Some(sent) = heard(sent) {
                let (bodies, ended) = session.read_bodies(sent, &wanted, 500).await;
                heard(ended);
                assert!(bodies.iter().all(|body| wanted.contains(body.uid)));
                assert!(bodies.windows(2).all(|pair| pair[0].uid < pair[1].uid));
            }
        }
        let mut bytes = Vec::new();
        heard(session.large_body(7, 3000, 10_000, &mut bytes, || ()).await);
        assert!(bytes.len() <= 3 << 20, "{}", bytes.len());
        if let Some(flagged) = heard(session.flags_and_dates(3, 9).await) {
            assert!(flagged.iter().all(|f| (3..=9).contains(&f.uid)));
        }
        heard(session.flags_of_numbers(&wanted).await);
        heard(session.idle(Instant::now() + Duration::from_secs(3600), std::future::pending()).await);
        heard(session.noop().await);
    }
    // More than it could have said: by now the stream has ended.
    let lost = loop {
        match session.noop().await {
            Ok(()) | Err(Error::Refused { .. }) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(lost, Error::Lost { .. }), "{lost}");
    assert!(matches!(session.noop().await, Err(Error::Lost { .. })), "a lost connection was used again");
}

/// Whatever went wrong is told in few and harmless words.
fn heard<T>(result: Result<T>) -> Option<T> {
    result
        .inspect_err(|error| {
            let text = error.to_string();
            assert!(text.chars().count() < 400 && !text.chars().any(char::is_control), "{text:?}");
            assert!(!text.contains("canary-7f3a"), "{text:?}");
            assert!(matches!(error, Error::Lost { .. } | Error::Refused { .. }), "{text:?}");
        })
        .ok()
}
