//! Frame rates as fractions: 29.97 frames per second are 30000/1001, and a clip of an hour shows the difference.

use std::fmt;
use std::str::FromStr;

/// Frames per second: a reduced fraction above 0, at most 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    frames: u32,
    seconds: u32,
}

/// No clip is faster; scientific cameras store such films at a rate at which they can be watched.
const FASTEST: u64 = 10_000;

impl Rate {
    /// `frames` per `seconds`; `None` for zero, for more than 10,000, and for what does not fit 32 bits when reduced.
    pub fn new(frames: u64, seconds: u64) -> Option<Self> {
        let divisor = greatest_common_divisor(frames, seconds);
        if frames == 0 || seconds == 0 || frames.div_ceil(seconds) > FASTEST {
            return None;
        }
        Some(Self { frames: u32::try_from(frames / divisor).ok()?, seconds: u32::try_from(seconds / divisor).ok()? })
    }

    /// The rate that a file's header keeps; `None` where it keeps none.
    pub fn of_header((frames, seconds): (u32, u32)) -> Option<Self> {
        Self::new(frames.into(), seconds.into())
    }

    /// The fraction, for a file's header.
    pub fn fraction(self) -> (u32, u32) {
        (self.frames, self.seconds)
    }

    /// The value.
    pub fn per_second(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds)
    }

    /// The frame of a source at rate `source` that is shown when frame `index` at this rate begins.
    pub fn source_frame(self, index: u64, source: Self) -> u64 {
        let from = u128::from(index) * u128::from(source.frames) * u128::from(self.seconds);
        let to = u128::from(source.seconds) * u128::from(self.frames);
        u64::try_from(from / to).unwrap_or(u64::MAX)
    }

    /// The frame at this rate that begins nearest to frame `index` of a source at rate `source`.
    pub fn nearest_frame(self, index: u64, source: Self) -> u64 {
        let from = u128::from(index) * u128::from(source.seconds) * u128::from(self.frames);
        let to = u128::from(source.frames) * u128::from(self.seconds);
        u64::try_from((from + to / 2) / to).unwrap_or(u64::MAX)
    }

    /// How many frames at this rate `count` frames at rate `source` last: as many as begin while they are shown.
    pub fn frames_for(self, count: u64, source: Self) -> u64 {
        let from = u128::from(count) * u128::from(source.seconds) * u128::from(self.frames);
        let to = u128::from(source.frames) * u128::from(self.seconds);
        u64::try_from(from.div_ceil(to)).unwrap_or(u64::MAX)
    }
}

impl Default for Rate {
    /// What pictures without a rate are played at: 25 frames per second.
    fn default() -> Self {
        Self { frames: 25, seconds: 1 }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seconds == 1 { write!(f, "{}", self.frames) } else { write!(f, "{}/{}", self.frames, self.seconds) }
    }
}

impl FromStr for Rate {
    type Err = String;

    /// `25`, `12.5` or `30000/1001`.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
        let fraction = if let Some((frames, seconds)) = text.split_once('/') {
            digits(frames).zip(digits(seconds))
        } else if let Some((whole, part)) = text.split_once('.') {
            let scale = u32::try_from(part.len()).ok().filter(|&n| n <= 9).map(|n| 10_u64.pow(n));
            digits(&format!("{whole}{part}")).zip(scale)
        } else {
            digits(text).map(|frames| (frames, 1))
        };
        fraction
            .and_then(|(frames, seconds)| Self::new(frames, seconds))
            .ok_or_else(|| format!("`{text}` is no frame rate: write 25, 12.5 or 30000/1001, at most {FASTEST}"))
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_reduced_and_printed() {
        for (text, printed) in
            [("25", "25"), ("12.5", "25/2"), ("30000/1001", "30000/1001"), ("50/2", "25"), (".5", "1/2")]
        {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), printed);
            assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
        }
        for wrong in ["", "0", "-1", "1/0", "25 fps", "99999", "1e3", "1.2.3", "+5", "1.0000000001"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn frames_are_shown_when_they_begin() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        let shown = |to: &str, from: &str, count: u64| -> Vec<u64> {
            (0..rate(to).frames_for(count, rate(from))).map(|i| rate(to).source_frame(i, rate(from))).collect()
        };
        assert_eq!(shown("25", "25", 4), [0, 1, 2, 3]);
        assert_eq!(shown("50", "25", 3), [0, 0, 1, 1, 2, 2]);
        assert_eq!(shown("10", "25", 10), [0, 2, 5, 7]);
        assert_eq!(shown("30", "25", 5), [0, 0, 1, 2, 3, 4]);
        assert_eq!(shown("1", "25", 1), [0]);
    }
}
