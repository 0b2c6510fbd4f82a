//! Ctrl-C, SIGTERM and SIGHUP set a flag. The second Ctrl-C ends the program at once, for users who mean it.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

static STOP: AtomicBool = AtomicBool::new(false);

/// Watches for signals from now on.
///
/// # Errors
/// Where the operating system refuses the handler, or it was installed before.
pub fn watch() -> Result<&'static AtomicBool> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })
    .context("cannot watch for Ctrl-C")?;
    Ok(&STOP)
}
