//! What the published coders would make of the same numbers: figures to compare with, no file holds them.
//!
//! The published work counts bytes without writing a file (reference/inr-compression.md 9): one table of counts and one
//! arithmetic code for the symbols of all tensors, or Brotli over the symbols as bytes, and 64-bit steps. What a file
//! needs besides (sizes, the network, checksums) is not counted there, nor here.

use std::io;

use serde::Serialize;
use tessera_core::codec::quantised::Numbers;

/// Bits of the fields for the number of bits and for the width of the counts.
const FIELD_BITS: u64 = 4;
/// What Brotli adds to steps that it cannot make smaller: 84 bytes for the ten of three hidden layers.
const STEPS_OVERHEAD: u64 = 4;
/// The last symbol of a stream, and the bit that closes it.
const CLOSING_BITS: f64 = 1.0;

/// Bytes by the published accounting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PublishedRate {
    /// Bits that a symbol needs without coding.
    pub bits: u32,
    /// The fields in front and the table of counts.
    pub table_bytes: u64,
    /// The arithmetic code of all symbols.
    pub payload_bytes: u64,
    /// One step for every tensor.
    pub steps_bytes: u64,
    /// All of them: what the published work calls the size.
    pub bytes: u64,
    /// Brotli over the symbols, in place of table and payload.
    pub brotli_bytes: u64,
}

impl PublishedRate {
    /// Counts `numbers` of a field with `tensors` tensors (weights and biases of every layer). `bits` is what was asked for;
    /// without it, as many as the largest number needs.
    ///
    /// # Errors
    /// Where Brotli cannot get memory.
    pub fn of(numbers: &Numbers, tensors: usize, bits: Option<u32>) -> io::Result<Self> {
        let all = || numbers.shared.iter().chain(&numbers.local).copied();
        let reach = all().map(i32::unsigned_abs).max().unwrap_or(0);
        let bits = bits.unwrap_or(0).max(33 - reach.leading_zeros()).max(2);
        let offset = 1_i32 << (bits - 1);
        #[expect(clippy::cast_sign_loss, reason = "no number is below minus the offset")]
        let symbols: Vec<u32> = all().map(|number| (number + offset) as u32).collect();
        let mut counts = vec![0_u64; 1 << bits];
        symbols.iter().for_each(|&symbol| counts[symbol as usize] += 1);
        let largest = counts.iter().copied().max().unwrap_or(0);
        let width = u64::from(largest.max(1).ilog2()) + 1;
        let table_bytes = (2 * FIELD_BITS + (width << bits)).div_ceil(8);
        #[expect(clippy::cast_precision_loss, reason = "counts of weights")]
        let payload_bits = {
            // One more symbol ends the stream.
            let total = (symbols.len() + 1) as f64;
            let coded = counts.iter().filter(|&&count| count > 0).map(|&n| n as f64 * (total / n as f64).log2());
            coded.sum::<f64>() + total.log2() + CLOSING_BITS
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive size")]
        let payload_bytes = (payload_bits / 8.0).ceil() as u64;
        let steps_bytes = 8 * tensors as u64 + STEPS_OVERHEAD;
        let bytes = table_bytes + payload_bytes + steps_bytes;
        Ok(Self { bits, table_bytes, payload_bytes, steps_bytes, bytes, brotli_bytes: brotli_bytes(&symbols, bits)? })
    }
}

/// Bytes of one Brotli stream over the symbols: one byte for each up to 8 bits, two up to 16.
fn brotli_bytes(symbols: &[u32], bits: u32) -> io::Result<u64> {
    let each = if bits <= 8 { 1 } else { 2 };
    let bytes: Vec<u8> = symbols.iter().flat_map(|symbol| symbol.to_le_bytes().into_iter().take(each)).collect();
    let parameters = brotli::enc::BrotliEncoderParams { size_hint: bytes.len(), ..Default::default() };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut bytes.as_slice(), &mut out, &parameters)?;
    Ok(out.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::field::SplitMix64;

    #[test]
    fn side_information_is_as_published() {
        // A network of width 32, normal weights at 8 bits: 289 bytes of table where no count reaches 512, and 84 of steps.
        let mut random = SplitMix64(5);
        let mut normal = || (0..12).map(|_| random.uniform(0.5)).sum::<f32>();
        #[expect(clippy::cast_possible_truncation, reason = "within 8 bits")]
        let local: Vec<i32> = (0..5_411).map(|_| (normal() * 30.0).round().clamp(-127.0, 127.0) as i32).collect();
        let rate = PublishedRate::of(&Numbers { shared: Vec::new(), local }, 10, Some(8)).unwrap();
        assert_eq!((rate.bits, rate.steps_bytes), (8, 84));
        assert!([225, 257, 289].contains(&rate.table_bytes), "{}", rate.table_bytes);
        assert_eq!(rate.bytes, rate.table_bytes + rate.payload_bytes + rate.steps_bytes);
        // The entropy of a normal distribution of standard deviation 30: log2(30 sqrt(2 pi e)) = 6.95 bits.
        let per_weight = rate.payload_bytes as f64 * 8.0 / 5_411.0;
        assert!((6.7..7.05).contains(&per_weight), "{per_weight}");
        assert!(rate.brotli_bytes > rate.payload_bytes && rate.brotli_bytes < 5_500, "{}", rate.brotli_bytes);
    }

    #[test]
    fn any_numbers_are_counted() {
        let of = |local: &[i32], bits| {
            PublishedRate::of(&Numbers { shared: vec![1, -1], local: local.to_vec() }, 2, bits).unwrap()
        };
        assert_eq!(of(&[], Some(4)).bits, 4);
        assert_eq!((of(&[], None).bits, of(&[-127], None).bits, of(&[128], None).bits), (2, 8, 9));
        assert_eq!(of(&[32_767, -32_767], Some(8)).bits, 16, "what does not fit takes more");
        // Equal symbols cost next to nothing.
        assert!(of(&[0; 30_000], Some(8)).payload_bytes < 10 && of(&[0; 30_000], Some(8)).brotli_bytes < 60);
    }
}
