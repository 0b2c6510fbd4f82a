//! A range coder over bytes (Martin 1979), with carries.
//!
//! Ours because a chunk is a few hundred bytes: the coders of the registry write whole words at the end, which would be
//! several percent of it, and the bytes are part of the file format. `docs/format.md` has the rules for other readers.

/// Below this width the range is widened by a byte.
const NARROW: u32 = 1 << 24;
/// Bits that [`Encoder::bits`] takes at most.
pub const RAW_BITS: u32 = 15;

/// Writes symbols.
#[derive(Debug, Clone)]
pub struct Encoder {
    low: u32,
    range: u32,
    bytes: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { low: 0, range: u32::MAX, bytes: Vec::new() }
    }
}

impl Encoder {
    /// Codes the symbol that takes `size` of `total` from `start` on; 0 < `size`, `start + size <= total <= 2^16`.
    pub fn symbol(&mut self, start: u32, size: u32, total: u32) {
        let unit = if total.is_power_of_two() {
            self.range >> total.trailing_zeros()
        } else {
            self.range.checked_div(total).unwrap_or(0)
        };
        let (low, carry) = self.low.overflowing_add(unit.wrapping_mul(start));
        if carry {
            self.carry();
        }
        self.low = low;
        self.range = unit.wrapping_mul(size);
        while self.range < NARROW {
            let [first, ..] = self.low.to_be_bytes();
            self.bytes.push(first);
            self.low <<= 8;
            // A caller's broken frequencies must not loop forever.
            self.range = (self.range << 8).max(1);
        }
    }

    /// Codes `value`, of `count` bits, as it is; `count` is at most [`RAW_BITS`].
    pub fn bits(&mut self, value: u32, count: u32) {
        self.symbol(value, 1, 1_u32.wrapping_shl(count));
    }

    fn carry(&mut self) {
        for byte in self.bytes.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }

    /// The bytes: with the fewest behind those written that tell the last symbol, whatever follows being zero.
    pub fn finish(mut self) -> Vec<u8> {
        if let Some((count, above)) = last_bytes(self.low, self.range) {
            let value = u64::from(self.low).wrapping_add(above);
            if value > u64::from(u32::MAX) {
                self.carry();
            }
            self.bytes.extend(value.to_be_bytes().iter().skip(4).take(count));
        }
        self.bytes
    }
}

/// Reads symbols. Any bytes are some symbols; behind the end there are zeros.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    /// Bytes that were read, with those behind the end.
    read: usize,
    /// The code from the lower end of the range.
    code: u32,
    range: u32,
    /// What a part of the symbol's total takes of the range.
    unit: u32,
    /// Whether the code was somewhere that no encoder goes.
    foreign: bool,
}

