//! `vigie-demo-mailbox`: an IMAP server with a mailbox to try Vigie on.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use vigie_common::exit::Exit;
use vigie_common::{shutdown, telemetry};
use vigie_testkit::demo::{self, Arguments};

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => start(arguments).into(),
        Err(error) => {
            // Help and version were asked for and go to stdout; the rest is a mistake.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
        }
    }
}

fn start(arguments: Arguments) -> Exit {
    if let Err(error) = telemetry::start(arguments.log_format, &arguments.log_level) {
        let _ = writeln!(std::io::stderr(), "error: {error}");
        return Exit::Usage;
    }
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(serve(arguments)),
        Err(error) => {
            tracing::error!(%error, "cannot start");
            Exit::Internal
        }
    }
}

async fn serve(arguments: Arguments) -> Exit {
    let shutdown = match shutdown::on_signals() {
        Ok(shutdown) => shutdown,
        Err(error) => {
            tracing::error!(%error, "cannot take signals");
            return Exit::Internal;
        }
    };
    match demo::run(arguments.into(), shutdown).await {
        Ok(()) => Exit::Done,
        Err(failure) => {
            tracing::error!("{failure}");
            failure.exit()
        }
    }
}
