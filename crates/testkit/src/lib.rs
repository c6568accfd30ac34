//! What tests and demonstrations need of the mail world: messages, servers and certificates.
//!
//! Nothing here is meant for production: the servers listen on loopback, the passwords are in the
//! code, and an unmet expectation of a script panics, because a test has to fail loudly.
//!
//! # Layout
//!
//! | module | what it is for |
//! |---|---|
//! | [`generate`] | messages as bytes, from a seed: the same arguments give the same bytes everywhere |
//! | [`server`] | a scripted IMAP server on raw bytes: any fault of a server or network, without sleeps |
//! | [`hostile`] | servers that attack, one script a kind |
//! | [`mailbox_server`] | a small honest IMAP server in memory, changed by a test through its handles |
//! | [`dovecot`] | a real IMAP server, where Debian's is installed |
//! | [`delay`] | a long line before a server near by |
//! | [`tls`] | an authority and certificates for localhost: good, expired, of another host, self-signed |
//! | [`fault`] | a process with faults, for tests of the supervisor |
//! | [`demo`] | the mailbox that the program `vigie-demo-mailbox` serves |
//!
//! # A fault as a script
//!
//! ```no_run
//! use vigie_testkit::server::{Server, expect, reply, routine, send, stall, reset};
//!
//! # async fn example() {
//! let server = Server::plain()
//!     .script([
//!         send("* OK ready\r\n"),
//!         routine().answer("EXAMINE", "* 3 EXISTS\r\n{tag} OK [READ-ONLY] done\r\n").until("UID FETCH"),
//!         send("* 1 FETCH (UID 7 BODY[] {100}\r\nonly this much"),
//!         reset(),
//!     ])
//!     .script([send("* OK ready\r\n"), expect("LOGIN"), reply("{tag} NO [UNAVAILABLE] later\r\n"), stall()])
//!     .start()
//!     .await;
//! // ... start the client on server.port() ...
//! server.wait_for(2, "LOGIN").await;
//! # }
//! ```

pub mod delay;
pub mod demo;
pub mod dovecot;
pub mod fault;
pub mod generate;
pub mod hostile;
pub mod mailbox_server;
pub mod server;
pub mod tls;
mod wire;
