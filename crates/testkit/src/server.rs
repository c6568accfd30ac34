//! A scripted IMAP server on raw bytes, to put a client through any fault of a server or a network.
//!
//! A script is a list of steps for one accepted connection: the first connection gets the first
//! script, the second the second, and the last script is used for all that follow. At the end of
//! its script a connection is closed in order. Steps are made by functions ([`send`], [`expect`],
//! [`reply`], ...); [`routine`] answers what a script does not care about, and [`serve`] hands the
//! connection to an honest server, so that a fault can come before it, after it or at any byte of it.
//!
//! Every line of the client is recorded, also while the server writes or stalls, and a test waits
//! for it by [`Server::wait_for`]. A command that is not the expected one is a failure that panics
//! in the next wait, in [`Server::finish`] or when the server is dropped, with the whole transcript.

mod connection;
mod pattern;
mod script;
mod transcript;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_native_tls::TlsAcceptor;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use pattern::Pattern;
pub use script::{
    Routine, Step, close, cut, drip, expect, expect_line, fill, flood, gate, handshake, huge, reply, reset,
    routine, send, serve, serve_cut, stall, starttls, trickle,
};

use self::connection::Connection;
use self::transcript::Transcript;
use crate::tls::Identity;

/// How long a wait may take before the test fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// A server about to be started.
#[derive(Default)]
pub struct Builder {
    acceptor: Option<TlsAcceptor>,
    implicit: bool,
    scripts: Vec<Vec<Step>>,
}

impl Builder {
    /// Adds the script of the next connection.
    #[must_use]
    pub fn script(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.scripts.push(script::flattened(steps));
        self
    }

    /// Listens on a free port of 127.0.0.1 and begins to accept.
    #[expect(clippy::panic, clippy::missing_panics_doc, reason = "a test without its server cannot go on")]
    pub async fn start(self) -> Server {
        let bound = TcpListener::bind(("127.0.0.1", 0)).await;
        let Some((listener, address)) = bound.ok().and_then(|l| l.local_addr().ok().map(|a| (l, a))) else {
            panic!("the scripted server cannot listen on 127.0.0.1");
        };
        let stop = CancellationToken::new();
        let transcript = Arc::new(Transcript::new(self.scripts.len()));
        let server = Server { address, transcript: Arc::clone(&transcript), stop: stop.clone() };
        tokio::spawn(accept(listener, self, transcript, stop));
        server
    }
}

async fn accept(listener: TcpListener, plan: Builder, transcript: Arc<Transcript>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else { continue };
        let number = transcript.connected();
        let turn = number.min(plan.scripts.len());
        let script = plan.scripts.get(turn.saturating_sub(1)).cloned().unwrap_or_default();
        let acceptor = plan.acceptor.clone();
        let connection = Connection::new(socket, acceptor, number, turn, Arc::clone(&transcript));
        let stop = stop.clone();
        let implicit = plan.implicit;
        tokio::spawn(async move { stop.run_until_cancelled(connection.play(script, implicit)).await });
    }
}

/// A running scripted server; it ends when this is dropped.
pub struct Server {
    address: SocketAddr,
    transcript: Arc<Transcript>,
    stop: CancellationToken,
}

impl Server {
    /// A server without TLS.
    #[must_use]
    pub fn plain() -> Builder {
        Builder::default()
    }

    /// A server that expects TLS from the first byte.
    #[must_use]
    pub fn implicit(identity: &Identity) -> Builder {
        Builder { implicit: true, ..Self::starttls(identity) }
    }

    /// A server that begins in the clear and can do TLS where a script says so.
    #[must_use]
    #[expect(clippy::panic, clippy::missing_panics_doc, reason = "a test without its server cannot go on")]
    pub fn starttls(identity: &Identity) -> Builder {
        match identity.acceptor() {
            Ok(acceptor) => Builder { acceptor: Some(acceptor), ..Builder::default() },
            Err(error) => panic!("the scripted server cannot do TLS: {error:#}"),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port at which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Opens a gate at which scripts wait, for all connections and for good.
    pub fn open(&self, gate: &str) {
        self.transcript.open(gate);
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.transcript.connections()
    }

    /// The lines that the client sent on a connection (counted from 1), in order.
    #[must_use]
    pub fn lines(&self, connection: usize) -> Vec<String> {
        self.transcript.lines(connection)
    }

    /// Waits until the client sent, on this connection, a command or line that matches (as in
    /// [`expect`] and [`expect_line`]), and returns it.
    pub async fn wait_for(&self, connection: usize, pattern: &str) -> String {
        self.wait_for_nth(connection, pattern, 1).await
    }

    /// Waits for the n-th command or line that matches, counted from 1.
    pub async fn wait_for_nth(&self, connection: usize, pattern: &str, n: usize) -> String {
        let wanted = Pattern::new(pattern);
        let what = format!("line {n} like {pattern:?} on connection {connection}");
        let found = || {
            let mut lines = self.lines(connection).into_iter().filter(|line| wanted.matches_line(line));
            lines.nth(n.saturating_sub(1))
        };
        self.wait(&what, found).await
    }

    /// Waits until so many connections were accepted.
    pub async fn wait_for_connections(&self, count: usize) {
        self.wait(&format!("{count} connections"), || (self.connections() >= count).then_some(())).await;
    }

    /// Waits until a connection is over, whoever ended it.
    pub async fn wait_for_end(&self, connection: usize) {
        self.wait(&format!("the end of connection {connection}"), || {
            self.transcript.ended(connection).then_some(())
        })
        .await;
    }

    /// Ends the test's use of the server: every script must have been played to its end, or to a
    /// stall, at least once, and no expectation may have failed.
    pub async fn finish(self) {
        self.wait("every script played to its end", || self.transcript.all_played().then_some(())).await;
    }

    /// What happened so far, in order, to be read by a person.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.transcript.to_string()
    }

    #[expect(clippy::panic, reason = "a wait that ends without its condition fails the test")]
    async fn wait<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let mut changes = self.transcript.changes();
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                if self.transcript.failed() {
                    return None;
                }
                if let Some(value) = condition() {
                    return Some(value);
                }
                if changes.changed().await.is_err() {
                    return None;
                }
            }
        });
        match waited.await {
            Ok(Some(value)) => value,
            Ok(None) => panic!("while waiting for {what}, a script failed:\n{}", self.transcript()),
            Err(_) => panic!("waited {DEADLINE:?} for {what}; instead:\n{}", self.transcript()),
        }
    }
}

impl Drop for Server {
    #[expect(clippy::panic, reason = "an unmet expectation fails the test, whether it waits or not")]
    fn drop(&mut self) {
        self.stop.cancel();
        if self.transcript.failed() && !std::thread::panicking() {
            panic!("a script failed:\n{}", self.transcript());
        }
    }
}
