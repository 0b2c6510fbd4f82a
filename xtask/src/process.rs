//! Starting other programs, with errors that say what was started, how it ended and what to do.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

/// The command line as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.to_string_lossy(), quoted(&value.to_string_lossy())));
        }
    }
    words.push(quoted(&command.get_program().to_string_lossy()));
    words.extend(command.get_args().map(|word| quoted(&word.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

/// Runs to the end with this program's own input and output; `hint` says what to do when it fails.
pub(crate) fn run(command: &mut Command, hint: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`: {hint}", line(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status}): {hint}", line(command));
    }
    Ok(())
}

/// Runs to the end and returns what it wrote to standard output.
pub(crate) fn capture(command: &mut Command, hint: &str) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{}`: {hint}", line(command)))?;
    if !output.status.success() {
        bail!("`{}` failed ({}): {hint}", line(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed something that is not text", line(command)))
}

/// Whether a program starts and succeeds, silently: to find out what is installed.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// What a program said that was shown while it ran.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Whether it ended with success.
    pub(crate) success: bool,
    /// Everything on standard output, then everything on standard error.
    pub(crate) text: String,
}

/// Runs to the end, showing the output as it comes and keeping it.
pub(crate) fn show(command: &mut Command) -> Result<Shown> {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = piped.with_context(|| format!("cannot start `{}`", line(command)))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let talk = std::thread::spawn(move || err.map_or_else(String::new, |pipe| pass_on(pipe, std::io::stderr())));
    let mut text = out.map_or_else(String::new, |pipe| pass_on(pipe, std::io::stdout()));
    let status = child.wait().context("cannot wait for the program's end")?;
    text.push_str(&talk.join().unwrap_or_default());
    Ok(Shown { success: status.success(), text })
}

/// Copies lines until the pipe closes. A reader that stopped early would stall the program, so trouble with our own
/// output is ignored.
fn pass_on(pipe: impl Read, mut to: impl Write) -> String {
    let mut kept = String::new();
    let mut reader = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
        let _ = to.write_all(&bytes);
        kept.push_str(&String::from_utf8_lossy(&bytes));
        bytes.clear();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_can_be_pasted_into_a_shell() {
        let mut command = Command::new("tessera");
        command.env("A", "x y").args(["crop", "slab=0:0,15", "two words"]);
        assert_eq!(line(&command), "A='x y' tessera crop slab=0:0,15 'two words'");
    }

    #[test]
    fn failures_name_the_command_and_the_remedy() {
        let error = run(&mut Command::new("no-such-program-here"), "install it").unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot start `no-such-program-here`: install it"), "{error:#}");
    }
}
