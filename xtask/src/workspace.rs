//! Where things are: asked from cargo, so that `CARGO_TARGET_DIR` and configuration files are honoured everywhere.

use crate::process;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The members in two groups, as arguments for cargo: those that need the framework, and all others.
///
/// Cargo unifies features over everything it is asked for at once. Asked for all members together, it would build the
/// framework a second time, with features that only the others' benches and this program want; that is minutes. In
/// these groups the framework is the one that `cargo build --package tessera` uses.
pub(crate) const GROUPS: [(&str, &[&str]); 2] = [
    ("program", &["--package", "tessera", "--package", "tessera-tests"]),
    ("core and others", &["--workspace", "--exclude", "tessera", "--exclude", "tessera-tests"]),
];

/// The folders of the workspace.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo about the workspace in which this program was started.
    pub(crate) fn find() -> Result<Self> {
        let mut metadata = Command::new(cargo_program());
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
        // Set by `cargo run`: the folder of this crate in the checkout that is meant, wherever the build went.
        if let Some(crate_folder) = std::env::var_os("CARGO_MANIFEST_DIR") {
            metadata.current_dir(Path::new(&crate_folder));
        }
        let text = process::capture(&mut metadata, "run this inside a checkout of the project")?;
        serde_json::from_str(&text).context("cannot understand what `cargo metadata` printed")
    }

    /// cargo, started in the root folder.
    pub(crate) fn cargo(&self) -> Command {
        self.program(cargo_program())
    }

    /// A program, started in the root folder.
    pub(crate) fn program(&self, name: impl Into<OsString>) -> Command {
        let mut command = Command::new(name.into());
        command.current_dir(&self.root);
        command
    }

    /// A path below the root.
    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }

    /// A path for people: relative to the root where it lies below it.
    pub(crate) fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// The target folder of wasm builds: apart, because other compiler flags would otherwise rebuild the native side.
    pub(crate) fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// Builds the command line program and returns its path.
    pub(crate) fn build_program(&self) -> Result<PathBuf> {
        let mut build = self.cargo();
        build.args(["build", "--release", "--package", "tessera", "--bin", "tessera"]);
        process::run(&mut build, "the compiler's messages above say what to mend")?;
        Ok(self.target.join("release").join(format!("tessera{}", std::env::consts::EXE_SUFFIX)))
    }
}

fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
