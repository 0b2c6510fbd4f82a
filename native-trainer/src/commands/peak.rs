//! What this machine can do at best: fused multiply-adds per second in f32 on all threads, and memory in use.

use std::hint::black_box;
use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};

/// Independent sums: enough to hide the latency of two units, few enough for the 16 registers of AVX2.
const SUMS: usize = 12;

/// A chain of multiply-adds in registers; gives the floating-point operations done.
struct Chain {
    rounds: u32,
}

impl WithSimd for Chain {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (factor, addend) = (simd.splat_f32s(black_box(0.75)), simd.splat_f32s(black_box(0.25)));
        let mut sums = [simd.splat_f32s(black_box(1.0)); SUMS];
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, factor, addend);
            }
        }
        for sum in sums {
            black_box(simd.reduce_sum_f32s(sum));
        }
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let operations = (S::F32_LANES * SUMS * 2) as f64;
        operations * f64::from(self.rounds)
    }
}

/// Peak f32 operations per second on all threads of the pool together: the best of some rounds of about 20 ms, so that
/// other programs disturb one and not all.
pub(super) fn operations_per_second() -> f64 {
    let arch = Arch::new();
    let started = Instant::now();
    arch.dispatch(Chain { rounds: 200_000 });
    let pilot = started.elapsed().as_secs_f64().max(1e-6);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate")]
    let rounds = (200_000.0 * 0.02 / pilot).clamp(1e4, 1e9) as u32;
    let best = |_: usize| {
        let rates = rayon::broadcast(|_| {
            let started = Instant::now();
            let operations = arch.dispatch(Chain { rounds });
            operations / started.elapsed().as_secs_f64()
        });
        rates.iter().sum::<f64>()
    };
    (0..10).map(best).fold(0.0, f64::max)
}

/// Forgets the peak of memory so far, where the system can.
pub(super) fn reset_peak_bytes() {
    // Only Linux has this; elsewhere peaks of later settings include earlier ones, or are not reported at all.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that this process has held since the reset; `None` where the system does not say.
pub(super) fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_peak_is_that_of_a_computer() {
        let peak = super::operations_per_second();
        assert!(peak > 1e8 && peak < 1e15, "{peak}");
    }
}
