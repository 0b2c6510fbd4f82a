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
        let unit = self.range.checked_div(total).unwrap_or(0);
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
        let (low, end) = (u64::from(self.low), u64::from(self.low).saturating_add(u64::from(self.range)));
        for count in 0..=4_u32 {
            let below = (1_u64 << 32_u32.saturating_sub(count.saturating_mul(8))).wrapping_sub(1);
            let value = low.wrapping_add(below) & !below;
            if value < end {
                if value > u64::from(u32::MAX) {
                    self.carry();
                }
                let bytes = value.to_be_bytes();
                self.bytes.extend(bytes.iter().skip(4).take(count as usize));
                break;
            }
        }
        self.bytes
    }
}

/// Reads symbols. Any bytes are some symbols; behind the end there are zeros.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    /// Bytes that were read behind the end.
    missing: usize,
    /// The code from the lower end of the range.
    code: u32,
    range: u32,
}

impl<'a> Decoder<'a> {
    /// Starts at the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { rest: bytes, missing: 0, code: 0, range: u32::MAX };
        for _ in 0..4 {
            decoder.code = decoder.code << 8 | decoder.byte();
        }
        decoder
    }

    fn byte(&mut self) -> u32 {
        if let Some((&first, rest)) = self.rest.split_first() {
            self.rest = rest;
            u32::from(first)
        } else {
            self.missing = self.missing.saturating_add(1);
            0
        }
    }

    /// The next symbol of those with the bounds `cumulative`: 0, then the sum of frequencies up to each symbol, ending with
    /// `total`.
    pub fn symbol(&mut self, cumulative: &[u16], total: u32) -> usize {
        let unit = self.range.checked_div(total).unwrap_or(0).max(1);
        let mut low = 0;
        let mut symbol = 0;
        let inner = cumulative.get(1..cumulative.len().saturating_sub(1)).unwrap_or_default();
        let mut high = unit.wrapping_mul(total);
        for &bound in inner {
            let bound = unit.wrapping_mul(u32::from(bound));
            if self.code < bound {
                high = bound;
                break;
            }
            low = bound;
            symbol = symbol.wrapping_add(1);
        }
        self.narrow(low, high);
        symbol
    }

    /// The next `count` bits, at most [`RAW_BITS`].
    pub fn bits(&mut self, count: u32) -> u32 {
        let total = 1_u32.wrapping_shl(count);
        let unit = self.range >> count;
        let value = self.code.checked_div(unit).unwrap_or(0).min(total.saturating_sub(1));
        let low = unit.wrapping_mul(value);
        self.narrow(low, low.wrapping_add(unit));
        value
    }

    fn narrow(&mut self, low: u32, high: u32) {
        self.code = self.code.wrapping_sub(low);
        self.range = high.wrapping_sub(low);
        while self.range < NARROW {
            self.code = self.code << 8 | self.byte();
            self.range = (self.range << 8).max(1);
        }
    }

    /// Bytes that were not looked at, and bytes that were looked for behind the end (0 to 4 of a whole payload).
    pub fn left(&self) -> (usize, usize) {
        (self.rest.len(), self.missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frequencies() -> impl Strategy<Value = Vec<u16>> {
        proptest::collection::vec(1_u16..2000, 1..30)
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
                prop_assert_eq!(decoder.symbol(&bounds, total), pick % frequencies.len());
                prop_assert_eq!(decoder.bits(count), raw & ((1 << count) - 1));
            }
            let (unread, missing) = decoder.left();
            prop_assert!(unread == 0 && missing <= 4, "{} unread, {} missing", unread, missing);
        }

        #[test]
        fn any_bytes_are_some_symbols(bytes in proptest::collection::vec(any::<u8>(), 0..60), frequencies in frequencies()) {
            let bounds = cumulative(&frequencies);
            let total = u32::from(*bounds.last().unwrap());
            let mut decoder = Decoder::new(&bytes);
            for _ in 0..200 {
                prop_assert!(decoder.symbol(&bounds, total) < frequencies.len());
                prop_assert!(decoder.bits(7) < 128);
            }
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
            assert!(symbols.iter().all(|&s| decoder.symbol(&bounds, total) == s));
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
