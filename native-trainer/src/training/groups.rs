//! What the default loop trains when: partitions in groups that fit in memory, and a group's samples in turns.

use tessera_core::eval::cpu::training::held_bytes_per_sample;

use super::Soap;
use super::plan::TrainingPlan;

/// Bytes that are held and remembered for a group at most: a little more than the published 512x512 picture needs.
const GROUP_BYTES: u64 = 96 << 20;
/// Samples of a group at most, where a network is so narrow that bytes do not bound them.
const GROUP_SAMPLES: u64 = 1 << 20;
/// Every so many steps the field learns what lies between the samples; without that it ripples there, which PSNR does not
/// see and zooming shows. As often as every third step costs another 0.3 dB and shows no less of it.
const BETWEEN_EVERY: u64 = 5;

/// Whose turn step `step` is: a share, or `None` for the places between the samples.
#[expect(clippy::cast_possible_truncation, reason = "below the number of shares")]
pub(super) fn turn(step: u64, shares: usize, between: bool) -> Option<usize> {
    if between && step % BETWEEN_EVERY == BETWEEN_EVERY - 1 {
        return None;
    }
    let others = if between { step / BETWEEN_EVERY } else { 0 };
    Some(((step - others) % shares as u64) as usize)
}

/// The partitions of every group, as places in `present`. The first is spread evenly, the others take what is left, in
/// order.
pub(super) fn groups(plan: &TrainingPlan, present: &[u32]) -> Vec<Vec<u32>> {
    let (grid, spec) = (&plan.grid, &plan.spec);
    let partitions = present.len();
    let held = if spec.has_global() { held_bytes_per_sample(spec) } else { 0 };
    let samples = (grid.samples() / u64::from(grid.partitions())).max(1);
    // As many places between the samples as a share has.
    let bytes = (samples + samples / u64::from(plan.settings.shares)) * held
        + 4 * Soap::floats_per_network(&spec.local_layers()) as u64;
    let by_memory = (GROUP_SAMPLES / samples).min(GROUP_BYTES / bytes);
    let most = plan.settings.group_samples.map_or(by_memory, |wanted| wanted / samples);
    let count = partitions.div_ceil(usize::try_from(most).unwrap_or(usize::MAX).max(1));
    let size = partitions.div_ceil(count);
    // A slot belongs to the first group where slot * size / partitions grows.
    let spread = |slot: usize| ((slot + 1) * size) / partitions > (slot * size) / partitions;
    let slots = (0_u32..).take(partitions);
    let (first, rest): (Vec<u32>, Vec<u32>) = slots.partition(|&slot| spread(slot as usize));
    std::iter::once(first).chain(rest.chunks(size).map(<[u32]>::to_vec)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_take_turns_with_the_places_between() {
        let turns = |between| (0..10).map(|step| turn(step, 2, between)).collect::<Vec<_>>();
        let (a, b) = (Some(0), Some(1));
        assert_eq!(turns(true), [a, b, a, b, None, a, b, a, b, None]);
        assert_eq!(turns(false), [a, b, a, b, a, b, a, b, a, b]);
    }
}
