//! What changes while latents are trained: rates, and how they are made whole. Found by trials (`docs/benchmarks.md`).

use super::narrow;
use super::partition::Rounding;

/// Temperatures of soft rounding at the beginning and at the end, and the parameter of its noise. By noise that becomes even, as C3 has
/// it, bits of latents that are disturbed stay a quarter above those of whole ones: 0.2 dB.
const TEMPERATURES: (f32, f32) = (0.5, 0.2);
const NOISE: f32 = 2.0;
/// From which part of training on latents are whole numbers, and of that part from where on the network sees all samples.
const WHOLE: f64 = 0.95;
const ALL: f64 = 0.4;
/// Rates of latents at the beginning and before they are whole, in steps of the quantisation. Where a bit is cheaper than this, steps are
/// so fine that latents have many to go: they begin faster, up to so many times. 0.4 to 5 dB at 2 to 4 bits per sample.
const LATENT_RATES: (f32, f32) = (0.3, 6e-3);
const FASTER_BELOW: f64 = 5e-4;
const FASTEST: f64 = 10.0;
/// Rates at the beginning, and what is left of them before latents are whole: of the network, of contexts.
const NETWORK_RATES: (f32, f32) = (0.0105, 0.2);
const CONTEXT_RATE: f32 = 5e-3;
/// Rates while they are.
const WHOLE_LATENT_RATE: f32 = 1e-3;
const WHOLE_NETWORK_RATE: f32 = 2.1e-3;
const WHOLE_CONTEXT_RATE: f32 = 2e-3;
/// Samples by which the network moves at least, and how often while latents move once at most: by 64 moves latents lost sight of what
/// they are to be, 3 dB of a picture of much detail.
const BATCH: usize = 4096;
const BATCHES: usize = 16;

/// Of one step.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) rounding: Rounding,
    pub(super) latents: f32,
    pub(super) network: f32,
    pub(super) contexts: f32,
    /// How often the network moves.
    pub(super) batches: usize,
}

/// Whether latents are whole after this part of the training.
pub(super) fn is_whole(progress: f64) -> bool {
    progress >= WHOLE
}

impl Schedule {
    /// At this part of the training and this price of a bit, for a picture of so many samples.
    pub(super) fn at(progress: f64, price: f64, samples: u64) -> Self {
        let most = (usize::try_from(samples).unwrap_or(usize::MAX) / BATCH).clamp(1, BATCHES);
        if !is_whole(progress) {
            let part = narrow(progress / WHOLE);
            let falling = 0.5 * (1.0 + (std::f32::consts::PI * part).cos());
            let of = |first: f32, last: f32| last + (first - last) * falling;
            let faster = narrow((FASTER_BELOW / price.max(1e-30)).sqrt().clamp(1.0, FASTEST));
            let between = |(first, last): (f32, f32)| first + (last - first) * part;
            return Self {
                rounding: Rounding::soft(between(TEMPERATURES), NOISE),
                latents: of(faster * LATENT_RATES.0, LATENT_RATES.1),
                network: of(NETWORK_RATES.0, NETWORK_RATES.0 * NETWORK_RATES.1),
                contexts: CONTEXT_RATE,
                batches: most,
            };
        }
        let part = ((progress - WHOLE) / (1.0 - WHOLE)).min(1.0);
        let left = narrow(1.0 - part);
        Self {
            rounding: Rounding::Whole,
            latents: WHOLE_LATENT_RATE * left,
            network: WHOLE_NETWORK_RATE * left,
            contexts: WHOLE_CONTEXT_RATE,
            batches: if part > ALL { 1 } else { most },
        }
    }
}
