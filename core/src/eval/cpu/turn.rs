//! Turning a block's rows of features into rows of samples.

use std::ops::Range;

use pulp::Simd;

use super::dense::parts;

/// Vectors per panel: with a few inputs they fill the registers.
const fn panel_vectors<S: Simd>() -> usize {
    if S::F32_LANES == 16 { 4 } else { 2 }
}

/// The panels of a turned row of `stride` vectors: ranges of its vectors.
pub(super) fn panels<S: Simd>(stride: usize) -> impl Iterator<Item = Range<usize>> {
    parts(stride, panel_vectors::<S>())
}

/// Turns `[features, columns]` into panels of `[samples, vectors of the panel]`, of the columns in `samples`; what
/// fills the last vector up is zero.
///
/// Panels lie one behind the other, and each is read from end to end: rows as long as all features would fall into the
/// same few sets of the cache.
#[inline(always)]
pub(super) fn turn<S: Simd>(rows: &[f32], turned: &mut [f32], features: usize, columns: usize, samples: Range<usize>) {
    let lanes = S::F32_LANES;
    let stride = features.div_ceil(lanes);
    for panel in panels::<S>(stride) {
        let floats = panel.len() * lanes;
        let panel_floats = &mut turned[panel.start * lanes * samples.len()..panel.end * lanes * samples.len()];
        for vector in panel.clone() {
            let first = vector * lanes;
            let rows = &rows[first * columns..features.min(first + lanes) * columns];
            let place = (vector - panel.start) * lanes;
            turn_vector::<S>(rows, columns, samples.clone(), &mut panel_floats[place..], floats);
        }
    }
}

