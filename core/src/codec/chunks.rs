//! Chunks of quantised weights: payloads to numbers to weights, and numbers to payloads.
//!
//! A payload is told from one that a writer gives for the same numbers by the last state of the range coder
//! ([`Decoder::written`]), so that verifying a file costs no more than reading it.

use std::ops::Range;

use super::codebook::{Codebook, Tensors};
use super::plain::allowed;
use super::quantised::Coder;
use super::range::{Decoder, Encoder};
use crate::error::Error;
use crate::field::{FieldSpec, Start, tensors};
use crate::grid::Grid;

/// Weights that a byte of payload stands for at most, so that a small file cannot order much memory.
pub const WEIGHTS_PER_BYTE: u64 = 128;
/// Shared weights that come from the seed without a byte of payload, at most.
pub const SEEDED_WEIGHTS: u64 = 1 << 20;

/// Bytes that a payload of `weights` weights has at least.
pub fn least_bytes(weights: u64, shared: bool) -> u64 {
    let coded = if shared { weights.saturating_sub(SEEDED_WEIGHTS) } else { weights };
    coded.div_ceil(WEIGHTS_PER_BYTE).max(1)
}

/// What a reader asks of the bytes beside the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Nothing.
    Any,
    /// That a writer gives these very bytes: numbers have one legal form.
    Written,
}

/// Reads the chunks of a quantised field.
#[derive(Debug, Clone)]
pub struct QuantisedReader<'a> {
    book: Codebook,
    start: Start<'a>,
    shared: &'a [u8],
    whole_shared: &'a [u8],
    of_shared: Vec<Range<usize>>,
    own: Vec<Range<usize>>,
}

impl<'a> QuantisedReader<'a> {
    /// Reads the head of the global chunk's payload.
    ///
    /// # Errors
    /// [`Error::Parameter`] for damage, [`Error::Unsupported`] for rules of later versions.
    pub fn new(spec: &'a FieldSpec, grid: &'a Grid, seed: u64, payload: &'a [u8]) -> Result<Self, Error> {
        let (book, shared) = Codebook::parse(payload, spec)?;
        let start = Start::new(spec, grid, seed, book.start);
        let (of_shared, own) = (tensors(&spec.shared_layers()), tensors(&spec.local_layers()));
        Ok(Self { book, start, shared, whole_shared: payload, of_shared, own })
    }

    /// Bytes of the steps of the quantisation, at the head of the global chunk.
    pub fn steps_bytes(&self) -> u64 {
        let local = self.own.len().saturating_mul(self.book.local.len());
        (self.of_shared.len().saturating_add(local) as u64).saturating_mul(2)
    }

    /// Bytes of tables (for latents, scales and contexts) and of what says how to read them, in the same place.
    pub fn table_bytes(&self) -> u64 {
        (self.whole_shared.len().saturating_sub(self.shared.len()) as u64).saturating_sub(self.steps_bytes())
    }

    /// Where the frequencies come from.
    pub fn coder(&self) -> Coder {
        self.book.coder
    }

    /// The shared weights.
    ///
    /// # Errors
    /// [`Error::Parameter`] for damage, in words that name the weight.
    pub fn shared(&self, form: Form) -> Result<Vec<f32>, Error> {
        let (whole, count) = (self.whole_shared.len(), self.of_shared.last().map_or(0, |range| range.end));
        let read =
            read(self.shared, whole, count, true, |decoder| by_tensor(&self.of_shared, &self.book.shared, decoder));
        let numbers = read?.checked(form)?;
        checked(weights_of(&self.start.shared(), &numbers, &self.of_shared, &self.book.shared.steps))
    }

    /// The weights of `partition` from its chunk's payload.
    ///
    /// # Errors
    /// As [`QuantisedReader::shared`].
    pub fn local(&self, partition: u32, payload: &[u8], form: Form) -> Result<Vec<f32>, Error> {
        let (class, rest) = self.class(payload)?;
        let tensors = self.tensors(class)?;
        let count = self.own.last().map_or(0, |range| range.end);
        let read = read(rest, payload.len(), count, false, |decoder| match &self.book.contexts {
            Some(contexts) => contexts.read(decoder),
            None => by_tensor(&self.own, tensors, decoder),
        });
        let numbers = read?.checked(form)?;
        checked(weights_of(&self.start.local(partition), &numbers, &self.own, &tensors.steps))
    }

