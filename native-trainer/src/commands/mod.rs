//! What is done about what was typed: one file per command, each with one `run`.

mod bench;
mod compare;
mod compress;
mod crop;
mod decode;
mod describe;
mod encode;
mod import;
mod info;
mod peak;
mod playback;
mod rd;
mod shell;
mod verify;
mod view;

use anyhow::Result;

use crate::arguments::{Arguments, Command};
use crate::report::Reporter;

/// Runs a command.
///
/// # Errors
/// Whatever the command could not do; [`crate::errors::exit_code`] turns it into a number.
pub fn run(arguments: &Arguments) -> Result<()> {
    start_log(arguments.global.verbose);
    let reporter = Reporter::new(&arguments.global);
    match &arguments.command {
        Command::Encode(a) => encode::run(a, &reporter),
        Command::Decode(a) => decode::run(a, &reporter),
        Command::Crop(a) => crop::run(a, &reporter),
        Command::Compress(a) => compress::run(a, &reporter),
        Command::Info(a) => info::run(a, &reporter),
        Command::Verify(a) => verify::run(a, &reporter),
        Command::Compare(a) => compare::run(a, &reporter),
        Command::Rd(a) => rd::run(a, &reporter),
        Command::Import(a) => import::run(a, &reporter),
        Command::View(a) => view::run(a, &reporter),
        Command::Bench(a) => bench::run(a, &reporter),
        Command::Completions(a) => shell::completions(a),
        Command::Man(a) => shell::manual(a, &reporter),
    }
}

/// `-v` shows our own debug lines, `-vv` those of every crate; `TESSERA_LOG` overrides both.
fn start_log(verbose: u8) {
    let default = match verbose {
        // What matters of what it says comes back as errors and notes.
        0 => "warn,symphonia=off",
        1 => "warn,tessera=debug,tessera_core=debug",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("TESSERA_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    // A second call in one process (tests) keeps the first log.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time();
    let _ = log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init();
}
