//! Latents as whole numbers, each around what its neighbours let expect.
//!
//! A level is written row by row. Of the nodes that were written before, a weighted sum of magnitudes tells how far a number is
//! likely from its centre, and a weighted sum of values where that centre is; the node of the next coarser level that covers it
//! counts as well. Weights are whole numbers, and [`Laplace`] has the frequencies: the same everywhere. Nothing outside the partition
//! is asked, so that chunks are coded on their own.

use super::laplace::{Around, Laplace, SCALES, centre_of, scale_of};
use super::range::{Decoder, Encoder};
use super::symbols::Frequencies;
use crate::error::Error;
use crate::field::latents::Level;

/// Neighbours whose magnitudes count: left, above, above left, above right, two to the left, two above, and a step further to
/// either side above.
pub const NEIGHBOURS: usize = 8;
/// The first of these whose values count for the centre.
pub const CENTRES: usize = 6;
/// Columns beside a level that count as zeros.
const MARGIN: usize = 2;
/// What a scale may be moved by.
const MOST_SHIFT: i32 = 8;
/// About what a shift costs in a file, in 2^-8 bits.
const SHIFT_COST: u64 = 5 << 8;

/// How the numbers of one level follow from others, in 64ths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The sum without neighbours.
    pub base: u8,
    /// Of their magnitudes.
    pub magnitudes: [u8; NEIGHBOURS],
    /// Of the magnitude of the coarser node, and of the mean of the four around it.
    pub parents: [u8; 2],
    /// Of the values of the first neighbours.
    pub centres: [i8; CENTRES],
    /// By how many scales the sum is wrong, by scale: -8 to 8.
    pub shifts: [i8; SCALES],
}

impl Default for Context {
    fn default() -> Self {
        Self {
            base: 13,
            magnitudes: [10, 10, 3, 3, 0, 0, 0, 0],
            parents: [3, 3],
            centres: [0; CENTRES],
            shifts: [0; SCALES],
        }
    }
}

/// Numbers of a level, `[planes, rows, columns]`.
#[derive(Debug, Clone, Copy)]
struct Plane<'a> {
    sizes: [usize; 3],
    numbers: &'a [i32],
}

impl<'a> Plane<'a> {
    fn new(level: &Level, numbers: &'a [i32]) -> Self {
        Self { sizes: sizes(level), numbers }
    }

    /// The magnitude at a node and the sum of those around it; nodes that are not there count as zero.
    fn magnitudes(&self, [plane, row, column]: [usize; 3]) -> (u32, u32) {
        let [planes, rows, columns] = self.sizes;
        let plane = plane.min(planes.saturating_sub(1));
        let at = |row: usize, column: usize| {
            if row >= rows || column >= columns {
                return 0;
            }
            let place = plane.saturating_mul(rows).saturating_add(row).saturating_mul(columns).saturating_add(column);
            self.numbers.get(place).map_or(0, |number| number.unsigned_abs())
        };
        let (row, column) = (row.min(rows.saturating_sub(1)), column.min(columns.saturating_sub(1)));
        let around = [
            at(row.wrapping_sub(1), column),
            at(row.saturating_add(1), column),
            at(row, column.wrapping_sub(1)),
            at(row, column.saturating_add(1)),
        ];
        (at(row, column), around.iter().fold(0_u32, |sum, &m| sum.saturating_add(m)))
    }
}

/// Planes, rows and columns of a level: the last two axes, and all others as one.
fn sizes(level: &Level) -> [usize; 3] {
    let mut axes = level.nodes.iter().rev().copied();
    let (columns, rows) = (axes.next().unwrap_or(1), axes.next().unwrap_or(1));
    [axes.fold(1, usize::saturating_mul), rows, columns]
}