    fn class<'p>(&self, payload: &'p [u8]) -> Result<(u8, &'p [u8]), Error> {
        if self.book.local.len() == 1 {
            return Ok((0, payload));
        }
        payload.split_first().map(|(&class, rest)| (class, rest)).ok_or_else(|| Error::parameter("it is empty"))
    }

    fn tensors(&self, class: u8) -> Result<&Tensors, Error> {
        let found = self.book.local.get(usize::from(class));
        found.ok_or_else(|| Error::parameter(format!("there is no class {class} of partitions")))
    }
}

/// A partition's payload: its class where there are several, the numbers, and zeros up to the least length.
pub(super) fn chunk(book: &Codebook, class: u8, numbers: &[i32], own: &[Range<usize>]) -> Result<Vec<u8>, Error> {
    let mut payload = if book.local.len() > 1 { vec![class] } else { Vec::new() };
    let tensors = book.local.get(usize::from(class)).ok_or_else(|| Error::parameter("a class is not there"))?;
    match &book.contexts {
        Some(contexts) => {
            let mut encoder = Encoder::default();
            contexts.write(numbers, &mut encoder)?;
            payload.extend(encoder.finish());
        }
        None => payload.extend(written(numbers, own, tensors)?),
    }
    let least = usize::try_from(least_bytes(numbers.len() as u64, false)).unwrap_or(usize::MAX);
    payload.resize(payload.len().max(least), 0);
    Ok(payload)
}

/// The range coder's bytes of all tensors with a step.
pub(super) fn written(numbers: &[i32], ranges: &[Range<usize>], tensors: &Tensors) -> Result<Vec<u8>, Error> {
    let mut encoder = Encoder::default();
    for (range, frequencies) in ranges.iter().zip(&tensors.frequencies) {
        let Some(mut frequencies) = frequencies.clone() else { continue };
        for &number in numbers.get(range.clone()).unwrap_or_default() {
            frequencies.write(number, &mut encoder)?;
        }
    }
    Ok(encoder.finish())
}

/// What a payload holds.
struct Read {
    numbers: Vec<i32>,
    /// Whether a writer of these numbers gives this payload.
    written: bool,
}

impl Read {
    fn checked(self, form: Form) -> Result<Vec<i32>, Error> {
        if form == Form::Any || self.written {
            return Ok(self.numbers);
        }
        Err(Error::parameter("its numbers are not written in their one form"))
    }
}

