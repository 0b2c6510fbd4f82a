//! `check`: everything a reviewer should not have to look for: form, lints, documentation, features, dependencies.

use crate::process;
use crate::steps::{Outcome, Steps};
use crate::tools;
use crate::workspace::{GROUPS, Workspace};
use anyhow::{Result, bail};
use std::process::Command;

const COMPILER: &str = "the compiler's messages above say what to mend";

/// Runs the checks.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    let cargo = |words: &[&str]| {
        let mut command = workspace.cargo();
        command.args(words);
        command
    };
    steps.command("format", &mut cargo(&["fmt", "--all", "--check"]), "run `cargo fmt --all`");
    for (name, packages) in GROUPS {
        let mut lint = cargo(&["clippy", "--release", "--all-targets"]);
        steps.command(&format!("lints: {name}"), lint.args(packages).args(["--", "-D", "warnings"]), COMPILER);
    }
    for (name, features) in BROWSER_FEATURES {
        steps.step(&format!("lints: browser, {name}"), || {
            tools::wasm_compiler(workspace)?;
            let mut clippy = browser(workspace, "clippy");
            // The crate under it is held to the same bans here; its own tests may use files and clocks.
            clippy.args(["--package", "tessera-core"]).env("CLIPPY_CONF_DIR", workspace.path("web"));
            process::run(clippy.args(features).args(["--", "-D", "warnings"]), COMPILER)?;
            Ok(Outcome::Passed)
        });
    }
    for (name, packages) in GROUPS {
        let mut docs = cargo(&["doc", "--release", "--no-deps"]);
        docs.args(packages).env("RUSTDOCFLAGS", "-D warnings");
        // With its burn modules the core is only documented beside the program.
        if name == "program" {
            docs.args(["--package", "tessera-core"]);
        }
        steps.command(&format!("documentation: {name}"), &mut docs, "the messages above say what to mend");
    }
    steps.step("dependency policy", || policy(workspace));
    for rule in TREES {
        steps.step(rule.name, || rule.check(workspace));
    }
    features(workspace, &mut steps);
    steps.finish()
}

/// The browser modules as cargo features.
const BROWSER_FEATURES: [(&str, &[&str]); 3] = [
    ("cpu", &[]),
    ("gpu", &["--no-default-features", "--features", "gpu"]),
    ("bench", &["--no-default-features", "--features", "bench"]),
];

/// cargo on the bindings for wasm32, in the target folder of wasm builds.
fn browser(workspace: &Workspace, what: &str) -> Command {
    let mut cargo = workspace.cargo();
    cargo
        .args([what, "--release", "--package", "tessera-web", "--target", "wasm32-unknown-unknown"])
        .env("CARGO_TARGET_DIR", workspace.wasm_target());
    cargo
}

/// Every feature on its own, as far as this machine can compile it.
pub(crate) fn features(workspace: &Workspace, steps: &mut Steps) {
    let core = [("none", ""), ("burn", "burn"), ("gpu", "gpu")];
    for (name, features) in core {
        let mut check = workspace.cargo();
        check.args([
            "check",
            "--release",
            "--package",
            "tessera-core",
            "--no-default-features",
            "--features",
            features,
        ]);
        steps.command(&format!("features: core, {name}"), &mut check, COMPILER);
    }
    for features in ["ndarray", "wgpu", "vulkan", "webgpu", "metal", "cuda", "cuda-nvrtc"] {
        let mut check = workspace.cargo();
        check.args(["check", "--release", "--package", "tessera", "--features", features]);
        // Its build script downloads LLVM to link against; on documentation builds, which do not link, it does not.
        if features.starts_with("cuda") {
            check.env("DOCS_RS", "1").env("CARGO_TARGET_DIR", workspace.target.join("cuda"));
        }
        steps.command(&format!("features: tessera, {features}"), &mut check, COMPILER);
    }
}

fn policy(workspace: &Workspace) -> Result<Outcome> {
    if !process::succeeds(workspace.cargo().args(["deny", "--version"])) {
        return Ok(Outcome::Skipped("no cargo-deny: cargo install --locked cargo-deny".to_owned()));
    }
    let mut deny = workspace.cargo();
    process::run(
        deny.args(["deny", "check"]),
        "the message above names the crate; deny.toml says what is allowed and why",
    )?;
    Ok(Outcome::Passed)
}

/// What a dependency tree must not hold.
struct Tree {
    name: &'static str,
    /// Arguments for `cargo tree`.
    arguments: &'static [&'static str],
    /// Beginnings of crate names.
    without: &'static [&'static str],
    /// Crates that may occur in one version only.
    once: &'static [&'static str],
}

const TREES: &[Tree] = &[
    Tree {
        name: "tree: no GPU toolkit by default",
        arguments: &["--package", "tessera"],
        without: &[
            "wgpu",
            "naga",
            "ash",
            "cudarc",
            "cubecl-wgpu",
            "cubecl-cuda",
            "cubecl-llvm",
            "cubecl-cpu",
            "burn-ndarray",
            "burn-wgpu",
            "burn-cuda",
            "tch",
        ],
        once: &["burn-tensor"],
    },
    Tree {
        name: "tree: core stands alone",
        arguments: &["--package", "tessera-core"],
        without: &["burn", "cubecl", "wgpu", "rayon", "tokio", "web-sys", "getrandom"],
        once: &[],
    },
    Tree {
        name: "tree: the first module is small",
        arguments: &["--package", "tessera-web", "--target", "wasm32-unknown-unknown"],
        without: &["burn", "cubecl", "wgpu", "rayon", "image", "clap", "getrandom"],
        once: &["wasm-bindgen"],
    },
    Tree {
        name: "tree: the WebGPU module is for browsers",
        arguments: &[
            "--package",
            "tessera-web",
            "--target",
            "wasm32-unknown-unknown",
            "--no-default-features",
            "--features",
            "gpu",
        ],
        without: &[
            "ash",
            "cudarc",
            "burn-flex",
            "burn-ndarray",
            "burn-fusion",
            "burn-cubecl-fusion",
            "mio",
            "image",
            "clap",
        ],
        once: &["wgpu", "wasm-bindgen", "cubecl-core"],
    },
];

impl Tree {
    fn check(&self, workspace: &Workspace) -> Result<Outcome> {
        let mut tree = workspace.cargo();
        tree.args(["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"]).args(self.arguments);
        let text = process::capture(&mut tree, "cargo should be able to list the dependencies")?;
        // `name vX.Y.Z (path or marks)`.
        let mut crates: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        crates.sort_unstable();
        crates.dedup();
        let forbidden = |name: &str| {
            self.without.iter().any(|f| name == *f || name.strip_prefix(f).is_some_and(|r| r.starts_with('-')))
        };
        let found: Vec<&str> = crates.iter().map(|c| c.0).filter(|name| forbidden(name)).collect();
        if !found.is_empty() {
            bail!(
                "these do not belong in the tree: {}; `{} --invert CRATE` says who wants one",
                found.join(", "),
                process::line(&tree)
            );
        }
        for name in self.once {
            let mut versions: Vec<&str> =
                crates.iter().filter(|c| c.0 == *name).filter_map(|c| c.1.split_whitespace().next()).collect();
            versions.dedup();
            if versions.len() != 1 {
                bail!("{name} should occur in exactly one version, and occurs in {versions:?}");
            }
        }
        Ok(Outcome::Passed)
    }
}
