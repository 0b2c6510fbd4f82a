//! Programs that some chores need and that a machine may lack: each is looked for, put in place where that is harmless,
//! and otherwise named with what to do, so that a step can be skipped visibly.

use crate::process;
use crate::workspace::Workspace;
use anyhow::Result;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something found, or one sentence on why not and how to get it.
pub(crate) type Found<T> = std::result::Result<T, String>;

/// A program of the search path.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

/// A Chromium: `CHROMIUM`, the usual names, else Debian's package where we may install it.
pub(crate) fn chromium() -> Found<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM").filter(|value| !value.is_empty()) {
        let path = PathBuf::from(named);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("CHROMIUM names {}, which does not exist", path.display()))
        };
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let find = || names.iter().find_map(|name| on_path(name));
    if let Some(path) = find() {
        return Ok(path);
    }
    let mac = Path::new("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
    if mac.is_file() {
        return Ok(mac.to_path_buf());
    }
    if Path::new("/etc/debian_version").exists() && is_root() {
        println!("no Chromium here: apt-get install chromium");
        let apt = |words: &[&str]| {
            let mut command = Command::new("apt-get");
            command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
            process::run(&mut command, "the browser tests need Chromium")
        };
        let install = ["install", "--yes", "--no-install-recommends", "chromium"];
        // The package lists may be older than the mirror.
        if apt(&install).or_else(|_| apt(&["update"]).and_then(|()| apt(&install))).is_ok()
            && let Some(path) = find()
        {
            return Ok(path);
        }
    }
    Err("no Chromium found: install chromium or Google Chrome, or set CHROMIUM to its program".to_owned())
}

fn is_root() -> bool {
    process::capture(Command::new("id").arg("-u"), "").is_ok_and(|id| id.trim() == "0")
}

/// A Python 3 that can import `module`: the system's, else one of our own under the target folder.
pub(crate) fn python_with(workspace: &Workspace, module: &str) -> Found<OsString> {
    let imports = |python: &OsString| process::succeeds(Command::new(python).args(["-c", &format!("import {module}")]));
    let system: Vec<OsString> = std::env::var_os("PYTHON")
        .into_iter()
        .chain(["python3".into(), "python".into()])
        .filter(|python| {
            process::succeeds(Command::new(python).args(["-c", "import sys; assert sys.version_info >= (3, 8)"]))
        })
        .collect();
    let Some(first) = system.first() else {
        return Err("no Python 3.8 or newer found: install python3, or set PYTHON to its program".to_owned());
    };
    if let Some(python) = system.iter().find(|python| imports(python)) {
        return Ok(python.clone());
    }
    let own = workspace.target.join("python");
    let program = own.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" }).into_os_string();
    if imports(&program) {
        return Ok(program);
    }
    println!("no {module} in {}: installing it under {}", first.to_string_lossy(), own.display());
    let built = process::succeeds(Command::new(first).args(["-m", "venv"]).arg(&own))
        && process::succeeds(Command::new(&program).args(["-m", "pip", "install", "--quiet", module]));
    if built && imports(&program) {
        Ok(program)
    } else {
        Err(format!("{module} is missing and could not be installed: pip install {module}"))
    }
}

/// A Python that has `module` already; nothing is installed.
pub(crate) fn python_having(module: &str) -> Found<OsString> {
    let candidates = std::env::var_os("PYTHON").into_iter().chain(["python3".into(), "python".into()]);
    let imports = |python: &OsString| process::succeeds(Command::new(python).args(["-c", &format!("import {module}")]));
    candidates
        .into_iter()
        .find(imports)
        .ok_or_else(|| format!("no Python here can import {module}: pip install {module}"))
}

/// Makes sure that the compiler can build for the browser.
pub(crate) fn wasm_compiler(workspace: &Workspace) -> Result<()> {
    let mut ask = workspace.program("rustc");
    let sysroot = process::capture(ask.args(["--print", "sysroot"]), "install Rust with rustup: https://rustup.rs")?;
    if Path::new(sysroot.trim()).join("lib/rustlib/wasm32-unknown-unknown").is_dir() {
        return Ok(());
    }
    println!("adding the compilation target wasm32-unknown-unknown");
    process::run(
        workspace.program("rustup").args(["target", "add", "wasm32-unknown-unknown"]),
        "without rustup, install the Rust standard library for wasm32-unknown-unknown from your system's packages",
    )
}
