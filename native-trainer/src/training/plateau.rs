//! A learning rate that halves where the loss rests (reference/inr-compression.md 4).

use serde::{Deserialize, Serialize};

/// What counts as an improvement, relative to the best loss.
const THRESHOLD: f64 = 1e-4;
/// What the rate is multiplied by.
const FACTOR: f64 = 0.5;
/// Smaller changes of the rate are not made.
const LEAST_CHANGE: f64 = 1e-8;

/// The rate after more than `patience` consecutive losses without an improvement is half of what it was.
///
/// These are the rules of PyTorch's scheduler of that name, on which the published recipe rests. burn's schedulers know the
/// step and not the loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Plateau {
    patience: u64,
    state: PlateauState,
}

/// Where a [`Plateau`] stands, as a checkpoint keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlateauState {
    /// Bits of the rate.
    pub rate_bits: u64,
    /// Bits of the best loss.
    pub best_bits: u64,
    /// Losses since without an improvement.
    pub resting: u64,
}

impl Plateau {
    /// Begins at `rate`.
    pub fn new(rate: f64, patience: u64) -> Self {
        let state = PlateauState { rate_bits: rate.to_bits(), best_bits: f64::INFINITY.to_bits(), resting: 0 };
        Self { patience, state }
    }

    /// Goes on from where another one stood.
    #[must_use]
    pub fn at(self, state: PlateauState) -> Self {
        Self { state, ..self }
    }

    /// Where it stands.
    pub fn state(&self) -> PlateauState {
        self.state
    }

    /// The rate of the next step.
    pub fn rate(&self) -> f64 {
        f64::from_bits(self.state.rate_bits)
    }

    /// Takes the loss of the step that was made.
    pub fn observe(&mut self, loss: f64) {
        if loss < f64::from_bits(self.state.best_bits) * (1.0 - THRESHOLD) {
            self.state.best_bits = loss.to_bits();
            self.state.resting = 0;
            return;
        }
        self.state.resting += 1;
        if self.state.resting > self.patience {
            self.state.resting = 0;
            let halved = self.rate() * FACTOR;
            if self.rate() - halved > LEAST_CHANGE {
                self.state.rate_bits = halved.to_bits();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_hundred_and_one_losses_at_rest_halve_once_and_five_hundred_do_not() {
        let mut plateau = Plateau::new(5e-4, 500);
        plateau.observe(1.0);
        for _ in 0..500 {
            plateau.observe(1.0);
        }
        assert_eq!(plateau.rate(), 5e-4);
        plateau.observe(1.0);
        assert_eq!(plateau.rate(), 2.5e-4);
        // The count begins again.
        for _ in 0..500 {
            plateau.observe(2.0);
        }
        assert_eq!(plateau.rate(), 2.5e-4);
        plateau.observe(2.0);
        assert_eq!(plateau.rate(), 1.25e-4);
    }

    #[test]
    fn only_an_improvement_beyond_the_threshold_counts() {
        let mut plateau = Plateau::new(1.0, 1);
        plateau.observe(1.0);
        plateau.observe(0.999_95);
        plateau.observe(0.999_8);
        // The improvement was counted from the best loss, and it ended the rest.
        plateau.observe(0.999_8);
        assert_eq!(plateau.rate(), 1.0);
        plateau.observe(0.999_75);
        assert_eq!(plateau.rate(), 0.5);
    }

    #[test]
    fn changes_below_a_hundred_millionth_are_skipped_and_the_state_goes_on() {
        let mut plateau = Plateau::new(1.8e-8, 0);
        plateau.observe(1.0);
        plateau.observe(1.0);
        assert_eq!(plateau.rate(), 1.8e-8);
        let mut plateau = Plateau::new(1.0, 3);
        for loss in [3.0, 2.0, 2.5, 2.5] {
            plateau.observe(loss);
        }
        let mut other = Plateau::new(7.0, 3).at(plateau.state());
        for _ in 0..2 {
            plateau.observe(2.5);
            other.observe(2.5);
        }
        assert_eq!((plateau.rate(), &plateau), (0.5, &other));
    }
}
