//! `web`: the two browser modules, and the page around them, as a static folder.
//!
//! cargo, the bindings generator (linked in, so the lock file keeps it in step with the bindings), `wasm-opt` from npm,
//! Vite. Whatever did not change since the last run is not done again.

mod module;
mod size;

use crate::workspace::Workspace;
use crate::{npm, process, tools};
use anyhow::{Context, Result};
use clap::Args;
use module::Module;
use std::path::Path;

/// The smaller module decides when the first picture appears, so it is tuned for speed; it is built for browsers with
/// and without relaxed SIMD, and a browser loads one of the two. The GPU module's own code is plumbing, so it is tuned
/// for size.
const MODULES: [Module; 4] = [
    Module { name: "cpu", profile: "wasm", features: &[], relaxed: false, optimise: Some("-O3") },
    Module {
        name: "cpu-relaxed",
        profile: "wasm",
        features: &["--features", "relaxed"],
        relaxed: true,
        optimise: Some("-O3"),
    },
    Module {
        name: "gpu",
        profile: "wasm-gpu",
        features: &["--no-default-features", "--features", "gpu"],
        relaxed: false,
        optimise: Some("-Os"),
    },
    // Only for the benchmark page and the browser tests, so its size does not count, and optimising it takes minutes.
    Module {
        name: "bench",
        profile: "wasm-gpu",
        features: &["--no-default-features", "--features", "bench"],
        relaxed: false,
        optimise: None,
    },
];

/// What `cargo xtask web` can leave out.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// Leave the WebGPU module as it was built last: for quick rounds at the page
    #[arg(long)]
    pub(crate) skip_gpu: bool,
    /// Do not run wasm-opt and do not enforce the budgets: for quick rounds at the modules
    #[arg(long)]
    pub(crate) skip_opt: bool,
}

/// Builds everything into `www/dist` and reports the sizes.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    tools::wasm_compiler(workspace)?;
    if !options.skip_opt {
        npm::install(workspace, "xtask/npm")?;
    }
    for module in &MODULES {
        let kept = module.folder(workspace).join("tessera_web.js").is_file();
        if module.profile == "wasm-gpu" && options.skip_gpu && kept {
            println!("{}: kept as it was built last", module.name);
        } else {
            module.build(workspace, !options.skip_opt)?;
        }
    }
    samples(workspace)?;
    npm::install(workspace, "www")?;
    process::run(npm::npm(workspace, "www").args(["run", "build"]), "Vite's messages above say what to mend")?;
    let kept = size::report(workspace)?;
    println!("the page is in {}: any static server shows it", workspace.short(&workspace.path("www/dist")));
    if options.skip_opt { Ok(()) } else { kept }
}

/// Puts the samples where Vite copies them from. Those not encoded yet are left out of the list that the page reads.
fn samples(workspace: &Workspace) -> Result<()> {
    let (from, to) = (workspace.path("data"), workspace.path("www/public/samples"));
    let list = std::fs::read_to_string(from.join("samples.json"))
        .context("cannot read data/samples.json: run `cargo xtask samples`")?;
    let mut list: Vec<serde_json::Value> = serde_json::from_str(&list).context("data/samples.json is not a list")?;
    std::fs::create_dir_all(&to).with_context(|| format!("cannot create {}", workspace.short(&to)))?;
    let field = |sample: &serde_json::Value, key: &str| sample.get(key).and_then(|v| v.as_str()).map(str::to_owned);
    list.retain(|sample| {
        let file = field(sample, "file").filter(|file| from.join(file).is_file());
        if file.is_none() {
            println!("no {} in data/: run `cargo xtask samples`", field(sample, "file").unwrap_or_default());
        }
        file.is_some()
    });
    for name in list.iter().flat_map(|sample| ["file", "original"].map(|key| field(sample, key))).flatten() {
        copy_changed(&from.join(&name), &to.join(&name))?;
    }
    let text = serde_json::to_string_pretty(&list)? + "\n";
    std::fs::write(to.join("samples.json"), text).context("cannot write www/public/samples/samples.json")
}

/// Copies a file unless the copy is the same: a touched file would wake whatever watches the folder.
fn copy_changed(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if std::fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    std::fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}