/// The `count` numbers that `numbers` reads. `whole` is the length of the payload that `bytes` end.
fn read(
    bytes: &[u8],
    whole: usize,
    count: usize,
    shared: bool,
    numbers: impl FnOnce(&mut Decoder<'_>) -> Result<Vec<i32>, Error>,
) -> Result<Read, Error> {
    let least = least_bytes(count as u64, shared);
    if (whole as u64) < least {
        return Err(Error::parameter(format!("{whole} bytes for {count} weights, {least} are the least")));
    }
    let mut decoder = Decoder::new(bytes);
    let numbers = numbers(&mut decoder)?;
    let (unread, missing) = decoder.left();
    let padding = bytes.iter().rev().take(unread).all(|&byte| byte == 0) && whole as u64 == least;
    if missing > 4 || (unread > 0 && !padding) {
        return Err(Error::parameter(if missing > 4 { "it is cut short" } else { "bytes follow its numbers" }));
    }
    // Zeros follow what a writer writes up to the least length, and nothing otherwise.
    let padded = whole as u64 == least;
    let length = decoder.written().filter(|&length| length == bytes.len() || (padded && length < bytes.len()));
    Ok(Read { numbers, written: length.is_some() })
}

/// Numbers of all tensors; those without a step are 0.
fn by_tensor(ranges: &[Range<usize>], tensors: &Tensors, decoder: &mut Decoder<'_>) -> Result<Vec<i32>, Error> {
    let mut numbers = Vec::with_capacity(ranges.last().map_or(0, |range| range.end));
    for (range, model) in ranges.iter().zip(&tensors.frequencies) {
        match model.clone() {
            None => numbers.resize(range.end, 0),
            Some(mut model) => {
                for _ in range.clone() {
                    numbers.push(model.read(decoder)?);
                }
            }
        }
    }
    Ok(numbers)
}

/// The weights that numbers stand for.
pub(super) fn weights_of(start: &[f32], numbers: &[i32], ranges: &[Range<usize>], steps: &[f32]) -> Vec<f32> {
    let mut weights = Vec::with_capacity(start.len());
    for (range, &step) in ranges.iter().zip(steps) {
        let (start, numbers) = (start.get(range.clone()), numbers.get(range.clone()));
        let pairs = start.unwrap_or_default().iter().zip(numbers.unwrap_or_default());
        weights.extend(pairs.map(|(&start, &number)| weight_of(start, number, step)));
    }
    weights
}

/// Two roundings, and the same on every machine.
#[expect(clippy::cast_precision_loss, reason = "numbers have 16 bits")]
pub(super) fn weight_of(start: f32, number: i32, step: f32) -> f32 {
    start + number as f32 * step
}

fn checked(weights: Vec<f32>) -> Result<Vec<f32>, Error> {
    match weights.iter().position(|&weight| !allowed(weight)) {
        None => Ok(weights),
        Some(index) => Err(Error::parameter(format!("weight {index} is not finite or too large"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Quantisation;
    use crate::codec::quantised::Numbers;
    use crate::field::StartRule;
    use crate::grid::UNIT_RANGE;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// What the coder's last state says of a payload, against writing its numbers again.
        #[test]
        fn payloads_that_no_writer_gives_are_told(
            numbers in proptest::collection::vec(prop_oneof![5 => Just(0), 3 => -3..=3, 1 => -900..=900], 31),
            coder in proptest::sample::select(Coder::ALL.to_vec()),
            classes in 1_u8..3, at in any::<proptest::sample::Index>(), change in any::<u8>(), more in 0_usize..3,
        ) {
            let spec = FieldSpec::per_partition(2, 1, 4);
            let grid = Grid::new(vec![6, 4], vec![1, 1], UNIT_RANGE).unwrap();
            let steps = vec![0.5; tensors(&spec.local_layers()).len()];
            let numbers: Vec<i32> = numbers.into_iter().cycle().take(usize::try_from(spec.local_parameters()).unwrap()).collect();
            let payloads = Quantisation::new(&spec, StartRule::Zero, coder, &[], &steps)
                .and_then(|one| one.with_classes(&spec, &vec![steps.clone(); classes.into()], vec![classes - 1]))
                .and_then(|quantisation| quantisation.code(&spec, &Numbers { shared: vec![], local: numbers.clone() }))
                .unwrap();
            let reader = QuantisedReader::new(&spec, &grid, 0, &payloads.shared.0).unwrap();
            prop_assert!(reader.shared(Form::Written).is_ok());
            let payload = &payloads.local[0];
            prop_assert!(reader.local(0, payload, Form::Written).is_ok());
            let mut changed = payload.clone();
            let at = at.index(changed.len());
            changed[at] ^= change;
            changed.resize(changed.len() + more, 0);
            let (Ok((class, rest)), whole) = (reader.class(&changed), changed.len()) else { return Ok(()) };
            let Ok(tensors) = reader.tensors(class) else { return Ok(()) };
            let by_tensor = |decoder: &mut Decoder<'_>| by_tensor(&reader.own, tensors, decoder);
            if let Ok(read) = read(rest, whole, numbers.len(), false, by_tensor) {
                let again = chunk(&reader.book, class, &read.numbers, &reader.own).unwrap();
                prop_assert_eq!(read.written, again == changed);
            }
        }
    }
}