/// Visits the nodes of a level in their order: `next` gets the scale before any shift and the centre, and gives the number.
#[inline(always)]
fn visit(
    level: &Level,
    context: &Context,
    parent: Option<Plane<'_>>,
    mut next: impl FnMut(Around) -> Result<i32, Error>,
) -> Result<Vec<i32>, Error> {
    let [planes, rows, columns] = sizes(level);
    let mut numbers = Vec::with_capacity(level.latents.len());
    let length = columns.saturating_add(2 * MARGIN);
    let zeros = vec![0_i32; length];
    let [nearest, around] = context.parents.map(u32::from);
    let weight = context.magnitudes.map(u32::from);
    let share = context.centres.map(i32::from);
    // What the coarser level adds to the sums of a row; two nodes, and two rows, have the same.
    let mut coarser = vec![0_u32; columns];
    for plane in 0..planes {
        let (mut row, mut above, mut second) = (zeros.clone(), zeros.clone(), zeros.clone());
        for number in 0..rows {
            if let Some(parent) = parent.filter(|_| number.is_multiple_of(2)) {
                for (place, pair) in coarser.chunks_mut(2).enumerate() {
                    let (at, sum) = parent.magnitudes([plane >> 1, number >> 1, place]);
                    let of_nearest = nearest.saturating_mul(at);
                    pair.fill(of_nearest.saturating_add(around.saturating_mul(sum) >> 2));
                }
            }
            row.fill(0);
            for (column, &coarser) in coarser.iter().enumerate() {
                let upper = above.get(column..column.saturating_add(5)).unwrap_or_default();
                let left = row.get(column..column.saturating_add(2)).unwrap_or_default();
                let top = second.get(column.saturating_add(MARGIN)).copied().unwrap_or(0);
                let (&[a, b, c, d, e], &[f, g]) = (upper, left) else { continue };
                let values = [g, c, b, d, f, top, a, e];
                let mut sum = coarser.saturating_add(context.base.into());
                for (weight, value) in weight.iter().zip(values) {
                    sum = sum.wrapping_add(weight.wrapping_mul(value.unsigned_abs()));
                }
                let mut centre = 0_i32;
                for (share, value) in share.iter().zip(values) {
                    centre = centre.wrapping_add(share.wrapping_mul(value));
                }
                let (whole, rest) = centre_of(centre);
                let found = next(Around { scale: scale_of(sum), whole, rest })?;
                numbers.push(found);
                if let Some(place) = row.get_mut(column.saturating_add(MARGIN)) {
                    *place = found;
                }
            }
            std::mem::swap(&mut second, &mut above);
            std::mem::swap(&mut above, &mut row);
        }
    }
    Ok(numbers)
}

impl Context {
    fn shifted(&self, around: Around) -> Around {
        let shift = self.shifts.get(around.scale).copied().unwrap_or(0);
        let scale = around.scale.saturating_add_signed(shift.into()).min(SCALES.saturating_sub(1));
        Around { scale, ..around }
    }

    /// The shifts that suit numbers of partitions best, `[partition]` of this level and the coarser one.
    fn fitted(&self, laplace: &Laplace, level: &Level, parts: &[(&[i32], Option<Plane<'_>>)]) -> Result<Self, Error> {
        let mut found: Vec<std::collections::BTreeMap<(i32, i32), u64>> = vec![Default::default(); SCALES];
        for (numbers, parent) in parts {
            let mut rest = numbers.iter();
            visit(level, self, *parent, |around| {
                let number = rest.next().copied().unwrap_or(0);
                if let Some(found) = found.get_mut(around.scale) {
                    let count = found.entry((number.saturating_sub(around.whole), around.rest)).or_default();
                    *count = count.saturating_add(1);
                }
                Ok(number)
            })?;
        }
        let mut shifts = [0; SCALES];
        for ((scale, found), shift) in found.iter().enumerate().zip(&mut shifts) {
            let cost = |shift: i32| {
                let Some(scale) = scale.checked_add_signed(isize::try_from(shift).unwrap_or(0)) else {
                    return u64::MAX;
                };
                if scale >= SCALES {
                    return u64::MAX;
                }
                let of = |(&(number, rest), &count): (&(i32, i32), &u64)| {
                    u64::from(laplace.cost(number, Around { scale, whole: 0, rest })).saturating_mul(count)
                };
                found.iter().map(of).fold(if shift == 0 { 0 } else { SHIFT_COST }, u64::saturating_add)
            };
            let best = (MOST_SHIFT.wrapping_neg()..=MOST_SHIFT).min_by_key(|&shift| (cost(shift), shift.abs()));
            *shift = best.and_then(|shift| i8::try_from(shift).ok()).unwrap_or(0);
        }
        Ok(Self { shifts, ..*self })
    }
}

/// The contexts of all levels of a pyramid that have a step; what the numbers of a field are coded by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contexts {
    laplace: Laplace,
    levels: Vec<Level>,
    contexts: Vec<Option<Context>>,
}

impl Contexts {
    /// With the shifts that suit the numbers of the partitions best, `[partition][latents]`.
    pub(super) fn fitted(levels: Vec<Level>, contexts: Vec<Option<Context>>, parts: &[&[i32]]) -> Result<Self, Error> {
        let laplace = Laplace::default();
        let mut fitted: Vec<Option<Context>> = Vec::new();
        for (place, (level, context)) in levels.iter().zip(&contexts).enumerate() {
            let coarser = place.checked_sub(1).and_then(|place| levels.get(place));
            let parts: Vec<_> = parts
                .iter()
                .map(|numbers| (part(numbers, level), coarser.map(|level| Plane::new(level, part(numbers, level)))))
                .collect();
            fitted.push(context.map(|context| context.fitted(&laplace, level, &parts)).transpose()?);
        }
        Ok(Self { laplace, levels, contexts: fitted })
    }

