//! Whole numbers as symbols: a class of magnitudes by its frequency, the rest as plain bits.
//!
//! Magnitudes 0 to 3 are classes of their own; from there every octave has two, so that 30 classes reach 32,767 and the
//! frequencies within one differ little. Signs are even. Frequencies are either static, read from a table of one byte
//! per class, or adaptive, counted while coding.

use super::range::{Decoder, Encoder};
use crate::error::Error;

/// The largest magnitude.
pub const MAGNITUDE: i32 = (1 << 15) - 1;
/// Classes of magnitudes.
pub const CLASSES: usize = 30;
/// Sum of static frequencies, and bound of adaptive ones.
const TOTAL: u16 = 1 << TOTAL_BITS;
const TOTAL_BITS: u32 = 15;
/// Entries of the table that finds a class by its place in the sum of static frequencies.
const PARTS: usize = 256;
const PART_BITS: u32 = TOTAL_BITS - PARTS.ilog2();
/// What a coded symbol adds to its adaptive frequency.
const GAIN: u16 = 24;
/// Eighths of an octave downwards from 2^16: `2^16 / 2^(k / 8)`, rounded.
const EIGHTHS: [u64; 8] = [65_536, 60_097, 55_109, 50_535, 46_341, 42_495, 38_968, 35_734];

/// Class, first magnitude of the class and bits that tell the magnitude within it.
fn class_of(magnitude: u32) -> (usize, u32) {
    if magnitude < 4 {
        return (magnitude as usize, 0);
    }
    let octave = magnitude.ilog2();
    let bits = octave.saturating_sub(1);
    let upper = magnitude >> bits & 1;
    (class_number(octave, upper), bits)
}

fn class_number(octave: u32, upper: u32) -> usize {
    octave.saturating_mul(2).saturating_add(upper) as usize
}

/// First magnitude of a class, and its bits.
fn of_class(class: usize) -> (u32, u32) {
    let class = u32::try_from(class).unwrap_or(0);
    if class < 4 {
        return (class, 0);
    }
    let bits = (class / 2).saturating_sub(1);
    ((2 | class & 1) << bits, bits)
}

/// Frequencies of the classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frequencies {
    /// 0, then the sum of frequencies up to every class; classes that do not occur have the last sum.
    cumulative: [u16; CLASSES + 1],
    classes: usize,
    /// Of static frequencies, for each of so many equal parts of their sum the class at its beginning.
    lookup: Option<[u8; PARTS]>,
}

impl Frequencies {
    /// Static frequencies from a table: the byte of a class is its rarity in eighths of a bit, as [`table`] gives them.
    ///
    /// # Errors
    /// [`Error::Parameter`] for fewer than 2 or more than [`CLASSES`] classes.
    pub fn from_table(table: &[u8]) -> Result<Self, Error> {
        if table.len() < 2 || table.len() > CLASSES {
            return Err(Error::parameter(format!("a table of {} classes, not 2 to {CLASSES}", table.len())));
        }
        let shares: Vec<u64> = table.iter().map(|&code| share(code)).collect();
        let sum: u64 = shares.iter().fold(0_u64, |a, &b| a.saturating_add(b)).max(1);
        // Every class has one part at least; what rounding leaves goes to the first of the most frequent ones.
        let free = u64::from(TOTAL).saturating_sub(table.len() as u64);
        let mut parts: Vec<u16> = shares
            .iter()
            .map(|&s| {
                u16::try_from(s.saturating_mul(free).checked_div(sum).unwrap_or(0)).unwrap_or(0).saturating_add(1)
            })
            .collect();
        let given = parts.iter().fold(0_u16, |a, &b| a.saturating_add(b));
        let largest = parts.iter().copied().max().unwrap_or(0);
        if let Some(part) = parts.iter_mut().find(|part| **part == largest) {
            *part = part.saturating_add(TOTAL.saturating_sub(given));
        }
        let cumulative = sums(&parts);
        let mut lookup = [0; PARTS];
        let mut class = 0_u8;
        for (entry, place) in lookup.iter_mut().zip((0..TOTAL).step_by(1 << PART_BITS)) {
            while cumulative.get(usize::from(class).saturating_add(1)).is_some_and(|&bound| bound <= place) {
                class = class.saturating_add(1);
            }
            *entry = class;
        }
        Ok(Self { cumulative, classes: table.len(), lookup: Some(lookup) })
    }

