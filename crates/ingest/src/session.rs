//! A session with an IMAP server: one file a phase of the protocol (RFC 3501).

mod auth;
mod connect;
mod fetch;
mod list;
mod mutf7;
mod select;

pub use self::connect::{CONNECTING, connect, greet, presented};
pub use self::fetch::{Body, Flagged, Listed, SLICE, Slices};
pub use self::list::Found;
pub use self::select::{Examined, Told};
use async_imap::imap_proto::Capability;

use self::select::Extensions;
use crate::beat::Beat;
use crate::command::{Changes, Channel, Figures};
use crate::error::Result;

/// An authenticated connection, and what the server can do.
#[derive(Debug)]
pub struct Session {
    channel: Channel,
    capabilities: Capabilities,
    extensions: Extensions,
}

/// What a server says that it can do. Names are compared without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    /// Whether the server offers `name`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|c| c.eq_ignore_ascii_case(name))
    }

    fn add(&mut self, offered: &[Capability<'_>]) {
        self.0.extend(offered.iter().map(|capability| match capability {
            Capability::Imap4rev1 => "IMAP4rev1".to_owned(),
            Capability::Auth(mechanism) => format!("AUTH={mechanism}"),
            Capability::Atom(name) => name.to_string(),
        }));
    }
}

impl Session {
    /// A session on a channel that is authenticated.
    #[must_use]
    pub fn new(channel: Channel, capabilities: Capabilities) -> Self {
        Self { channel, capabilities, extensions: Extensions::default() }
    }

    /// What the server can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Tells this session from all others of the process.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.channel.serial()
    }

    /// From now on its waits are published by `beat`.
    pub fn set_beat(&mut self, beat: Beat) {
        self.channel.set_beat(beat);
    }

    /// What the connection cost since this was last asked.
    pub fn take_figures(&mut self) -> Figures {
        self.channel.take_figures()
    }

    /// A round trip that changes nothing, and brings news of the selected mailbox.
    ///
    /// # Errors
    /// The connection is lost, or refused.
    pub async fn noop(&mut self) -> Result<()> {
        self.channel.run("NOOP", "NOOP", |_| ()).await
    }

    /// Says good-bye. The answer is not worth waiting for.
    pub async fn logout(mut self) {
        let _ = self.channel.send("LOGOUT", "LOGOUT").await;
    }

    /// IDLE: see [`Channel::idle`].
    ///
    /// # Errors
    /// As there.
    pub async fn idle(
        &mut self,
        until: tokio::time::Instant,
        stop: impl Future<Output = ()>,
    ) -> Result<bool> {
        self.channel.idle(until, stop).await
    }

    /// Whether messages have come into the selected mailbox that nobody has looked for.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.channel.has_news()
    }

    /// They are about to be looked for. Gives back how many messages there are.
    pub fn take_news(&mut self) -> u32 {
        self.channel.take_news()
    }

    /// Messages in the selected mailbox, as last told.
    #[must_use]
    pub fn exists(&self) -> u32 {
        self.channel.exists()
    }

    /// Whether flags changed or messages went that nobody has looked at.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.channel.has_changes()
    }

    /// They are about to be looked at.
    pub fn take_changes(&mut self) -> Changes {
        self.channel.take_changes()
    }
}

/// A quoted string (RFC 3501 section 4.3).
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}
