//! The command line of `vigie-demo-mailbox`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::SignedDuration;
use vigie_common::telemetry::Format;

use super::Settings;

/// Serves a made-up mailbox over IMAP with TLS: a shop's mail of eighteen months, and a new message
/// every few seconds. The user is demo@example.org; DIR/password has the password, DIR/ca.pem the CA.
#[derive(Debug, Parser)]
#[command(name = "vigie-demo-mailbox", version)]
pub struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2993")]
    listen: SocketAddr,
    /// The folder for the password, the certificates and what has arrived
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// How many messages there are at the first start
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    messages: u64,
    /// How long until the next message, on average
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = duration)]
    every: Duration,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = format())]
    pub log_format: Format,
    /// How much is logged
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: String,
}

impl From<Arguments> for Settings {
    fn from(arguments: Arguments) -> Self {
        let Arguments { listen, state, messages, every, .. } = arguments;
        Self { listen, state, messages, every }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    match Duration::try_from(duration) {
        Ok(duration) if duration >= Duration::from_millis(1) => Ok(duration),
        _ => Err(String::from("write a duration of at least 1ms, such as 4s")),
    }
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["text", "json"]).map(|name| match name.as_str() {
        "json" => Format::Json,
        _ => Format::Text,
    })
}
