//! `--log-dir` writes what TensorBoard itself reads. pip installs it into a folder of its own beside the build; where
//! that cannot be done, the test is skipped and says so.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tessera_tests::pictures::picture;
use tessera_tests::program::Workplace;
use tessera_tests::sounds::{wav, wave};

/// The reader alone, without what draws: TensorBoard and what its reader imports.
const PACKAGES: [&str; 2] = ["tensorboard==2.20.0", "setuptools<81"];

/// A Python and the folder with TensorBoard for its path; `None`, and a line that says why, where there is none.
fn tensorboard() -> Option<(&'static str, PathBuf)> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tensorboard");
    let python = "python3";
    let imports = || {
        let mut command = Command::new(python);
        command.args(["-c", "from tensorboard.backend.event_processing import event_accumulator"]);
        command.env("PYTHONPATH", &folder).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !imports() {
        let installed = Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
            .arg(&folder)
            .args(PACKAGES)
            .output();
        let reason = match installed {
            Ok(output) if output.status.success() && imports() => None,
            Ok(output) => {
                Some(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("it says nothing").to_owned())
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = reason {
            // Straight to the terminal: the test harness swallows what `eprintln` prints.
            let _ = writeln!(std::io::stderr(), "SKIPPED cli_log: TensorBoard cannot be installed by pip: {reason}");
            return None;
        }
    }
    Some((python, folder))
}

fn read(python: &str, packages: &Path, log: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reader/read_log.py");
    let output = Command::new(python).arg(script).arg(log).env("PYTHONPATH", packages).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn tensorboard_reads_curves_and_pictures() {
    let Some((python, packages)) = tensorboard() else { return };
    let place = Workplace::new();
    picture("rgb8", 40, 30).save(place.path("a.png")).unwrap();
    let report = place.json(&["encode", "a.png", "-o", "a.inr", "--steps", "60", "--log-dir", "runs/a"]);
    let found = read(python, &packages, &place.path("runs/a"));
    for tag in ["training/loss", "training/psnr_db", "training/learning_rate", "training/samples_per_second"] {
        let points = found["scalars"][tag].as_array().unwrap();
        assert_eq!(points.last().unwrap()[0], 60, "{tag}");
    }
    let written = |tag: &str| found["scalars"][tag][0][1].as_f64().unwrap();
    assert!((written("written/psnr_db") - report["psnr_db"].as_f64().unwrap()).abs() < 1e-3);
    assert_eq!(written("written/bytes"), report["bytes"].as_f64().unwrap());
    for (tag, step) in [("original", 0), ("decoded", 60)] {
        assert_eq!(found["images"][tag][0], serde_json::json!([step, 40, 30, "\u{89}PNG"]));
    }
    // Another run into the same folder is one curve more, not a broken file.
    place.done(&["encode", "a.png", "-o", "b.inr", "--steps", "5", "--log-dir", "runs/a"]);
    read(python, &packages, &place.path("runs/a"));
}

#[test]
fn tensorboard_hears_sounds() {
    let Some((python, packages)) = tensorboard() else { return };
    let place = Workplace::new();
    place.write("a.wav", &wav(&wave(6_000, 2), 2, 8_000, 16));
    place.done(&["encode", "a.wav", "-o", "a.inr", "--steps", "20", "--log-dir", "runs/a"]);
    let found = read(python, &packages, &place.path("runs/a"));
    for (tag, step) in [("original", 0), ("decoded", 20)] {
        assert_eq!(found["audio"][tag][0], serde_json::json!([step, 8_000, 2, 6_000]), "{tag}");
    }
    assert_eq!(found["scalars"]["training/psnr_db"].as_array().unwrap().last().unwrap()[0], 20);
}

#[test]
fn a_log_that_cannot_be_written_is_said_before_training() {
    let place = Workplace::new();
    picture("l8", 8, 8).save(place.path("a.png")).unwrap();
    place.write("runs", b"a file");
    assert!(place.fails(1, &["encode", "a.png", "-o", "a.inr", "--log-dir", "runs"]).contains("runs"));
    assert!(!place.path("a.inr").exists());
}
