//! Ctrl-C, SIGTERM and SIGHUP set a flag. The second Ctrl-C ends the program at once, for users who mean it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

static STOP: AtomicBool = AtomicBool::new(false);
static WATCHED: Mutex<bool> = Mutex::new(false);

/// Watches for signals from now on; once is enough.
///
/// # Errors
/// Where the operating system refuses the handler.
pub fn watch() -> Result<&'static AtomicBool> {
    let mut watched = WATCHED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*watched {
        ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        })
        .context("cannot watch for Ctrl-C")?;
        *watched = true;
    }
    Ok(&STOP)
}