impl<'a> Decoder<'a> {
    /// Starts at the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { bytes, read: 0, code: 0, range: u32::MAX, unit: 1, foreign: false };
        for _ in 0..4 {
            decoder.code = decoder.code << 8 | decoder.byte();
        }
        decoder
    }

    fn byte(&mut self) -> u32 {
        let byte = self.bytes.get(self.read).copied().unwrap_or(0);
        self.read = self.read.wrapping_add(1);
        byte.into()
    }

    /// Where in `0..total` the next symbol lies, 0 < `total <= 2^16`; [`Decoder::take`] then names the symbol.
    pub fn place(&mut self, total: u32) -> u32 {
        self.unit = self.range.checked_div(total).unwrap_or(0).max(1);
        self.place_of_unit(total)
    }

    /// [`Decoder::place`] in a total of 2^`count`, which takes a division less.
    pub fn place_in_bits(&mut self, count: u32) -> u32 {
        self.unit = (self.range >> count).max(1);
        self.place_of_unit(1_u32.wrapping_shl(count))
    }

    fn place_of_unit(&mut self, total: u32) -> u32 {
        let place = self.code.checked_div(self.unit).unwrap_or(0);
        self.foreign |= place >= total;
        place.min(total.saturating_sub(1))
    }

    /// The symbol at the last place takes `size` parts of the total from `start` on.
    pub fn take(&mut self, start: u32, size: u32) {
        self.code = self.code.wrapping_sub(self.unit.wrapping_mul(start));
        self.range = self.unit.wrapping_mul(size);
        while self.range < NARROW {
            self.code = self.code << 8 | self.byte();
            // Broken frequencies must not loop forever.
            self.range = (self.range << 8).max(1);
        }
    }

    /// The next `count` bits, at most [`RAW_BITS`].
    pub fn bits(&mut self, count: u32) -> u32 {
        let value = self.place_in_bits(count);
        self.take(value, 1);
        value
    }

    /// Bytes that were not looked at, and bytes that were looked for behind the end (0 to 4 of a whole payload).
    pub fn left(&self) -> (usize, usize) {
        (self.bytes.len().saturating_sub(self.read), self.read.saturating_sub(self.bytes.len()))
    }

    /// How many bytes [`Encoder`] writes for the symbols that were read, where it writes these bytes and zeros behind them;
    /// `None` where it writes others.
    ///
    /// Both keep the same range, and the code is the bytes less the lower end of it. So the lower end is known here as
    /// well, and with it the bytes that an encoder would end with: nothing has to be encoded again.
    pub fn written(&self) -> Option<usize> {
        let window = (1..=4_usize).rev().fold(0_u32, |window, back| {
            let byte = self.read.checked_sub(back).and_then(|at| self.bytes.get(at));
            window << 8 | u32::from(byte.copied().unwrap_or(0))
        });
        let (count, above) = last_bytes(window.wrapping_sub(self.code), self.range)?;
        let shifted = self.read.checked_sub(4)?;
        (!self.foreign && u64::from(self.code) == above).then_some(shifted.saturating_add(count))
    }
}

