//! The built `tessera` in a folder of its own.
//!
//! Cargo gives a test the path of its own package's binaries only, so the program is found beside the test, where
//! cargo puts it, after asking cargo once to bring it up to date: a stale program would test yesterday's code.
//! `TESSERA_BIN` names another one, which is taken as it is.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// Path of the up-to-date program.
///
/// # Panics
/// Where it cannot be built.
pub fn tessera() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("TESSERA_BIN") {
            return PathBuf::from(program);
        }
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "--package", "tessera", "--bin", "tessera", "--target-dir"]);
        build.arg(profile.parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the program cannot be built");
        profile.join(format!("tessera{}", std::env::consts::EXE_SUFFIX))
    })
}

/// What a run left behind.
#[derive(Debug)]
pub struct Run {
    /// Exit code; -1 where a signal ended it.
    pub code: i32,
    /// Data.
    pub stdout: Vec<u8>,
    /// Talk.
    pub stderr: String,
}

impl Run {
    /// Standard output as text.
    ///
    /// # Panics
    /// Where it is none.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

/// A number of a report.
///
/// # Panics
/// Where there is none of this name.
pub fn number(report: &Value, name: &str) -> f64 {
    report[name].as_f64().unwrap_or_else(|| panic!("{name} in {report}"))
}

/// A folder that goes away with the test, and the program in it.
#[derive(Debug)]
pub struct Workplace {
    folder: TempDir,
}

impl Default for Workplace {
    fn default() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
}

impl Workplace {
    /// An empty folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file's bytes.
    ///
    /// # Panics
    /// Where it cannot be read.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Writes a file.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Names of all files, sorted.
    ///
    /// # Panics
    /// Where the folder cannot be read.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The program with arguments, in this folder, without the caller's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tessera());
        command.args(arguments).current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TESSERA_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    /// Runs the program with bytes on its standard input.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self.start(arguments, Stdio::piped());
        // A program that refuses its arguments does not read; that is its right.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the program and leaves it running; its output is piped.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(&self, arguments: &[&str], stdin: Stdio) -> Child {
        let mut command = self.command(arguments);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Checks what a report says of the file that was written: its bytes, that it is whole, and its PSNR against the original.
    ///
    /// # Panics
    /// Where it is otherwise.
    pub fn check_report(&self, report: &Value, original: &str, file: &str) {
        assert_eq!(number(report, "bytes"), self.read(file).len() as f64, "{report}");
        assert_eq!(self.json(&["verify", file])["valid"], true);
        let compared = self.json(&["compare", original, file]);
        assert!((number(&compared, "psnr_db") - number(report, "psnr_db")).abs() < 0.02, "{compared} {report}");
    }

    /// Starts the program, interrupts it after so many lines of JSON on its standard error, and gives all that it said
    /// there. It must end as interrupted programs do.
    ///
    /// # Panics
    /// Where it ends otherwise.
    #[cfg(unix)]
    pub fn interrupted(&self, arguments: &[&str], lines: usize) -> String {
        let mut child = self.start(arguments, Stdio::null());
        let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
        let (mut said, mut seen) = (String::new(), 0);
        while seen < lines {
            let before = said.len();
            assert!(stderr.read_line(&mut said).unwrap() > 0, "it ended by itself: {said}");
            seen += usize::from(said[before..].starts_with('{'));
        }
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        // Read while it ends: what it says must not fill the pipe.
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
        said
    }

    /// Runs the program, which must succeed.
    ///
    /// # Panics
    /// Where it does not.
    pub fn done(&self, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "tessera {}\n{}", arguments.join(" "), run.stderr);
        run
    }

    /// Runs the program with `--json`, which must succeed, and reads its report.
    ///
    /// # Panics
    /// Where it does not, or prints anything but one JSON value.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let run = self.done(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.text()))
    }

    /// Runs the program, which must fail with this code, and gives its message.
    ///
    /// # Panics
    /// Where it ends otherwise, or says nothing.
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, code, "tessera {}\n{}", arguments.join(" "), run.stderr);
        assert!(run.stderr.contains("error"), "{}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        run.stderr
    }
}
