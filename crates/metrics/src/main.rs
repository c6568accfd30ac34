//! `vigie-metrics`: see [`vigie_metrics`].

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use vigie_common::exit::Exit;
use vigie_metrics::cli::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not faults.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    match cli.run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.message.is_empty() {
                let _ = writeln!(std::io::stderr(), "vigie-metrics: {}", failure.message);
            }
            failure.exit.into()
        }
    }
}
