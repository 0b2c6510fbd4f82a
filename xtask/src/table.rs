//! Tables: aligned text for the terminal, Markdown for documents.

use std::fmt::Write;

/// A table with a heading; columns that hold only numbers are set to the right.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { heading: heading.iter().map(|&cell| cell.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.heading.len(), String::new());
        self.rows.push(row);
    }

    /// The table with aligned columns, two spaces apart.
    pub(crate) fn text(&self) -> String {
        let rule: Vec<String> = self.widths().into_iter().map(|width| "-".repeat(width)).collect();
        let lines = std::iter::once(&self.heading).chain([&rule]).chain(&self.rows);
        let mut out = String::new();
        for cells in lines {
            let _ = writeln!(out, "{}", self.aligned(cells).join("  ").trim_end());
        }
        out
    }

    /// The table in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let rule: Vec<&str> = (0..self.heading.len()).map(|c| if self.numeric(c) { "---:" } else { "---" }).collect();
        let mut out = format!("| {} |\n| {} |\n", self.heading.join(" | "), rule.join(" | "));
        for row in &self.rows {
            let _ = writeln!(out, "| {} |", row.join(" | "));
        }
        out
    }

    fn widths(&self) -> Vec<usize> {
        let longest = |c: usize| self.rows.iter().chain([&self.heading]).map(|row| row[c].chars().count()).max();
        (0..self.heading.len()).map(|c| longest(c).unwrap_or(0)).collect()
    }

    fn aligned(&self, cells: &[String]) -> Vec<String> {
        let pad = |(c, width): (usize, usize)| {
            if self.numeric(c) { format!("{:>width$}", cells[c]) } else { format!("{:<width$}", cells[c]) }
        };
        self.widths().into_iter().enumerate().map(pad).collect()
    }

    fn numeric(&self, column: usize) -> bool {
        let number = |cell: &str| cell.is_empty() || cell == "-" || cell.starts_with(|c: char| c.is_ascii_digit());
        !self.rows.is_empty() && self.rows.iter().all(|row| number(&row[column]))
    }
}

/// A count in groups of three, as the command line writes it: `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let mut table = Table::new(&["what", "bytes"]);
        table.row(["file", "1 200"]);
        table.row(["after the crop", "90"]);
        assert_eq!(
            table.text(),
            "what            bytes\n--------------  -----\nfile            1 200\nafter the crop     90\n"
        );
        assert!(table.markdown().starts_with("| what | bytes |\n| --- | ---: |\n| file | 1 200 |\n"));
    }

    #[test]
    fn groups_of_three() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1000, 1_234_567].map(grouped).each_ref().map(|s| s.as_str())
        );
    }
}
