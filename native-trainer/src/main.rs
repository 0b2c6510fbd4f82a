//! The binary `tessera`: parse what was typed, run it, turn the result into an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use tessera::{arguments::Arguments, commands, errors};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => return errors::usage(&refusal),
    };
    match commands::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => errors::report(&error, arguments.global.verbose),
    }
}