    /// Frequencies that are counted while coding, all equal at first.
    pub fn adaptive() -> Self {
        Self { cumulative: sums(&[1; CLASSES]), classes: CLASSES, lookup: None }
    }

    fn total(&self) -> u32 {
        u32::from(self.cumulative.last().copied().unwrap_or(1))
    }

    /// Where a class begins, and its frequency; `None` for one that does not occur.
    fn bounds(&self, class: usize) -> Option<(u32, u32)> {
        let (low, high) = (*self.cumulative.get(class)?, *self.cumulative.get(class.saturating_add(1))?);
        (class < self.classes).then(|| (low.into(), high.wrapping_sub(low).into()))
    }

    fn count(&mut self, class: usize) {
        if self.lookup.is_some() {
            return;
        }
        for bound in self.cumulative.iter_mut().skip(class.saturating_add(1)) {
            *bound = bound.saturating_add(GAIN);
        }
        if self.total() > u32::from(TOTAL).saturating_sub(u32::from(GAIN)) {
            let halves: Vec<u16> = self
                .cumulative
                .windows(2)
                .map(|pair| match pair {
                    [low, high] => high.saturating_sub(*low).div_ceil(2),
                    _ => 1,
                })
                .collect();
            self.cumulative = sums(&halves);
        }
    }

    /// Codes `number`, at most [`MAGNITUDE`] away from 0.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a number of a class that the table lacks.
    pub fn write(&mut self, number: i32, into: &mut Encoder) -> Result<(), Error> {
        let (class, bits) = class_of(number.unsigned_abs());
        let Some((low, size)) = self.bounds(class) else {
            return Err(Error::parameter(format!("{number} is beyond what its table of frequencies reaches")));
        };
        into.symbol(low, size, self.total());
        if class > 0 {
            let within = number.unsigned_abs().wrapping_sub(of_class(class).0);
            into.bits(within << 1 | u32::from(number < 0), bits.saturating_add(1));
        }
        self.count(class);
        Ok(())
    }

    /// The next number.
    pub fn read(&mut self, from: &mut Decoder<'_>) -> i32 {
        let (place, mut class) = match &self.lookup {
            Some(lookup) => {
                let place = from.place_in_bits(TOTAL_BITS);
                (place, lookup.get((place >> PART_BITS) as usize).copied().map_or(0, usize::from))
            }
            None => (from.place(self.total()), 0),
        };
        while self.cumulative.get(class.saturating_add(1)).is_some_and(|&bound| u32::from(bound) <= place) {
            class = class.saturating_add(1);
        }
        let (low, size) = self.bounds(class).unwrap_or((0, 1));
        from.take(low, size);
        let number = if class == 0 {
            0
        } else {
            let (first, bits) = of_class(class);
            let raw = from.bits(bits.saturating_add(1));
            let magnitude = first.saturating_add(raw >> 1).cast_signed();
            if raw & 1 == 1 { magnitude.saturating_neg() } else { magnitude }
        };
        self.count(class);
        number
    }
}

fn sums(parts: &[u16]) -> [u16; CLASSES + 1] {
    let mut sum = 0_u16;
    let mut sums = [0; CLASSES + 1];
    for (place, bound) in sums.iter_mut().enumerate().skip(1) {
        sum = sum.saturating_add(parts.get(place.saturating_sub(1)).copied().unwrap_or(0));
        *bound = sum;
    }
    sums
}

/// What a table's byte stands for, in parts of 2^32.
fn share(code: u8) -> u64 {
    let (octaves, eighths) = (code / 8, code % 8);
    EIGHTHS.get(usize::from(eighths)).copied().unwrap_or(0) << 16 >> octaves
}

