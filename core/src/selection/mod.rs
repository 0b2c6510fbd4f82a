//! Selectors: the one grammar that says which partitions or samples are meant, for commands, links and calls.
//!
//! | form | meaning | signals |
//! | --- | --- | --- |
//! | `all` | the whole canvas | all |
//! | `WxH+X+Y` | a box `W` columns wide and `H` rows high, its first sample in column `X`, row `Y` | picture, video |
//! | `pct:x,y,w,h` | the same box in per cent of the canvas's width (`x`, `w`) and height (`y`, `h`) | picture, video |
//! | `t=1.2..3.4` | from second 1.2 to second 3.4; either end may be left out | sound, video |
//! | `32x32+0+0@t=1..2` | what a box and a time have in common; `@` joins any of the forms above | video |
//! | `box=0..40,..50,9..` | samples 0 to 39 of the first axis, up to 49 of the second, from 9 on of the third | all |
//! | `parts=0-3,7` | partitions by number, row-major | all |
//! | `parts=[0,7,7],[1,7,7]` | partitions by index, one number per axis; `;` may stand for the comma between two | all |
//! | `slab=axis:0,7-9` | every partition whose index along `axis` (0 first) is listed | all |
//!
//! Several selectors joined by `;` mean their union. Numbers are those of the original canvas, also for a cropped
//! file. A box may reach over the border of the canvas and is clipped then; one that lies outside altogether, or a
//! partition that does not exist, is an error. In the box form a space counts as `+`, because that is what a `+` in a
//! query string becomes.
//!
//! Selectors print back in one canonical form, which reads as an equal selector.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unreachable
    )
)]

mod parse;
mod resolve;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// Which partitions or samples are meant: the union of some terms. Made by parsing (see the [module](self)), or by
/// [`Selector::all`].
///
/// # Examples
/// ```
/// use tessera_core::grid::{Grid, UNIT_RANGE};
/// use tessera_core::selection::{Selector, Snap};
/// use tessera_core::signal::{SampleFormat, SignalInfo};
///
/// let signal = SignalInfo::picture(64, 64, 3, SampleFormat::U8)?;
/// let grid = Grid::new(vec![64, 64], vec![4, 4], UNIT_RANGE)?;
/// let selector: Selector = "20x16+16+0".parse()?;
/// assert_eq!(selector.partitions(&signal, &grid, Snap::Outer)?, [1, 2]);
/// assert_eq!(selector.partitions(&signal, &grid, Snap::Inner)?, [1]);
/// assert_eq!(selector.bounds(&signal, &grid)?, [0..16, 16..36]);
/// # Ok::<(), tessera_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    terms: Vec<Term>,
}

/// What happens to a partition that a box covers in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Snap {
    /// It is selected: nothing of the box is lost.
    #[default]
    Outer,
    /// It is not selected: nothing outside the box is kept.
    Inner,
}

/// One selector of a union.
#[derive(Debug, Clone, PartialEq)]
enum Term {
    All,
    Samples {
        width: u32,
        height: u32,
        column: u32,
        row: u32,
    },
    Percent {
        x: f64,
        y: f64,
        width: f64,
        height: f64,
    },
    Time {
        start: Option<f64>,
        end: Option<f64>,
    },
    /// What boxes and times, two at least, have in common.
    Common(Vec<Term>),
    /// Start and end along each axis.
    Ranges(Vec<(Option<u32>, Option<u32>)>),
    Partitions {
        numbers: Numbers,
        indices: Vec<Vec<u32>>,
    },
    Slab {
        axis: u32,
        numbers: Numbers,
    },
}

/// A set of numbers as ascending inclusive ranges that neither overlap nor touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Numbers(Vec<(u32, u32)>);

impl Numbers {
    fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }
}

impl Selector {
    /// The whole canvas.
    pub fn all() -> Self {
        Self { terms: vec![Term::All] }
    }

    /// The partitions of a list, in any order and with any repetition.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an empty list.
    pub fn of_partitions(partitions: &[u32]) -> Result<Self, Error> {
        if partitions.is_empty() {
            return Err(Error::parameter("a selection needs at least one partition"));
        }
        let numbers = Numbers::new(partitions.iter().map(|&p| (p, p)).collect());
        Ok(Self { terms: vec![Term::Partitions { numbers, indices: vec![] }] })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, term) in self.terms.iter().enumerate() {
            if place > 0 {
                f.write_str(";")?;
            }
            write!(f, "{term}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Samples { width, height, column, row } => write!(f, "{width}x{height}+{column}+{row}"),
            Self::Percent { x, y, width, height } => write!(f, "pct:{x},{y},{width},{height}"),
            Self::Time { start, end } => {
                let text = |bound: &Option<f64>| bound.map(|b| b.to_string()).unwrap_or_default();
                write!(f, "t={}..{}", text(start), text(end))
            }
            Self::Common(terms) => {
                for (place, term) in terms.iter().enumerate() {
                    if place > 0 {
                        f.write_str("@")?;
                    }
                    write!(f, "{term}")?;
                }
                Ok(())
            }
            Self::Ranges(ranges) => {
                let text = |bound: &Option<u32>| bound.map(|b| b.to_string()).unwrap_or_default();
                let ranges: Vec<String> = ranges.iter().map(|(a, b)| format!("{}..{}", text(a), text(b))).collect();
                write!(f, "box={}", ranges.join(","))
            }
            Self::Partitions { numbers, indices } => {
                write!(f, "parts={numbers}")?;
                for (place, index) in indices.iter().enumerate() {
                    if place > 0 || !numbers.0.is_empty() {
                        f.write_str(",")?;
                    }
                    let index: Vec<String> = index.iter().map(u32::to_string).collect();
                    write!(f, "[{}]", index.join(","))?;
                }
                Ok(())
            }
            Self::Slab { axis, numbers } => write!(f, "slab={axis}:{numbers}"),
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Snap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outer => "outer",
            Self::Inner => "inner",
        })
    }
}

impl FromStr for Snap {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "outer" => Ok(Self::Outer),
            "inner" => Ok(Self::Inner),
            _ => Err(Error::parameter(format!("snapping is outer or inner, not {name:?}"))),
        }
    }
}
