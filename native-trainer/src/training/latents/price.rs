//! What a bit costs, so that the file becomes as large, or as good, as it should.

use super::{LatentAim, Measured};

/// How fast the price follows the size at the beginning and at the end, and from which part of training on. Bits fall as latents learn, so
/// that a price which follows slowly stays behind: files were up to 7 % too small.
const FOLLOWING: (f64, f64) = (0.04, 0.4);
const FOLLOWS_FROM: f64 = 0.05;
/// More steps follow slower. Fewer do not follow faster, as latents do not either: the price would swing.
const FOLLOWING_STEPS: f64 = 400.0;
/// By how many octaves bits rise where the error falls by one.
const BITS_OF_ERROR: f64 = 0.75;
/// What counts of an excess, and how far the price may go.
const MOST_EXCESS: f64 = 0.5;
const FARTHEST: f64 = 65_536.0;
/// The lowest price for an error, over that error. Errors within reach were had for 1.6 to 4.6; what is beyond would take ever more
/// bits for nothing.
const OF_ERROR: f64 = 0.03;
/// What all but the latents takes in a small file, before that is known, in bits.
const BESIDE: f64 = 8.0 * 850.0;

/// The price of a bit.
#[derive(Debug, Clone)]
pub(super) struct Price {
    /// Mean squared error of values from 0 to 1, times samples.
    pub(super) now: f64,
    /// The lowest and the highest.
    bounds: (f64, f64),
    aim: LatentAim,
    /// Bits of the file beyond what latents were weighed at.
    beside: f64,
    /// The error of the file over that of a step.
    errors: f64,
    /// The part of the training up to which it followed.
    progress: f64,
}

impl Price {
    pub(super) fn new(first: f64, aim: LatentAim) -> Self {
        let beside = if let LatentAim::Bytes(bytes) = aim { BESIDE.min(4.0 * bytes) } else { BESIDE };
        let lowest = match aim {
            LatentAim::Bytes(_) => first / FARTHEST,
            LatentAim::Error(wanted) => OF_ERROR * wanted,
        };
        Self { now: first, bounds: (lowest.min(first), first * FARTHEST), aim, beside, errors: 1.0, progress: 0.0 }
    }

    /// Takes in that latents weighed at so many bits, and a step's error, make such a file.
    pub(super) fn learn(&mut self, weighed: f64, error: f64, file: Measured) {
        self.beside = 8.0 * file.bytes - weighed;
        self.errors = file.error.map_or(self.errors, |of_file| of_file / error.max(1e-12));
    }

    /// Logarithm of the bits of a file of such latents, over those that are wanted.
    pub(super) fn excess(&self, weighed: f64, error: f64) -> f64 {
        match self.aim {
            LatentAim::Bytes(bytes) => ((weighed + self.beside).max(1.0) / (8.0 * bytes)).ln(),
            LatentAim::Error(wanted) => BITS_OF_ERROR * (wanted / (self.errors * error).max(1e-12)).ln(),
        }
    }

    /// Follows the excess, at this part of the training.
    pub(super) fn follow(&mut self, excess: f64, progress: f64) {
        let part = progress - std::mem::replace(&mut self.progress, progress);
        if progress < FOLLOWS_FROM {
            return;
        }
        // Not of the steps that are planned: time may end the training before them.
        let slower = (FOLLOWING_STEPS * part).clamp(0.0, 1.0);
        let excess = excess.clamp(-MOST_EXCESS, MOST_EXCESS);
        let following = FOLLOWING.0 + (FOLLOWING.1 - FOLLOWING.0) * progress.min(1.0);
        let price = self.now * (following * slower * excess).exp();
        let (lowest, highest) = self.bounds;
        self.now = price.clamp(lowest, highest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_finds_the_size() {
        for (first, steps) in [(1e-6, 400), (1e-3, 400), (1.0, 400), (1e-3, 120), (1e-3, 4_000)] {
            let mut price = Price::new(first, LatentAim::Bytes(3_000.0));
            // Bits fall with the price, late.
            let mut bits = 80_000.0;
            for step in 0..steps {
                bits += 0.1 * (200.0 * price.now.powf(-0.6) - bits);
                price.learn(bits, 1.0, Measured { bytes: bits / 8.0 + 500.0, error: None });
                price.follow(price.excess(bits, 1.0), step as f64 / steps as f64);
            }
            assert!(price.excess(bits, 1.0).abs() < 0.02, "{first}: {price:?}, {bits}");
        }
    }
}