/// The fewest bytes that tell a code in the range above `low` if zeros follow, and how far above `low` that code is.
fn last_bytes(low: u32, range: u32) -> Option<(usize, u64)> {
    let (low, range) = (u64::from(low), u64::from(range));
    (0..=4_u32).find_map(|count| {
        let below = (1_u64 << 32_u32.saturating_sub(count.saturating_mul(8))).wrapping_sub(1);
        let above = (low.wrapping_add(below) & !below).wrapping_sub(low);
        (above < range).then_some((count as usize, above))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frequencies() -> impl Strategy<Value = Vec<u16>> {
        proptest::collection::vec(1_u16..2000, 1..30)
    }

    fn symbol(decoder: &mut Decoder<'_>, bounds: &[u16], total: u32) -> usize {
        let place = decoder.place(total);
        let symbol = bounds.iter().rposition(|&bound| u32::from(bound) <= place).unwrap();
        decoder.take(bounds[symbol].into(), (bounds[symbol + 1] - bounds[symbol]).into());
        symbol
    }

    fn cumulative(frequencies: &[u16]) -> Vec<u16> {
        let mut sum = 0;
        std::iter::once(0)
            .chain(frequencies.iter().map(|f| {
                sum += f;
                sum
            }))
            .collect()
    }

    proptest! {
        #[test]
        fn symbols_and_bits_come_back(
            frequencies in frequencies(),
            picks in proptest::collection::vec((0_usize..1000, 0_u32..1 << 15, 0_u32..=15), 0..400),
        ) {
            let bounds = cumulative(&frequencies);
            let total = u32::from(*bounds.last().unwrap());
            let mut encoder = Encoder::default();
            for &(pick, raw, count) in &picks {
                let s = pick % frequencies.len();
                encoder.symbol(u32::from(bounds[s]), u32::from(frequencies[s]), total);
                encoder.bits(raw & ((1 << count) - 1), count);
            }
            let bytes = encoder.finish();
            let mut decoder = Decoder::new(&bytes);
            for &(pick, raw, count) in &picks {
                prop_assert_eq!(symbol(&mut decoder, &bounds, total), pick % frequencies.len());
                prop_assert_eq!(decoder.bits(count), raw & ((1 << count) - 1));
            }
            let (unread, missing) = decoder.left();
            prop_assert!(unread == 0 && missing <= 4, "{} unread, {} missing", unread, missing);
            prop_assert_eq!(decoder.written(), Some(bytes.len()));
        }

        #[test]
        fn any_bytes_are_some_symbols(bytes in proptest::collection::vec(any::<u8>(), 0..60), frequencies in frequencies()) {
            let bounds = cumulative(&frequencies);
            let total = u32::from(*bounds.last().unwrap());
            let mut decoder = Decoder::new(&bytes);
            for _ in 0..200 {
                prop_assert!(symbol(&mut decoder, &bounds, total) < frequencies.len());
                prop_assert!(decoder.bits(7) < 128);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        /// What `written` says without encoding, against encoding what was read.
        #[test]
        fn bytes_of_no_encoder_are_told(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(255)], 0..12),
            frequencies in frequencies(), picks in proptest::collection::vec(0_u32..=15, 0..12), end in 0_usize..4,
        ) {
            let bounds = cumulative(&frequencies);
            let total = u32::from(*bounds.last().unwrap());
            let (mut decoder, mut encoder) = (Decoder::new(&bytes), Encoder::default());
            for &count in &picks {
                let s = symbol(&mut decoder, &bounds, total);
                encoder.symbol(bounds[s].into(), frequencies[s].into(), total);
                encoder.bits(decoder.bits(count), count);
            }
            let mut again = encoder.finish();
            let length = again.len();
            let read = bytes.len().min(decoder.read);
            let same = (0..decoder.read.max(length)).all(|i| {
                bytes[..read].get(i).copied().unwrap_or(0) == again.get(i).copied().unwrap_or(0)
            });
            prop_assert_eq!(decoder.written(), same.then_some(length));
            // An encoder's own bytes, also with zeros behind them.
            let check = |bytes: &[u8]| {
                let mut decoder = Decoder::new(bytes);
                for &count in &picks {
                    symbol(&mut decoder, &bounds, total);
                    decoder.bits(count);
                }
                decoder.written()
            };
            prop_assert_eq!(check(&again), Some(length));
            again.resize(length + end, 0);
            prop_assert_eq!(check(&again), Some(length));
        }
    }

    /// A million streams of few symbols each, drawn from a million distributions.
    #[test]
    fn a_million_streams_come_back() {
        let mut random = crate::field::SplitMix64(5);
        for _ in 0..1_000_000 {
            let word = random.next_word();
            let frequencies = [1 + (word & 0xff) as u16, 1 + (word >> 8 & 0x3f) as u16, 1 + (word >> 14 & 7) as u16];
            let bounds = cumulative(&frequencies);
            let total = u32::from(bounds[3]);
            let symbols: Vec<usize> = (0..(word >> 17 & 15)).map(|i| (word >> (21 + 2 * i)) as usize % 3).collect();
            let mut encoder = Encoder::default();
            for &s in &symbols {
                encoder.symbol(u32::from(bounds[s]), u32::from(frequencies[s]), total);
            }
            let bytes = encoder.finish();
            let mut decoder = Decoder::new(&bytes);
            assert!(symbols.iter().all(|&s| symbol(&mut decoder, &bounds, total) == s));
            assert_eq!(decoder.written(), Some(bytes.len()));
        }
    }

    #[test]
    fn the_size_is_that_of_the_entropy() {
        let frequencies = [20_u16, 9, 2, 1];
        let bounds = cumulative(&frequencies);
        let mut random = crate::field::SplitMix64(1);
        let mut encoder = Encoder::default();
        let mut bits = 0.0;
        for _ in 0..100_000 {
            let draw = random.below(32) as u16;
            let s = bounds[1..].iter().position(|&b| draw < b).unwrap();
            bits -= (f64::from(frequencies[s]) / 32.0).log2();
            encoder.symbol(u32::from(bounds[s]), u32::from(frequencies[s]), 32);
        }
        let bytes = encoder.finish().len() as f64;
        assert!((bytes - bits / 8.0).abs() < bits / 8.0 * 1e-4 + 2.0, "{bytes} bytes for {} of entropy", bits / 8.0);
    }
}