/// How often every class occurs in `numbers`.
pub fn counts(numbers: impl Iterator<Item = i32>) -> [u64; CLASSES] {
    let mut counts = [0_u64; CLASSES];
    for number in numbers {
        if let Some(count) = counts.get_mut(class_of(number.unsigned_abs()).0) {
            *count = count.saturating_add(1);
        }
    }
    counts
}

/// The table that suits these counts: one byte per class up to the last that occurs, two at least.
pub fn table(counts: &[u64; CLASSES]) -> Vec<u8> {
    let sum: u128 = counts.iter().map(|&c| u128::from(c)).sum::<u128>().max(1);
    let last = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
    let code = |&count: &u64| {
        // Whole numbers, so that every machine writes the same table.
        let wanted = u64::try_from((u128::from(count) << 32).checked_div(sum).unwrap_or(0)).unwrap_or(u64::MAX);
        (0..=u8::MAX).min_by_key(|&code| share(code).abs_diff(wanted)).unwrap_or(u8::MAX)
    };
    counts.iter().take(last.saturating_add(1).max(2)).map(code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_tile_the_magnitudes() {
        let mut next = 0;
        for class in 0..CLASSES {
            let (first, bits) = of_class(class);
            assert_eq!(first, next);
            next = first + (1 << bits);
            for magnitude in [first, next - 1] {
                assert_eq!(class_of(magnitude), (class, bits));
            }
        }
        assert_eq!(next, MAGNITUDE as u32 + 1);
    }

    #[test]
    fn tables_follow_the_counts_and_leave_nothing_out() {
        let mut counts = [0; CLASSES];
        counts[..5].copy_from_slice(&[7000, 2000, 0, 900, 100]);
        let table = table(&counts);
        assert_eq!(table.len(), 5);
        let frequencies = Frequencies::from_table(&table).unwrap();
        let parts: Vec<u16> = frequencies.cumulative.windows(2).map(|w| w[1] - w[0]).take(5).collect();
        assert_eq!(frequencies.cumulative[5], TOTAL);
        for (part, count) in parts.iter().zip([0.7, 0.2, 0.0, 0.09, 0.01]) {
            assert!((f64::from(*part) / f64::from(TOTAL) - count).abs() < 0.045 * count + 1e-3, "{part} {count}");
        }
        assert!(parts.iter().all(|&part| part > 0));
        assert_eq!(super::table(&[0; CLASSES]).len(), 2);
        assert!(Frequencies::from_table(&[0]).is_err() && Frequencies::from_table(&[0; 31]).is_err());
        assert!(Frequencies::from_table(&[255; 30]).is_ok() && Frequencies::from_table(&[0; 30]).is_ok());
    }

    proptest! {
        #[test]
        fn numbers_come_back(
            numbers in proptest::collection::vec(
                prop_oneof![3 => -3..=3, 2 => -300..=300, 1 => -MAGNITUDE..=MAGNITUDE], 0..3000
            ),
            adaptive: bool,
        ) {
            let start = if adaptive {
                Frequencies::adaptive()
            } else {
                Frequencies::from_table(&table(&counts(numbers.iter().copied()))).unwrap()
            };
            let (mut writing, mut reading, mut encoder) = (start.clone(), start, Encoder::default());
            for &number in &numbers {
                writing.write(number, &mut encoder).unwrap();
            }
            let bytes = encoder.finish();
            let mut decoder = Decoder::new(&bytes);
            for &number in &numbers {
                prop_assert_eq!(reading.read(&mut decoder), number);
            }
            prop_assert_eq!(decoder.left().0, 0);
        }

        #[test]
        fn any_table_and_any_bytes_give_numbers_in_range(
            codes in proptest::collection::vec(any::<u8>(), 2..=30), bytes in proptest::collection::vec(any::<u8>(), 0..99),
        ) {
            for mut frequencies in [Frequencies::from_table(&codes).unwrap(), Frequencies::adaptive()] {
                let mut decoder = Decoder::new(&bytes);
                for _ in 0..3000 {
                    prop_assert!(frequencies.read(&mut decoder).abs() <= MAGNITUDE);
                }
            }
        }
    }
}
