//! Text to selector. Texts come from links as well, so their length and the work they can order are bounded.

use std::str::FromStr;

use super::{Numbers, Selector, Term};
use crate::error::{Error, check_limit};
use crate::limits;

/// Bytes of a selector.
const TEXT_BYTES: u64 = 1 << 16;
/// Terms of a union: each may cover the whole grid, so that their number bounds the work.
const TERMS: u64 = 256;
/// Boxes and times of which the common part is meant.
const COMMON_TERMS: usize = 8;
/// Per cent and seconds beyond this are nonsense, and would spoil the arithmetic.
const LARGEST_NUMBER: f64 = 1e9;

const HELP: &str = "write WxH+X+Y, pct:x,y,w,h, t=1.2..3.4, box=0..40,..50,9.., parts=0-3,7, parts=[0,7],[1,7], \
     slab=axis:0,7 or all; join several by ;, boxes and times by @ for what they have in common";

impl FromStr for Selector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        check_limit("bytes of a selector", text.len() as u64, TEXT_BYTES)?;
        let mut terms: Vec<Term> = Vec::new();
        for piece in text.split(';').map(str::trim) {
            // `parts=[0,1];[2,3]`: an index on its own continues the list before it.
            let continued = piece.starts_with('[') && matches!(terms.last(), Some(Term::Partitions { .. }));
            let new = if continued { partitions(piece) } else { term(piece) }.ok_or_else(|| misread(piece))?;
            join(&mut terms, new);
            check_limit("terms of a selector", terms.len() as u64, TERMS)?;
        }
        Ok(Self { terms })
    }
}

/// Adds a term to a union; partition lists become one.
fn join(terms: &mut Vec<Term>, new: Term) {
    if let (Some(Term::Partitions { numbers, indices }), Term::Partitions { numbers: more, indices: others }) =
        (terms.last_mut(), &new)
    {
        *numbers = Numbers::new(numbers.0.iter().chain(&more.0).copied().collect());
        indices.extend(others.iter().cloned());
        indices.sort_unstable();
        indices.dedup();
    } else if !terms.contains(&new) {
        terms.push(new);
    }
}

fn misread(piece: &str) -> Error {
    let mut shown: String = piece.chars().take(60).collect();
    if shown.len() < piece.len() {
        shown.push_str("...");
    }
    Error::parameter(format!("the selector {shown:?} cannot be read: {HELP}"))
}

fn term(piece: &str) -> Option<Term> {
    if piece.contains('@') {
        common(piece)
    } else if piece == "all" {
        Some(Term::All)
    } else if let Some(body) = piece.strip_prefix("pct:") {
        let mut values = body.split(',').map(real);
        let mut next = || values.next().flatten();
        let (x, y, width, height) = (next()?, next()?, next()?, next()?);
        (values.next().is_none() && width > 0.0 && height > 0.0).then_some(Term::Percent { x, y, width, height })
    } else if let Some(body) = piece.strip_prefix("t=") {
        let (start, end) = body.split_once("..")?;
        let bound = |text: &str| if text.trim().is_empty() { Some(None) } else { real(text).map(Some) };
        let (start, end) = (bound(start)?, bound(end)?);
        let sound = match (start, end) {
            (None, None) => false,
            (Some(start), Some(end)) => start < end,
            _ => true,
        };
        sound.then_some(Term::Time { start, end })
    } else if let Some(body) = piece.strip_prefix("box=") {
        let axis = |text: &str| {
            let (start, end) = text.split_once("..")?;
            let bound = |text: &str| if text.trim().is_empty() { Some(None) } else { integer(text).map(Some) };
            let (start, end) = (bound(start)?, bound(end)?);
            (end.is_none_or(|end| start.unwrap_or(0) < end)).then_some((start, end))
        };
        let ranges: Vec<_> = body.split(',').map(axis).collect::<Option<_>>()?;
        (ranges.len() as u64 <= limits::AXES).then_some(Term::Ranges(ranges))
    } else if let Some(body) = piece.strip_prefix("parts=") {
        partitions(body)
    } else if let Some(body) = piece.strip_prefix("slab=") {
        let (axis, body) = body.split_once(':')?;
        let axis = integer(axis).filter(|&axis| u64::from(axis) < limits::AXES)?;
        let ranges: Vec<(u32, u32)> = body.split(',').map(range).collect::<Option<_>>()?;
        Some(Term::Slab { axis, numbers: Numbers::new(ranges) })
    } else {
        samples(piece)
    }
}

/// Boxes and times joined by `@`.
fn common(piece: &str) -> Option<Term> {
    let mut terms: Vec<Term> = Vec::new();
    for part in piece.split('@').map(str::trim) {
        let new =
            term(part).filter(|t| matches!(t, Term::Samples { .. } | Term::Percent { .. } | Term::Time { .. }))?;
        terms.push(new);
        if terms.len() > COMMON_TERMS {
            return None;
        }
    }
    Some(Term::Common(terms))
}

fn samples(piece: &str) -> Option<Term> {
    let (width, rest) = piece.split_once('x')?;
    let mut values = std::iter::once(width).chain(rest.split(['+', ' '])).map(integer);
    let mut next = || values.next().flatten();
    let (width, height, column, row) = (next()?, next()?, next()?, next()?);
    (values.next().is_none() && width > 0 && height > 0).then_some(Term::Samples { width, height, column, row })
}

/// Numbers, ranges and bracketed indices, separated by commas.
fn partitions(body: &str) -> Option<Term> {
    let (mut ranges, mut indices) = (Vec::new(), Vec::new());
    let mut rest = body.trim();
    loop {
        let after = if let Some(bracket) = rest.strip_prefix('[') {
            let (index, after) = bracket.split_once(']')?;
            let index: Vec<u32> = index.split(',').map(integer).collect::<Option<_>>()?;
            if index.len() as u64 > limits::AXES {
                return None;
            }
            indices.push(index);
            after.trim_start()
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (item, after) = rest.split_at_checked(end)?;
            ranges.push(range(item)?);
            after
        };
        if after.is_empty() {
            break;
        }
        rest = after.strip_prefix(',')?.trim_start();
    }
    indices.sort_unstable();
    indices.dedup();
    Some(Term::Partitions { numbers: Numbers::new(ranges), indices })
}

fn range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (integer(first)?, integer(last)?),
        None => (integer(text)?, integer(text)?),
    };
    (first <= last).then_some((first, last))
}

/// Digits only: `u32::from_str` would take a sign.
fn integer(text: &str) -> Option<u32> {
    let text = text.trim();
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Digits and at most one point: no signs, exponents, infinities.
fn real(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse::<f64>().ok()).flatten().filter(|value| *value <= LARGEST_NUMBER)
}
