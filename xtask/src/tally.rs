//! Counting tests from what the test programs print.

use std::ops::AddAssign;

/// Tests, or whole steps where a step does not count its tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Tally {
    /// cargo test: one `test result: ok. 6 passed; 0 failed; 1 ignored; ...` for each test program. A test that finds
    /// its data absent prints a line that begins with `SKIPPED` and then returns, which cargo counts as passed.
    pub(crate) fn of_cargo(text: &str) -> Self {
        let (mut tally, mut absent) = (Self::default(), 0);
        for line in plain(text).lines() {
            if let Some(counts) = line.trim_start().strip_prefix("test result:") {
                tally.passed += before(counts, "passed");
                tally.failed += before(counts, "failed");
                tally.skipped += before(counts, "ignored");
            } else if line.starts_with("SKIPPED") {
                absent += 1;
            }
        }
        tally.passed = tally.passed.saturating_sub(absent);
        tally.skipped += absent;
        tally
    }

    /// vitest: `      Tests  2 failed | 11 passed | 1 skipped (14)`.
    pub(crate) fn of_vitest(text: &str) -> Self {
        let text = plain(text);
        let line = text.lines().rev().find(|line| line.trim_start().starts_with("Tests ")).unwrap_or_default();
        Self {
            passed: before(line, "passed"),
            failed: before(line, "failed"),
            skipped: before(line, "skipped") + before(line, "todo"),
        }
    }

    /// node --test --test-reporter=tap: `# pass 11`, `# fail 0`, `# skipped 1`, `# cancelled 0`, `# todo 0`.
    pub(crate) fn of_tap(text: &str) -> Self {
        let count = |name: &str| {
            let prefix = format!("# {name} ");
            text.lines().filter_map(|line| line.strip_prefix(&prefix)?.trim().parse::<u64>().ok()).sum::<u64>()
        };
        Self {
            passed: count("pass"),
            failed: count("fail") + count("cancelled"),
            skipped: count("skipped") + count("todo"),
        }
    }
}

/// The number in front of a word, 0 where the word does not stand.
fn before(text: &str, word: &str) -> u64 {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || ";.|()".contains(c)).filter(|w| !w.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

/// Text without terminal colours.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_counts_every_program_and_moves_what_skipped_itself() {
        let text = "test a ... ok\ntest result: ok. 6 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\nSKIPPED photos: absent\n\
                    test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(Tally::of_cargo(text), Tally { passed: 8, failed: 2, skipped: 2 });
    }

    #[test]
    fn vitest_counts_tests_not_files() {
        let text = " Test Files  2 passed (2)\n\u{1b}[2m      Tests \u{1b}[22m \u{1b}[31m2 failed\u{1b}[39m | \u{1b}[32m11 passed\u{1b}[39m | 1 skipped (14)\n";
        assert_eq!(Tally::of_vitest(text), Tally { passed: 11, failed: 2, skipped: 1 });
    }

    #[test]
    fn tap_counts_cancelled_as_failed() {
        let text = "ok 1 - a\n# tests 5\n# pass 3\n# fail 0\n# cancelled 1\n# skipped 1\n# todo 0\n";
        assert_eq!(Tally::of_tap(text), Tally { passed: 3, failed: 1, skipped: 1 });
    }
}
