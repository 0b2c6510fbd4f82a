//! Ctrl-C, SIGTERM and SIGHUP set a flag. The second Ctrl-C ends the program at once, for users who mean it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

static WATCHED: OnceLock<Result<(), String>> = OnceLock::new();
static STOP: AtomicBool = AtomicBool::new(false);

/// Watches for signals from now on.
///
/// # Errors
/// Where the operating system refuses the handler.
pub fn watch() -> Result<&'static AtomicBool> {
    let watched = WATCHED.get_or_init(|| {
        ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        })
        .map_err(|error| error.to_string())
    });
    match watched {
        Ok(()) => Ok(&STOP),
        Err(error) => Err(anyhow::anyhow!("cannot watch for Ctrl-C: {error}")),
    }
}
