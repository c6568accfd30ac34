//! The demo's configuration, with a folder and ports of its own.

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// What the demo's configuration says, and what is to stand there instead.
const DATA: &str = "../target/demo";
const MAILBOX: &str = "2993";
const STATE: &str = "\"--state\", \"mailbox\"";

/// Ports that were free a moment ago.
pub(super) struct Ports {
    pub(super) supervisor: u16,
    metrics: u16,
    ingest: u16,
    pub(super) mailbox: u16,
}

impl Ports {
    pub(super) fn free() -> Result<Self> {
        // Held until all are known, so that none is given twice.
        let bind = || TcpListener::bind(("127.0.0.1", 0)).context("cannot find a free port");
        let held = [bind()?, bind()?, bind()?, bind()?];
        let mut ports = [0; 4];
        for (port, listener) in ports.iter_mut().zip(&held) {
            *port = listener.local_addr().context("cannot find a free port")?.port();
        }
        let [supervisor, metrics, ingest, mailbox] = ports;
        Ok(Self { supervisor, metrics, ingest, mailbox })
    }
}

/// `demo` with its data in `data`, on `ports`, open without a log-in, and with more mail than the demo has.
pub(super) fn of(demo: &str, data: &Path, ports: &Ports) -> Result<String> {
    for known in [DATA, MAILBOX, STATE, "[ingest]\n"] {
        ensure!(demo.contains(known), "the configuration of the demo has no `{known}` any more");
    }
    // Whoever is named there, and all that could come after it, is left out.
    let (demo, _) = demo.split_once("[[user]]").unwrap_or((demo, ""));
    let demo = demo
        .replace(DATA, &data.display().to_string())
        .replace(MAILBOX, &ports.mailbox.to_string())
        .replace(STATE, &format!("{STATE}, \"--every\", \"100ms\""))
        .replace("[ingest]\n", &format!("[ingest]\nlisten = \"127.0.0.1:{}\"\n", ports.ingest));
    Ok(format!(
        "{demo}\n[supervisor]\nlisten = \"127.0.0.1:{}\"\n\n[metrics]\nlisten = \"127.0.0.1:{}\"\n",
        ports.supervisor, ports.metrics
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_can_be_moved() {
        let demo = std::fs::read_to_string(crate::workspace::root().join("config/demo.toml")).unwrap();
        let ports = Ports { supervisor: 1, metrics: 2, ingest: 3, mailbox: 4 };
        let text = of(&demo, Path::new("/there"), &ports).unwrap();
        assert!(
            !text.contains("2993") && !text.contains("target/demo") && !text.contains("[[user]]"),
            "{text}"
        );
        assert!(
            text.contains("\"127.0.0.1:4\", \"--state\"") && text.contains("listen = \"127.0.0.1:3\""),
            "{text}"
        );
    }
}
