//! What a command says: results on stdout, talk on stderr.
//!
//! Results are either one JSON object (or a list, for `bench`) with units in the names, or lines for people. A command
//! whose result is a file has nothing for stdout but that JSON; its summary is talk.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::arguments::GlobalArguments;

/// The voice of one run.
#[derive(Debug, Clone, Copy)]
pub struct Reporter {
    json: bool,
    quiet: bool,
}

impl Reporter {
    /// As the user asked.
    pub fn new(global: &GlobalArguments) -> Self {
        Self { json: global.json, quiet: global.quiet }
    }

    /// Whether results are JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether only results and errors are wanted.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// A line of talk.
    pub fn say(&self, line: impl std::fmt::Display) {
        if !self.quiet {
            // Nothing can be done about a closed stderr.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// The result of a command that wrote a file: JSON on stdout, or a summary as talk.
    ///
    /// # Errors
    /// Where stdout cannot be written.
    pub fn summary(&self, result: &impl Serialize, human: impl FnOnce() -> String) -> Result<()> {
        if self.json {
            return print(&json_text(result)?);
        }
        if !self.quiet {
            self.say(human().trim_end());
        }
        Ok(())
    }

    /// The result of a command whose result is what it prints.
    ///
    /// # Errors
    /// Where stdout cannot be written.
    pub fn answer(&self, result: &impl Serialize, human: impl FnOnce() -> String) -> Result<()> {
        if self.json { print(&json_text(result)?) } else { print(human().trim_end()) }
    }
}

fn json_text(result: &impl Serialize) -> Result<String> {
    serde_json::to_string_pretty(result).context("the report cannot be written as JSON")
}

/// A text and a line end on stdout.
///
/// # Errors
/// Where stdout cannot be written.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).context("cannot write to stdout")
}

/// `206,610`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `826.4 KB`: decimal units, as shops and browsers use them.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn bytes(count: u64) -> String {
    let value = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} KB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} MB", value / 1e6),
        _ => format!("{:.2} GB", value / 1e9),
    }
}

/// `0.42 s`, `38.1 s`, `5 min 12 s`.
pub fn duration(seconds: f64) -> String {
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 0.1 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 10.0 {
        format!("{seconds:.2} s")
    } else if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else if seconds < 7200.0 {
        format!("{:.0} min {:02.0} s", (seconds / 60.0).floor(), seconds % 60.0)
    } else {
        format!("{:.0} h {:02.0} min", (seconds / 3600.0).floor(), (seconds % 3600.0) / 60.0)
    }
}

/// `29.20 dB`, or that nothing differs.
pub fn decibels(psnr: f64) -> String {
    if psnr == f64::INFINITY { "identical".to_owned() } else { format!("{psnr:.2} dB") }
}

/// JSON has no infinity: `null` stands for the PSNR of identical signals.
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// Lines of `name  value`, aligned.
#[derive(Debug, Default)]
pub struct Facts(Vec<(String, String)>);

impl Facts {
    /// No lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a line if there is something to say.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &self.0 {
            writeln!(f, "{name:width$}  {value}")?;
        }
        Ok(())
    }
}

/// A table with a head; numbers are the caller's text, every column but the first is aligned to the right.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column titles.
    pub fn new(titles: &[&str]) -> Self {
        Self { rows: vec![titles.iter().map(|&t| t.to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows[0].len();
        let widths: Vec<usize> = (0..columns)
            .map(|c| self.rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0))
            .collect();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let cell = if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
                line.push_str(&cell);
            }
            writeln!(f, "{}", line.trim_end())?;
            if index == 0 {
                writeln!(f, "{}", "─".repeat(widths.iter().sum::<usize>() + 2 * (columns - 1)))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(206_610), "206,610");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(bytes(826_440), "826.4 KB");
        assert_eq!(duration(312.0), "5 min 12 s");
        assert_eq!(duration(0.0421), "42.1 ms");
        assert_eq!(finite(f64::INFINITY), None);
    }

    #[test]
    fn tables_align() {
        let mut table = Table::new(&["part", "bytes"]);
        table.row(vec!["0".into(), "1,234".into()]);
        assert_eq!(table.to_string(), "part  bytes\n───────────\n0     1,234\n");
    }
}
