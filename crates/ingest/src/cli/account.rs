//! `account add`: from a mail address to an account in the configuration, with a login that was tried.

mod add;
mod ask;
mod place;
mod server;
mod table;
mod write;

use std::path::{Path, PathBuf};

use vigie_common::cli::Outcome;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Find the server of a mailbox, try the login, and write the account to the configuration
    ///
    /// Asks what it needs to know at the terminal. Without one, or with --yes, it takes the flags, and what it proposes.
    Add(Box<Add>),
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Mail address, such as ada@example.org
    address: String,
    /// What the account is called: a-z, 0-9 and "-" [default: from the address]
    #[arg(long)]
    id: Option<String>,
    /// IMAP server [default: it is looked for]
    #[arg(long)]
    host: Option<String>,
    /// Port of the server [default: by --tls]
    #[arg(long, requires = "host")]
    port: Option<u16>,
    /// How the connection to --host is protected
    #[arg(long, requires = "host", value_parser = ["implicit", "starttls", "none"])]
    tls: Option<String>,
    /// Trust only the authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Take the certificate of this fingerprint alone (sha256:...), signed by whoever
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "ca_file")]
    pin: Option<String>,
    /// Login name [default: as the provider wants it]
    #[arg(long)]
    user: Option<String>,
    /// File that holds the password; "-" reads it from stdin and keeps it in secrets/ID beside the configuration
    #[arg(long, value_name = "FILE", conflicts_with = "oauth")]
    password_file: Option<PathBuf>,
    /// Sign in by OAuth instead of a password
    #[arg(long, value_name = "PROVIDER", value_parser = ["microsoft", "google"])]
    oauth: Option<String>,
    /// For OAuth: the application, as registered with the provider
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// For OAuth: file that holds the application's secret
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Names or patterns of the mailboxes to watch, with commas between them
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    mailboxes: Vec<String>,
    /// Take what is proposed instead of asking
    #[arg(long, short)]
    yes: bool,
}

pub(super) fn run(command: &Command, file: Option<&Path>) -> Outcome {
    match command {
        Command::Add(arguments) => add::run(arguments, file),
    }
}