    /// Writes one partition's latents.
    pub(super) fn write(&self, numbers: &[i32], into: &mut Encoder) -> Result<(), Error> {
        let mut coarser: Option<Plane<'_>> = None;
        for (level, context) in self.levels.iter().zip(&self.contexts) {
            let own = part(numbers, level);
            if let Some(context) = context {
                let mut rest = own.iter();
                visit(level, context, coarser, |around| {
                    let number = rest.next().copied().unwrap_or(0);
                    self.laplace.write(number, context.shifted(around), into)?;
                    Ok(number)
                })?;
            }
            coarser = Some(Plane::new(level, own));
        }
        Ok(())
    }

    /// Reads one partition's latents.
    pub(super) fn read(&self, from: &mut Decoder<'_>) -> Result<Vec<i32>, Error> {
        let mut numbers: Vec<i32> = Vec::new();
        let mut coarser: Option<&Level> = None;
        for (level, context) in self.levels.iter().zip(&self.contexts) {
            let own = match context {
                None => vec![0; level.latents.len()],
                Some(context) => {
                    let parent = coarser.map(|level| Plane::new(level, part(&numbers, level)));
                    visit(level, context, parent, |around| {
                        let number = self.laplace.read(context.shifted(around), from);
                        number.ok_or_else(|| Error::parameter("a latent is too large"))
                    })?
                }
            };
            numbers.extend(own);
            coarser = Some(level);
        }
        Ok(numbers)
    }

    /// Writes the contexts.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut encoder = Encoder::default();
        let mut tables = Tables::default();
        for context in self.contexts.iter().flatten() {
            let weights = std::iter::once(&context.base).chain(&context.magnitudes).chain(&context.parents);
            for &weight in weights {
                tables.weights.write(weight.into(), &mut encoder)?;
            }
            for &centre in &context.centres {
                tables.centres.write(centre.into(), &mut encoder)?;
            }
            for &shift in &context.shifts {
                tables.shifts.write(shift.into(), &mut encoder)?;
            }
        }
        Ok(encoder.finish())
    }

    /// Reads the contexts of the `levels` that are `used`.
    pub(super) fn parse(levels: Vec<Level>, used: &[bool], bytes: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let mut tables = Tables::default();
        let mut one = || -> Result<Context, Error> {
            let mut context = Context::default();
            let weights = std::iter::once(&mut context.base).chain(&mut context.magnitudes).chain(&mut context.parents);
            for weight in weights {
                *weight = u8::try_from(tables.weights.read(&mut decoder)).map_err(|_| unlikely())?;
            }
            for centre in &mut context.centres {
                *centre = i8::try_from(tables.centres.read(&mut decoder)).map_err(|_| unlikely())?;
            }
            for shift in &mut context.shifts {
                let read = tables.shifts.read(&mut decoder);
                let allowed = read.unsigned_abs() <= MOST_SHIFT.unsigned_abs();
                *shift = i8::try_from(read).ok().filter(|_| allowed).ok_or_else(unlikely)?;
            }
            Ok(context)
        };
        let contexts = used.iter().map(|&used| used.then(&mut one).transpose()).collect::<Result<Vec<_>, Error>>()?;
        if decoder.written() != Some(bytes.len()) {
            return Err(Error::parameter("the contexts of its latents are not written in their one form"));
        }
        Ok(Self { laplace: Laplace::default(), levels, contexts })
    }
}

