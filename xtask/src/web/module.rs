//! One browser module: compiled, bound, optimised, put where the page imports it from.

use super::copy_changed;
use crate::workspace::Workspace;
use crate::{npm, process};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Instant;
use wasm_bindgen_cli_support::Bindgen;

/// What the optimiser may use: exactly what the compiler may use, see `.cargo/config.toml`, plus what the compiler
/// has on by itself for this target.
const FEATURES: [&str; 8] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-bulk-memory-opt",
];

/// The compiler's flags for a module with relaxed SIMD, on top of those for all.
const RELAXED: &str = r#"target.wasm32-unknown-unknown.rustflags=["-Ctarget-feature=+relaxed-simd"]"#;

/// The files that make up a module, as the generator names them.
const FILES: [&str; 4] = ["tessera_web.js", "tessera_web.d.ts", "tessera_web_bg.wasm", "tessera_web_bg.wasm.d.ts"];

/// How one of the modules is made.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: &'static str,
    /// The cargo profile.
    pub(super) profile: &'static str,
    /// Feature arguments for cargo.
    pub(super) features: &'static [&'static str],
    /// Whether it may use relaxed SIMD, which not every browser has.
    pub(super) relaxed: bool,
    /// The level for wasm-opt, where it is worth its time.
    pub(super) optimise: Option<&'static str>,
}

impl Module {
    /// Where the page imports it from.
    pub(super) fn folder(&self, workspace: &Workspace) -> PathBuf {
        workspace.path("www/src/wasm").join(self.name)
    }

    /// Brings the module up to date.
    pub(super) fn build(&self, workspace: &Workspace, optimise: bool) -> Result<()> {
        let start = Instant::now();
        let raw = self.compile(workspace)?;
        let bound = self.bind(workspace, &raw, self.optimise.filter(|_| optimise))?;
        let folder = self.folder(workspace);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", workspace.short(&folder)))?;
        for file in FILES {
            copy_changed(&bound.join(file), &folder.join(file))?;
        }
        println!("{}: in {} after {:.1} s", self.name, workspace.short(&folder), start.elapsed().as_secs_f64());
        Ok(())
    }

    fn compile(&self, workspace: &Workspace) -> Result<PathBuf> {
        let target = workspace.wasm_target();
        let mut cargo = workspace.cargo();
        cargo
            .args(["build", "--package", "tessera-web", "--lib", "--target", "wasm32-unknown-unknown", "--profile"])
            .arg(self.profile)
            .args(self.features)
            .args(self.relaxed.then_some(["--config", RELAXED]).into_iter().flatten())
            .env("CARGO_TARGET_DIR", &target);
        process::run(&mut cargo, "the compiler's messages above say what to mend")?;
        Ok(target.join("wasm32-unknown-unknown").join(self.profile).join("tessera_web.wasm"))
    }

    /// Bindings and optimised code, in a folder that remembers what it was made from.
    fn bind(&self, workspace: &Workspace, raw: &Path, level: Option<&str>) -> Result<PathBuf> {
        let kind = if level.is_some() { "optimised" } else { "plain" };
        let folder = workspace.wasm_target().join("bound").join(format!("{}-{kind}", self.name));
        let stamp = folder.join("made-from");
        let recipe = level.map(|level| self.optimiser_arguments(level).join(" ")).unwrap_or_default();
        let tools = npm::fingerprint(&workspace.path("xtask/npm/package-lock.json"))?;
        let compiled = npm::fingerprint(raw).with_context(|| format!("cannot read {}", raw.display()))?;
        // The generator's version needs no mention: the module holds it, and the generator takes no other.
        let made_from = format!("{compiled} {tools} {recipe}");
        if std::fs::read_to_string(&stamp).is_ok_and(|text| text == made_from) {
            return Ok(folder);
        }
        // Without the stamp an interrupted run is started over.
        let _ = std::fs::remove_file(&stamp);
        Bindgen::new()
            .input_path(raw)
            .web(true)
            .and_then(|bindgen| bindgen.typescript(true).omit_default_module_path(true).generate(&folder))
            .with_context(|| format!("cannot generate the bindings of {}", raw.display()))?;
        if let Some(level) = level {
            self.optimise(workspace, &folder.join("tessera_web_bg.wasm"), level)?;
        }
        std::fs::write(&stamp, made_from).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(folder)
    }

    fn optimiser_arguments<'a>(&self, level: &'a str) -> Vec<&'a str> {
        let relaxed = self.relaxed.then_some("--enable-relaxed-simd");
        [level].into_iter().chain(FEATURES).chain(relaxed).collect()
    }

    fn optimise(&self, workspace: &Workspace, file: &Path, level: &str) -> Result<()> {
        let before = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
        println!("{}: wasm-opt {level} on {before} bytes", self.name);
        let mut tool = workspace.program("node");
        tool.arg(workspace.path("xtask/npm/node_modules/binaryen/bin/wasm-opt"))
            .args(self.optimiser_arguments(level))
            .arg("--output")
            .arg(file)
            .arg(file);
        process::run(&mut tool, "needs Node 20.19 or newer; `--skip-opt` does without")
    }
}
