//! What providers have of their own.

use vigie_testkit::server::{Server, close, reply, routine, send};

use crate::place::Place;

/// Labels come as literals too, and before the UID: the parser knows no literals there. `["*"]` leaves All Mail out.
#[tokio::test(flavor = "multi_thread")]
async fn gmail_labels_are_in_the_document_and_all_mail_is_not_fetched_twice() {
    let server = Server::plain()
        .script([
            send("* OK Gimap ready\r\n"),
            routine()
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1 X-GM-EXT-1 OBJECTID\r\n{tag} OK\r\n")
                .answer("LOGIN", "{tag} OK\r\n")
                .answer(
                    "LIST",
                    "* LIST () \"/\" INBOX\r\n* LIST (\\HasChildren \\NonExistent) \"/\" \"[Gmail]\"\r\n\
                     * LIST (\\All) \"/\" \"[Gmail]/All Mail\"\r\n* LIST (\\Important) \"/\" \"[Gmail]/Important\"\r\n{tag} OK\r\n",
                )
                .answer("EXAMINE", "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n{tag} OK\r\n")
                .answer(
                    "UID FETCH * (UID FLAGS",
                    "* 1 FETCH (X-GM-THRID 12 X-GM-MSGID 1278455344230334865 X-GM-LABELS (\"\\\\Important\" {8}\r\na\"b (&-)) \
                     UID 7 EMAILID (M1) THREADID NIL FLAGS () INTERNALDATE \"01-Nov-2026 00:00:00 +0000\" RFC822.SIZE 15)\r\n{tag} OK\r\n",
                )
                .answer(
                    "UID FETCH 7 (UID BODY.PEEK[])",
                    "* 1 FETCH (UID 7 BODY[] {15}\r\nSubject: x\r\n\r\nx)\r\n{tag} OK\r\n",
                )
                .until("LOGOUT"),
            reply("{tag} OK\r\n"),
            close(),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "mailboxes = [\"*\"]");
    let summary = place.sync();
    summary.assert_clean();
    assert_eq!(summary.by_mailbox("stored"), [("INBOX".to_owned(), 1)].into());
    let document = place.document(&place.entries()[0]);
    assert_eq!(document.thread_id.as_deref(), Some("12"));
    let source = document.vigie.source.unwrap();
    let gmail = source.gmail.unwrap();
    assert_eq!(gmail.msg_id, "1278455344230334865");
    assert_eq!(gmail.labels, ["\\Important", "a\"b (&)"]);
    assert_eq!(source.object_id.unwrap().email_id.as_deref(), Some("M1"));
}