struct Tables {
    weights: Frequencies,
    centres: Frequencies,
    shifts: Frequencies,
}

impl Default for Tables {
    fn default() -> Self {
        let [weights, centres, shifts] = [(); 3].map(|()| Frequencies::adaptive());
        Self { weights, centres, shifts }
    }
}

fn part<'n>(numbers: &'n [i32], level: &Level) -> &'n [i32] {
    numbers.get(level.latents.clone()).unwrap_or_default()
}

fn unlikely() -> Error {
    Error::parameter("the contexts of its latents have a number that no writer writes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::latents::Pyramid;
    use crate::grid::{Grid, UNIT_RANGE};
    use proptest::prelude::*;

    fn levels(shape: Vec<u32>, count: u32, finest: u32) -> Vec<Level> {
        let axes = u32::try_from(shape.len()).unwrap();
        let grid = Grid::new(shape.clone(), vec![1; shape.len()], UNIT_RANGE).unwrap();
        Pyramid::new(&grid, count, finest).unwrap().levels(axes)
    }

    #[test]
    fn neighbours_are_worth_their_bits() {
        let levels = levels(vec![64, 64], 3, 0);
        let size = levels.last().unwrap().latents.end;
        // Activity in one corner alone.
        let numbers: Vec<i32> = levels
            .iter()
            .flat_map(|level| {
                let columns = level.nodes[1];
                (0..level.latents.len()).map(move |i| {
                    let (row, column) = (i / columns, i % columns);
                    let busy = row < level.nodes[0] / 3 && column < columns / 3;
                    if busy { (i as i32 * 7919) % 11 - 5 } else { 0 }
                })
            })
            .collect();
        assert_eq!(numbers.len(), size);
        let bytes = |context: Context| {
            let contexts = Contexts::fitted(levels.clone(), vec![Some(context); 3], &[&numbers]).unwrap();
            let mut encoder = Encoder::default();
            contexts.write(&numbers, &mut encoder).unwrap();
            encoder.finish().len()
        };
        let blind = Context { magnitudes: [0; 8], parents: [0; 2], ..Context::default() };
        let (with, without) = (bytes(Context::default()), bytes(blind));
        assert!(with * 10 < without * 8, "{with} and {without} bytes");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn latents_come_back(
            shape in prop::collection::vec(1_u32..12, 1..4), count in 1_u32..5, finest in 0_u32..3, seed in any::<u64>(),
            weights in prop::array::uniform11(any::<u8>()), centres in prop::array::uniform6(any::<i8>()), large in 0_u32..16,
        ) {
            let levels = levels(shape, count, finest);
            let size = levels.last().unwrap().latents.end;
            let mut random = crate::field::SplitMix64(seed);
            let numbers: Vec<i32> = (0..size).map(|_| (random.next_word() as i16 >> large).max(-32_767).into()).collect();
            let context = Context {
                base: weights[0],
                magnitudes: std::array::from_fn(|i| weights[i + 1]),
                parents: [weights[9], weights[10]],
                centres,
                ..Context::default()
            };
            let used: Vec<bool> = (0..count).map(|level| level != 1).collect();
            let contexts = used.iter().map(|&used| used.then_some(context)).collect();
            let mut numbers = numbers;
            for (level, used) in levels.iter().zip(&used) {
                if !used {
                    numbers[level.latents.clone()].fill(0);
                }
            }
            let contexts = Contexts::fitted(levels.clone(), contexts, &[&numbers]).unwrap();
            let bytes = contexts.to_bytes().unwrap();
            prop_assert_eq!(&Contexts::parse(levels, &used, &bytes).unwrap(), &contexts);
            let mut encoder = Encoder::default();
            contexts.write(&numbers, &mut encoder).unwrap();
            let payload = encoder.finish();
            let mut decoder = Decoder::new(&payload);
            prop_assert_eq!(contexts.read(&mut decoder).unwrap(), numbers);
            prop_assert_eq!(decoder.written(), Some(payload.len()));
        }

        #[test]
        fn any_bytes_are_latents_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let levels = levels(vec![9, 9], 3, 0);
            let _ = Contexts::parse(levels.clone(), &[true; 3], &bytes);
            let contexts = Contexts::fitted(levels, vec![Some(Context::default()); 3], &[]).unwrap();
            let _ = contexts.read(&mut Decoder::new(&bytes));
        }
    }
}
