//! A message of 64 MiB is stored in little more memory than it has.

use data_encoding::BASE64;
use vigie_common::id::BlobId;
use vigie_testkit::mailbox_server::{Account, MailboxServer, Security, Service};

use crate::faults::peak_memory;
use crate::place::{Place, Running};

const SIZE: usize = 64 << 20;

/// A message with one attachment that cannot be compressed, and that attachment.
fn large() -> (Vec<u8>, Vec<u8>) {
    let mut state = 1_u64;
    let content: Vec<u8> = std::iter::repeat_with(|| {
        // xorshift: nothing but noise.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(SIZE / 78 * 57)
    .collect();
    let mut message = b"Subject: large\r\nContent-Type: application/zip; name=a.zip\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_vec();
    for line in content.chunks(57) {
        message.extend_from_slice(BASE64.encode(line).as_bytes());
        message.extend_from_slice(b"\r\n");
    }
    (message, content)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_is_not_in_memory_twice() {
    let (message, content) = large();
    let blob = BlobId::of(&message);
    let account = Account::new("me", "secret");
    account.mailbox("INBOX").append(message.clone());
    let server = MailboxServer::start(&Service::new([account]), Security::None).await.unwrap();
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("stored=1");
    let peak = peak_memory(run.child.id());
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    assert!(peak < 96 << 10, "{peak} KiB");
    place.assert_whole(1);
    let entry = place.entries().remove(0);
    assert_eq!((entry.blob_id, entry.size), (blob, message.len() as u64));
    let part = place.document(&place.entries()[0]).attachments.remove(0);
    assert_eq!(std::fs::read(place.archive().join(part.path.unwrap())).unwrap(), content);
    assert!(place.raw_messages() == message);
}
