//! The child with faults that the tests put under supervision: see [`vigie_testkit::fault`].

use std::process::ExitCode;

fn main() -> ExitCode {
    vigie_testkit::fault::run(std::env::args().skip(1))
}
