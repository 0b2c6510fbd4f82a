//! Packages from npm, installed from the lock file only when that has changed.

use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::Command;

/// The program's name: on Windows it is a script that needs its ending.
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// npm, started in a folder of the workspace.
pub(crate) fn npm(workspace: &Workspace, folder: &str) -> Command {
    let mut command = workspace.program(NPM);
    command.current_dir(workspace.path(folder));
    command
}

/// `npm ci` in a folder, unless what is installed there came from the same lock file.
pub(crate) fn install(workspace: &Workspace, folder: &str) -> Result<()> {
    let lock = workspace.path(folder).join("package-lock.json");
    let wanted = fingerprint(&lock)
        .with_context(|| format!("cannot read {}: it is part of the checkout", workspace.short(&lock)))?;
    let stamp = workspace.path(folder).join("node_modules").join(".installed-from");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("npm ci in {folder}");
    process::run(
        npm(workspace, folder).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]),
        "needs Node 20.19 or newer with npm, and once a network or a filled npm cache",
    )?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", workspace.short(&stamp)))
}

/// SHA-256 of a file in hexadecimal.
pub(crate) fn fingerprint(path: &Path) -> Result<String> {
    Ok(hexadecimal(&std::fs::read(path)?))
}

/// SHA-256 of bytes in hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
