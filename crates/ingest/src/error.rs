//! What can go wrong with an account or a mailbox; the variants say what the caller does next.

use std::sync::Arc;

use vigie_common::secret::SecretError;
use vigie_common::text::inert;

/// Text of a server that goes into a message is cut to this.
const QUOTED: usize = 200;

/// What can go wrong with an account or a mailbox.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Try again after a while: nobody answers.
    #[error("cannot reach {host}:{port}: {cause}")]
    Unreachable {
        /// Host of the account.
        host: String,
        /// Port of the account.
        port: u16,
        /// Why, and what to look at.
        cause: String,
    },
    /// Try again after a while: no trustworthy encryption.
    #[error("no TLS with {host}:{port}: {cause}")]
    Tls {
        /// Host of the account.
        host: String,
        /// Port of the account.
        port: u16,
        /// Why, and what to do.
        cause: String,
    },
    /// Connect again: the connection ended, fell silent, or can no longer be trusted to be in step.
    #[error("connection lost during {during}: {cause}")]
    Lost {
        /// The command.
        during: &'static str,
        /// Why.
        cause: String,
    },
    /// The command was answered by NO or BAD; the connection is still good.
    #[error("the server refused {command}: {text}")]
    Refused {
        /// The command.
        command: &'static str,
        /// What the server said.
        text: String,
    },
    /// Stop asking: the server does not know this user with this password.
    #[error("the server refused user {user}: {text}")]
    Credentials {
        /// Login name.
        user: String,
        /// What the server said.
        text: String,
    },
    /// Stop asking: whoever gives out access tokens gives none until a person acts.
    #[error("no access token for {user}: {text}")]
    Token {
        /// Login name.
        user: String,
        /// Why, and what to do.
        text: String,
    },
    /// Let the whole account rest: the provider asks for less.
    #[error("the provider asks for less: {text}")]
    Throttled {
        /// For so long, where it says so.
        wait: Option<std::time::Duration>,
        /// Fewer connections may do.
        crowded: bool,
        /// What the server said.
        text: String,
    },
    /// A secret that logging in takes cannot be had.
    #[error("cannot log in: {0}")]
    Secret(Arc<SecretError>),
    /// The server cannot do what is needed.
    #[error("{0}")]
    Unsuitable(String),
    /// The archive cannot take it now.
    #[error(transparent)]
    Archive(#[from] Arc<vigie_archive::Error>),
    /// Look at the mailbox again: ids of its present generation already name other messages.
    #[error("the server reuses UIDs of this mailbox for other messages")]
    Conflict,
    /// The work was broken off by the end of the process.
    #[error("stopped")]
    Stopped,
    /// A fault of ours.
    #[error("internal fault: {0}")]
    Internal(String),
}

/// The result of most of what ingest does.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// In a word that stays the same, for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Tls { .. } => "tls",
            Self::Lost { .. } => "lost",
            Self::Refused { .. } => "refused",
            Self::Credentials { .. } => "credentials",
            Self::Token { .. } => "token",
            Self::Throttled { .. } => "throttled",
            Self::Secret(_) => "password",
            Self::Unsuitable(_) => "unsuitable",
            Self::Archive(_) => "archive",
            Self::Conflict => "conflict",
            Self::Stopped => "stopped",
            Self::Internal(_) => "internal",
        }
    }

    /// Whether a person has to act before it is of use to try again.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Credentials { .. } | Self::Token { .. })
    }

    /// Whether the server ended a session because its access token has come to its end (Exchange Online: `BYE Session
    /// invalidated - AccessTokenExpired`).
    #[must_use]
    pub fn is_end_of_token(&self) -> bool {
        matches!(self, Self::Lost { cause, .. } if cause.contains("AccessTokenExpired"))
    }

    /// Whether there is too little room to store anything.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Archive(cause) if matches!(**cause, vigie_archive::Error::Full { .. }))
    }

    /// A loss of the connection, told by an I/O error. Text of the server in it is cut and made inert.
    pub(crate) fn lost(during: &'static str, error: &std::io::Error) -> Self {
        // async-imap's own errors may quote whole buffers: only the guard's words and the system's are repeated.
        let cause =
            match (error.get_ref().and_then(|e| e.downcast_ref::<crate::guard::Violation>()), error.kind()) {
                (Some(violation), _) => violation.to_string(),
                (None, std::io::ErrorKind::Other) => "the server sent what is not IMAP".into(),
                (None, std::io::ErrorKind::UnexpectedEof) => "the server closed the connection".into(),
                (None, _) => inert(&error.to_string(), QUOTED),
            };
        Self::Lost { during, cause }
    }
}

/// Text of a server as it may stand in an error or a log line.
pub(crate) fn quoted(text: &str) -> String {
    inert(text.trim(), QUOTED)
}
