//! Messages by number, as the honest server is filled with them.

use vigie_testkit::generate::{self, Profile};
use vigie_testkit::mailbox_server::{Account, Draft, Mailbox, MailboxServer, Security, Service};

/// A small message that differs from all others.
pub(crate) fn small(index: u64) -> Vec<u8> {
    generate::message(7, index, Profile::Small)
}

/// A server for the user `me`, and its INBOX with so many small messages.
pub(crate) async fn server(messages: u64) -> (MailboxServer, Mailbox, Account) {
    let account = Account::new("me", "secret");
    let inbox = account.mailbox("INBOX");
    inbox.append_all((0..messages).map(|n| Draft::new(small(n))));
    let server = MailboxServer::start(&Service::new([account.clone()]), Security::None).await.unwrap();
    (server, inbox, account)
}
