//! The mailbox of `vigie-demo-mailbox`: a small shop's mail of eighteen months, and more every few
//! seconds, served over TLS.
//!
//! Messages are made when a client asks for them. What has arrived is in the state folder, so that
//! after a restart the same UIDs are the same messages.

mod arguments;
mod credentials;
mod mailboxes;
mod state;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use vigie_common::clock;
use vigie_common::exit::Exit;
use vigie_common::notify;

pub use arguments::Arguments;

use crate::mailbox_server::{Account, MailboxServer, Security, Service};
use mailboxes::Mailboxes;
use state::{Origin, State};

/// Who may log in.
pub const USER: &str = "demo@example.org";
/// With which password.
pub const PASSWORD: &str = "demo";

/// What the program is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder of `ca.pem`, `password` and what has arrived.
    pub state: PathBuf,
    /// How many messages there are before the first start.
    pub messages: u64,
    /// How long until the next message, on average.
    pub every: Duration,
}

/// Why the demo mailbox cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another address, or an end to what listens there, is needed.
    #[error("cannot listen on {address}: {cause}; end what listens there or give another --listen")]
    Address {
        /// Where.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// The state folder cannot be used.
    #[error("{0:#}; give another --state, or remove the folder to start anew")]
    State(anyhow::Error),
}

impl Failure {
    /// How the process ends by it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Address { .. } => Exit::Unavailable,
            Self::State(_) => Exit::CannotWrite,
        }
    }
}

/// Serves the mailbox until the shutdown.
///
/// # Errors
/// The state folder or the address cannot be used.
pub async fn run(settings: Settings, shutdown: CancellationToken) -> Result<(), Failure> {
    let Settings { listen, state: folder, messages, every } = settings;
    let identity = credentials::prepare(&folder).map_err(Failure::State)?;
    let acceptor = identity.acceptor().map_err(Failure::State)?;
    let fresh = Origin::new(clock::now(), messages);
    let mut state = State::open(&folder.join("arrivals"), fresh).map_err(Failure::State)?;
    if state.origin.messages != messages {
        warn!(
            asked = messages,
            kept = state.origin.messages,
            "the mailbox was made with another number of messages, which stays"
        );
    }
    let account = Account::new(USER, PASSWORD);
    let mut mailboxes = Mailboxes::new(&account, &state);

    let service = Service::new([account]);
    let server = MailboxServer::start_on(&service, Security::Implicit(acceptor), listen)
        .await
        .map_err(|cause| Failure::Address { address: listen, cause })?;
    let (address, messages) = (server.address(), mailboxes.exists());
    info!(%address, messages, user = USER, folder = %folder.display(), "serving the demo mailbox over TLS");
    notify::ready(&format!("{messages} messages on {address}"));

    loop {
        let pause = mailboxes.pause(every);
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
        let arrival = mailboxes.next_arrival(clock::now());
        match state.record(&arrival) {
            Ok(()) => mailboxes.deliver(&arrival),
            Err(error) => error!(%error, "no new message: it cannot be recorded"),
        }
    }
    notify::stopping();
    Ok(())
}
