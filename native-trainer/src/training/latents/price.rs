//! What a bit costs, so that the file becomes as large as it should.

/// How fast the price follows the size at the beginning and at the end, and from which part of training on. Bits fall as latents learn, so
/// that a price which follows slowly stays behind: files were up to 7 % too small.
const FOLLOWING: (f64, f64) = (0.08, 0.32);
const FOLLOWS_FROM: f64 = 0.05;
/// Steps for which that is enough; fewer follow faster, up to so many times.
const FOLLOWING_STEPS: f64 = 400.0;
const FASTEST: f64 = 5.0;
/// What counts of an excess, and how far the price may go.
const MOST_EXCESS: f64 = 0.5;
const FARTHEST: f64 = 65_536.0;
/// What all but the latents takes in a small file, before that is known, in bits.
const BESIDE: f64 = 8.0 * 850.0;

/// The price of a bit.
#[derive(Debug, Clone)]
pub(super) struct Price {
    /// Mean squared error of values from 0 to 1, times samples.
    pub(super) now: f64,
    first: f64,
    /// Bits of the file that is wanted.
    wanted: f64,
    /// Bits of the file beyond what latents were weighed at.
    beside: f64,
    /// By how much more an excess counts.
    faster: f64,
}

impl Price {
    pub(super) fn new(first: f64, bytes: f64, steps: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let faster = (FOLLOWING_STEPS / steps.max(1) as f64).clamp(1.0, FASTEST);
        let wanted = 8.0 * bytes;
        Self { now: first, first, wanted, beside: BESIDE.min(wanted / 2.0), faster }
    }

    /// Takes in that latents weighed at so many bits make a file of so many bytes.
    pub(super) fn learn(&mut self, weighed: f64, bytes: f64) {
        self.beside = 8.0 * bytes - weighed;
    }

    /// Bits of a file of such latents, over those that are wanted.
    pub(super) fn size(&self, weighed: f64) -> f64 {
        (weighed + self.beside).max(1.0) / self.wanted
    }

    /// Follows the size, at this part of the training.
    pub(super) fn follow(&mut self, weighed: f64, progress: f64) {
        if progress < FOLLOWS_FROM {
            return;
        }
        let excess = self.size(weighed).ln().clamp(-MOST_EXCESS, MOST_EXCESS);
        let following = FOLLOWING.0 + (FOLLOWING.1 - FOLLOWING.0) * progress.min(1.0);
        let price = self.now * (following * self.faster * excess).exp();
        self.now = price.clamp(self.first / FARTHEST, self.first * FARTHEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_finds_the_size() {
        for first in [1e-6, 1e-3, 1.0] {
            let mut price = Price::new(first, 3_000.0, 400);
            // Bits fall with the price, late.
            let mut bits = 80_000.0;
            for step in 0..400 {
                bits += 0.1 * (200.0 * price.now.powf(-0.6) - bits);
                price.learn(bits, bits / 8.0 + 500.0);
                price.follow(bits, f64::from(step) / 400.0);
            }
            assert!((price.size(bits) - 1.0).abs() < 0.02, "{first}: {price:?}, {bits}");
        }
    }
}
