//! Logs: text or JSON lines on stderr, through a writer that survives a closed pipe.
//!
//! Text of servers and senders goes through [`crate::text::inert`] before it becomes a field.

use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// These log passwords (async-imap prints LOGIN lines) and message contents below `warn`. No setting lifts that; at
/// `trace`, where it happens, such calls are not even compiled in (feature `release_max_level_debug` of `log`).
const QUIET: [&str; 2] = ["async_imap", "imap_proto"];

fn may_be_told(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::WARN || !QUIET.iter().any(|name| metadata.target().starts_with(name))
}

/// Starts logging for this process. `level` is a level (`info`) or a list of directives (`info,vigie_ingest=debug`).
///
/// # Errors
/// `level` is no such text.
pub fn start(format: Format, level: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(level)
        .map_err(|e| format!("--log-level {level}: {e}; write error, warn, info, debug or trace"))?;
    let secrets = filter_fn(may_be_told);
    let lines = tracing_subscriber::fmt::layer().log_internal_errors(false).with_writer(Stderr);
    let started = match format {
        Format::Text => {
            let colour = io::IsTerminal::is_terminal(&io::stderr())
                && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            tracing_subscriber::registry()
                .with(filter)
                .with(secrets)
                .with(lines.with_target(false).with_ansi(colour))
                .try_init()
        }
        Format::Json => tracing_subscriber::registry()
            .with(filter)
            .with(secrets)
            .with(lines.json().flatten_event(true).with_current_span(true).with_span_list(false))
            .try_init(),
    };
    started.map_err(|e| e.to_string())
}

/// Stderr without panics and without errors: when nobody reads any more, the work goes on.
#[derive(Debug, Clone, Copy)]
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().lock().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Stderr {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}