/// Turns up to a vector of rows; row `s` of the result begins at `s * stride`.
#[inline(always)]
fn turn_vector<S: Simd>(rows: &[f32], columns: usize, samples: Range<usize>, turned: &mut [f32], stride: usize) {
    #[cfg(target_arch = "x86_64")]
    if S::F32_LANES == 16
        && let Some(simd) = pulp::x86::V4::try_new()
    {
        return avx512::turn(simd, rows, columns, samples, turned, stride);
    }
    #[cfg(target_arch = "x86_64")]
    if S::F32_LANES == 8
        && let Some(simd) = pulp::x86::V3::try_new()
    {
        return avx2::turn(simd, rows, columns, samples, turned, stride);
    }
    let count = rows.len() / columns;
    for (s, row) in samples.zip(turned.chunks_mut(stride)) {
        for (value, feature) in row[..count].iter_mut().zip(rows.chunks_exact(columns)) {
            *value = feature[s];
        }
        row[count..S::F32_LANES].fill(0.0);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::__m512;
    use std::ops::Range;

    use pulp::cast;
    use pulp::x86::V4;

    /// Sixteen features of sixteen samples at a time: pairs, fours, then quarters of registers.
    #[inline(always)]
    pub(super) fn turn(
        simd: V4,
        rows: &[f32],
        columns: usize,
        samples: Range<usize>,
        turned: &mut [f32],
        stride: usize,
    ) {
        let avx = simd.avx512f;
        let zero = simd.splat_f32x16(0.0);
        for (block, first) in samples.step_by(16).enumerate() {
            let mut vectors = [zero; 16];
            for (vector, row) in vectors.iter_mut().zip(rows.chunks_exact(columns)) {
                let row: [f32; 16] = row[first..first + 16].try_into().expect("sixteen samples");
                *vector = cast(row);
            }
            let mut fours: [__m512; 16] = cast([zero; 16]);
            for group in 0..4 {
                let row = |i: usize| -> __m512 { cast(vectors[4 * group + i]) };
                let low = [avx._mm512_unpacklo_ps(row(0), row(1)), avx._mm512_unpacklo_ps(row(2), row(3))];
                let high = [avx._mm512_unpackhi_ps(row(0), row(1)), avx._mm512_unpackhi_ps(row(2), row(3))];
                fours[4 * group] = cast(avx._mm512_unpacklo_pd(cast(low[0]), cast(low[1])));
                fours[4 * group + 1] = cast(avx._mm512_unpackhi_pd(cast(low[0]), cast(low[1])));
                fours[4 * group + 2] = cast(avx._mm512_unpacklo_pd(cast(high[0]), cast(high[1])));
                fours[4 * group + 3] = cast(avx._mm512_unpackhi_pd(cast(high[0]), cast(high[1])));
            }
            // fours[4 g + j] holds, in its quarter q, the features 4 g .. 4 g + 4 of sample 4 q + j.
            for j in 0..4 {
                let even = [
                    avx._mm512_shuffle_f32x4::<0x88>(fours[j], fours[4 + j]),
                    avx._mm512_shuffle_f32x4::<0x88>(fours[8 + j], fours[12 + j]),
                ];
                let odd = [
                    avx._mm512_shuffle_f32x4::<0xdd>(fours[j], fours[4 + j]),
                    avx._mm512_shuffle_f32x4::<0xdd>(fours[8 + j], fours[12 + j]),
                ];
                let quarters = [
                    avx._mm512_shuffle_f32x4::<0x88>(even[0], even[1]),
                    avx._mm512_shuffle_f32x4::<0x88>(odd[0], odd[1]),
                    avx._mm512_shuffle_f32x4::<0xdd>(even[0], even[1]),
                    avx._mm512_shuffle_f32x4::<0xdd>(odd[0], odd[1]),
                ];
                for (q, vector) in quarters.into_iter().enumerate() {
                    let place = (block * 16 + 4 * q + j) * stride;
                    let vector: [f32; 16] = cast(vector);
                    turned[place..place + 16].copy_from_slice(&vector);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::__m256;
    use std::ops::Range;

    use pulp::cast;
    use pulp::x86::V3;

    /// Eight features of eight samples at a time.
    #[inline(always)]
    pub(super) fn turn(
        simd: V3,
        rows: &[f32],
        columns: usize,
        samples: Range<usize>,
        turned: &mut [f32],
        stride: usize,
    ) {
        let avx = simd.avx;
        let zero = simd.splat_f32x8(0.0);
        for (block, first) in samples.step_by(8).enumerate() {
            let mut vectors = [zero; 8];
            for (vector, row) in vectors.iter_mut().zip(rows.chunks_exact(columns)) {
                let row: [f32; 8] = row[first..first + 8].try_into().expect("eight samples");
                *vector = cast(row);
            }
            let mut fours: [__m256; 8] = cast([zero; 8]);
            for group in 0..2 {
                let row = |i: usize| -> __m256 { cast(vectors[4 * group + i]) };
                let low = [avx._mm256_unpacklo_ps(row(0), row(1)), avx._mm256_unpacklo_ps(row(2), row(3))];
                let high = [avx._mm256_unpackhi_ps(row(0), row(1)), avx._mm256_unpackhi_ps(row(2), row(3))];
                fours[4 * group] = avx._mm256_shuffle_ps::<0x44>(low[0], low[1]);
                fours[4 * group + 1] = avx._mm256_shuffle_ps::<0xee>(low[0], low[1]);
                fours[4 * group + 2] = avx._mm256_shuffle_ps::<0x44>(high[0], high[1]);
                fours[4 * group + 3] = avx._mm256_shuffle_ps::<0xee>(high[0], high[1]);
            }
            // fours[4 g + j] holds, in its half h, the features 4 g .. 4 g + 4 of sample 4 h + j.
            for j in 0..4 {
                let halves = [
                    avx._mm256_permute2f128_ps::<0x20>(fours[j], fours[4 + j]),
                    avx._mm256_permute2f128_ps::<0x31>(fours[j], fours[4 + j]),
                ];
                for (h, vector) in halves.into_iter().enumerate() {
                    let place = (block * 8 + 4 * h + j) * stride;
                    let vector: [f32; 8] = cast(vector);
                    turned[place..place + 8].copy_from_slice(&vector);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, WithSimd};

    struct Check(usize);

    impl WithSimd for Check {
        type Output = ();

        fn with_simd<S: Simd>(self, _: S) {
            let (features, lanes, columns) = (self.0, S::F32_LANES, 64);
            let samples = if lanes < 64 { lanes..3 * lanes } else { 0..64 };
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let rows: Vec<f32> = (0..features * columns).map(|i| i as f32 + 1.0).collect();
            let stride = features.div_ceil(lanes);
            let mut turned = vec![-1.0; stride * lanes * samples.len()];
            turn::<S>(&rows, &mut turned, features, columns, samples.clone());
            for panel in panels::<S>(stride) {
                let floats = &turned[panel.start * lanes * samples.len()..];
                for (row, s) in floats.chunks_exact(panel.len() * lanes).zip(samples.clone()) {
                    for (value, feature) in row.iter().zip(panel.start * lanes..) {
                        let wanted = if feature < features { rows[feature * columns + s] } else { 0.0 };
                        assert_eq!(*value, wanted, "feature {feature} of sample {s}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_sample_gets_its_features() {
        for features in [1, 3, 14, 16, 31, 84, 98] {
            Arch::new().dispatch(Check(features));
            #[cfg(target_arch = "x86_64")]
            if let Some(simd) = pulp::x86::V3::try_new() {
                Simd::vectorize(simd, Check(features));
            }
            Simd::vectorize(pulp::Scalar::new(), Check(features));
        }
    }
}
