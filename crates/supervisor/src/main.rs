//! `vigie-supervisor`: see [`vigie_supervisor`].

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use vigie_common::exit::Exit;
use vigie_supervisor::cli::Cli;
use vigie_supervisor::init;

fn main() -> ExitCode {
    if let Some(code) = init::as_process_1() {
        return code;
    }
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
            let _ = writeln!(std::io::stderr(), "vigie-supervisor: {}", failure.message);
            failure.exit.into()
        }
    }
}
