//! The published quantiser: as many levels as `bits` have for every tensor, and a search for its step
//! (reference/inr-compression.md section 6).

use tessera_core::field::{Field, Start, StartRule, tensors};

/// Candidates for the step, as hundredths of the one that reaches the largest weight.
const CANDIDATES: std::ops::RangeInclusive<u32> = 1..=101;
/// How much more what is cut off counts than what is rounded.
const CLIPPING: f64 = 3.0;

/// Steps of the shared and of the local tensors for numbers of `bits` bits, each with the least error of its weights, of
/// which cutting off counts three times. Tensors at their start have a step of 0.
pub(super) fn steps_for_bits(field: &Field, seed: u64, rule: StartRule, bits: u32) -> (Vec<f32>, Vec<f32>) {
    let start = Start::new(field.spec(), field.grid(), seed, rule);
    let largest = ((1_i64 << (bits - 1)) - 1) as f64;
    let moved = |weights: &[f32], start: &[f32], range: &std::ops::Range<usize>| -> Vec<f32> {
        weights[range.clone()].iter().zip(&start[range.clone()]).map(|(w, s)| w - s).collect()
    };
    let from = start.shared();
    let shared = tensors(&field.spec().shared_layers());
    let shared = shared.iter().map(|range| best(&moved(field.shared(), &from, range), largest)).collect();
    let starts: Vec<Vec<f32>> = field.present().iter().map(|&partition| start.local(partition)).collect();
    let of_tensor = |range: &std::ops::Range<usize>| {
        let all = starts.iter().enumerate().flat_map(|(slot, start)| moved(field.local_of_slot(slot), start, range));
        best(&all.collect::<Vec<f32>>(), largest)
    };
    (shared, tensors(&field.spec().local_layers()).iter().map(of_tensor).collect())
}

#[expect(clippy::cast_possible_truncation, reason = "steps are 32-bit floats")]
fn best(moved: &[f32], largest: f64) -> f32 {
    let reach = moved.iter().fold(0.0_f64, |reach, v| reach.max(f64::from(v.abs())));
    if reach == 0.0 {
        return 0.0;
    }
    let error = |step: f64| -> f64 {
        let of = |&value: &f32| {
            let value = f64::from(value);
            let number = (value / step).round();
            let rounded = number.clamp(-largest, largest) * step;
            (value - rounded).powi(2) * if number.abs() > largest { CLIPPING } else { 1.0 }
        };
        moved.iter().map(of).sum()
    };
    let steps = CANDIDATES.map(|percent| f64::from(percent) / 100.0 * reach / largest);
    steps.map(|step| (step, error(step))).min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0.0, |(step, _)| step as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_extremes_are_cut_off_and_plain_ranges_are_not() {
        let even: Vec<f32> = (-127..=127).map(|i| i as f32).collect();
        assert!((best(&even, 127.0) - 1.0).abs() < 1e-6);
        let spiky: Vec<f32> = (0..200_000).map(|i| ((i * 37 % 201) as f32 - 100.0) / 100.0).chain([40.0]).collect();
        let step = best(&spiky, 7.0);
        assert!(step < 40.0 / 7.0 / 3.0, "{step}");
        assert_eq!(best(&[0.0; 5], 7.0), 0.0);
    }
}
