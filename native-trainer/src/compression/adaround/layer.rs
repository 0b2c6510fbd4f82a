//! Learning which weights of one layer are rounded up (Nagel et al., "Up or Down? Adaptive Rounding for Post-Training
//! Quantization", ICML 2020; reference/inr-compression.md section 7).
//!
//! Units of a layer do not know of each other: the error of one depends on its own weights alone. So each is measured by
//! what rounding to nearest does to it, and the regulariser by the number of its weights; both then weigh the same whatever the
//! step and the width are. (The published sum over all weights outweighs the error of fine steps a thousand times, and is outweighed by
//! that of coarse ones.)

use std::f64::consts::PI;

use super::blocks::{BLOCK, Blocks, Curve, Row, product, weight_gradient};

/// How far the variables can go in all: from one side to the other a few times. (The published rate of 1e-3 over 1,000 iterations
/// moves them by 1, which leaves most between both sides.)
const TRAVEL: f64 = 20.0;
/// What the regulariser counts beside the error: from 3 to 30 the values of fields are as good, below it many weights do not settle.
const PRICE: f32 = 10.0;
/// The share of the iterations without it.
const FREE: f64 = 0.2;
/// `h(V)` reaches 0 and 1 where a sigmoid is stretched by this beyond them.
const STRETCH: f32 = 0.1;
const BETAS: [f32; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-12;

/// A layer whose weights `[inputs, outputs]` are to be rounded.
#[derive(Debug)]
pub(super) struct Rounding<'a> {
    /// The weights that numbers are steps away from.
    pub(super) start: &'a [f32],
    /// The weights as trained.
    pub(super) weights: &'a [f32],
    /// The biases as rounded.
    pub(super) biases: &'a [f32],
    /// The step; above 0.
    pub(super) step: f32,
    /// The largest magnitude of a number.
    pub(super) magnitude: i32,
    /// What follows the layer.
    pub(super) curve: Curve,
    /// What it gets from the layers before, which are rounded already.
    pub(super) inputs: &'a Blocks,
    /// What it should give.
    pub(super) targets: &'a Blocks,
    /// Mean squared error of rounding to nearest, by unit.
    pub(super) nearest: &'a [f64],
}

/// Where the weights lie between their two numbers, and which have only one.
#[derive(Debug)]
struct Choices {
    /// The lower number.
    low: Vec<f32>,
    free: Vec<bool>,
}

/// The share of a step that a weight is rounded up by.
#[inline(always)]
fn share(v: f32) -> f32 {
    ((1.0 + 2.0 * STRETCH) / (1.0 + (-v).exp()) - STRETCH).clamp(0.0, 1.0)
}

/// The derivative of [`share`], by its value.
#[inline(always)]
fn slope_at(share: f32) -> f32 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    (share + STRETCH) * (1.0 + STRETCH - share) / (1.0 + 2.0 * STRETCH)
}

/// The regulariser's exponent when `progress` of the iterations are done; `None` while there is none.
fn exponent(progress: f64) -> Option<f64> {
    (progress >= FREE).then(|| 2.0 + 9.0 * (1.0 + (PI * (progress - FREE) / (1.0 - FREE)).cos()))
}

impl Rounding<'_> {
    /// The rounded weights that `iterations` iterations of Adam find.
    #[inline(always)]
    pub(super) fn learn(&self, iterations: u32) -> Vec<f32> {
        let choices = self.choices();
        self.rounded(&choices, &self.variables(&choices, iterations))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers have 16 bits")]
    fn choices(&self) -> Choices {
        let largest = self.magnitude as f32;
        let quotients = self.weights.iter().zip(self.start).map(|(w, s)| (w - s) / self.step);
        let (low, free) = quotients
            .map(|quotient| {
                let low = quotient.floor();
                (low.clamp(-largest, largest), low >= -largest && low < largest)
            })
            .unzip();
        Choices { low, free }
    }

    /// Where learning begins: at the weights as trained.
    fn first_variables(&self, choices: &Choices) -> Vec<f32> {
        let quotients = self.weights.iter().zip(self.start).map(|(w, s)| (w - s) / self.step);
        let logit = |(quotient, low): (f32, &f32)| {
            let sigmoid = ((quotient - low).clamp(0.0, 1.0) + STRETCH) / (1.0 + 2.0 * STRETCH);
            (sigmoid / (1.0 - sigmoid)).ln()
        };
        quotients.zip(&choices.low).map(logit).collect()
    }

    #[inline(always)]
    fn variables(&self, choices: &Choices, iterations: u32) -> Vec<f32> {
        let mut variables = self.first_variables(choices);
        let mut moments = vec![[0.0_f32; 2]; variables.len()];
        let mut scratch = Scratch::new(self);
        let mut powers = [1.0_f32; 2];
        #[expect(clippy::cast_possible_truncation, reason = "a rate")]
        let rate = (TRAVEL / f64::from(iterations.max(1))) as f32;
        for iteration in 0..iterations {
            let exponent = exponent(f64::from(iteration) / f64::from(iterations));
            self.gradient(choices, &variables, iteration as usize % self.inputs.count(), exponent, &mut scratch);
            powers = [powers[0] * BETAS[0], powers[1] * BETAS[1]];
            for ((variable, gradient), [first, second]) in variables.iter_mut().zip(&scratch.gradient).zip(&mut moments)
            {
                *first += (1.0 - BETAS[0]) * (gradient - *first);
                *second += (1.0 - BETAS[1]) * (gradient * gradient - *second);
                let (mean, square) = (*first / (1.0 - powers[0]), *second / (1.0 - powers[1]));
                *variable -= rate * mean / (square.sqrt() + EPSILON);
            }
        }
        variables
    }

    fn rounded(&self, choices: &Choices, variables: &[f32]) -> Vec<f32> {
        let numbers = choices.low.iter().zip(&choices.free).zip(variables);
        let numbers = numbers.map(|((low, &free), &v)| if free && v >= 0.0 { low + 1.0 } else { *low });
        self.start.iter().zip(numbers).map(|(start, number)| start + number * self.step).collect()
    }

    /// Leaves in `scratch` the gradient by the variables of the error on a block and the regulariser.
    #[inline(always)]
    fn gradient(
        &self,
        choices: &Choices,
        variables: &[f32],
        block: usize,
        exponent: Option<f64>,
        scratch: &mut Scratch,
    ) {
        let (input, target) = (self.inputs.block(block), self.targets.block(block));
        let Scratch { shares, soft, values, slopes, gradient, scales } = scratch;
        for ((share, free), &v) in shares.iter_mut().zip(&choices.free).zip(variables) {
            *share = if *free { self::share(v) } else { 0.0 };
        }
        for ((soft, start), (low, share)) in soft.iter_mut().zip(self.start).zip(choices.low.iter().zip(&*shares)) {
            *soft = start + (low + share) * self.step;
        }
        product(soft, self.biases, input, values);
        self.curve.apply_with_slopes(values, slopes);
        for ((value, slope), (target, scale)) in values.iter_mut().zip(slopes).zip(target.iter().zip(&*scales)) {
            for ((value, slope), target) in value.iter_mut().zip(slope).zip(target) {
                *value = scale * (*value - target) * *slope;
            }
        }
        weight_gradient(input, values, gradient);
        #[expect(clippy::cast_precision_loss, reason = "a width")]
        let price = PRICE / self.inputs.features().max(1) as f32;
        // Where there is no choice the share is 0, and so is the slope.
        for (gradient, &share) in gradient.iter_mut().zip(&*shares) {
            let mut of_share = *gradient * self.step;
            if let Some(exponent) = exponent {
                let side = 2.0 * share - 1.0;
                #[expect(clippy::cast_possible_truncation, reason = "2 to 20")]
                let exponent = exponent as f32;
                of_share -= price * 2.0 * exponent * side.abs().powf(exponent - 1.0).copysign(side);
            }
            *gradient = of_share * slope_at(share);
        }
    }
}

/// Buffers of one layer.
struct Scratch {
    shares: Vec<f32>,
    soft: Vec<f32>,
    values: Vec<Row>,
    slopes: Vec<Row>,
    gradient: Vec<f32>,
    /// Derivative of the objective by half a squared difference, by unit.
    scales: Vec<f32>,
}

impl Scratch {
    fn new(rounding: &Rounding<'_>) -> Self {
        let outputs = rounding.targets.features();
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a factor")]
        let scale = |&error: &f64| if error > 0.0 { (2.0 / (error.max(1e-30) * BLOCK as f64)) as f32 } else { 0.0 };
        Self {
            shares: vec![0.0; rounding.weights.len()],
            soft: vec![0.0; rounding.weights.len()],
            values: vec![[0.0; BLOCK]; outputs],
            slopes: vec![[0.0; BLOCK]; outputs],
            gradient: vec![0.0; rounding.weights.len()],
            scales: rounding.nearest.iter().map(scale).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::field::{Layer, SplitMix64};

    /// A layer of 12 inputs and 5 units on correlated inputs, and everything that a [`Rounding`] borrows.
    struct Made {
        start: Vec<f32>,
        weights: Vec<f32>,
        biases: Vec<f32>,
        inputs: Blocks,
        targets: Blocks,
        nearest: Vec<f64>,
        curve: Curve,
    }

    const STEP: f32 = 0.02;
    const MAGNITUDE: i32 = 7;

    fn layer() -> Layer {
        Layer { inputs: 12, outputs: 5, weights: 0..60, biases: 60..65 }
    }

    fn joined(weights: &[f32], biases: &[f32]) -> Vec<f32> {
        [weights, biases].concat()
    }

    fn made(curve: Curve) -> Made {
        let mut random = SplitMix64(11);
        let start: Vec<f32> = (0..60).map(|_| random.uniform(0.1)).collect();
        // Some are beyond the largest number.
        let weights: Vec<f32> = start.iter().map(|s| s + random.uniform(0.16)).collect();
        let biases: Vec<f32> = (0..5).map(|_| random.uniform(0.2)).collect();
        let mixing = Layer { inputs: 3, outputs: 12, weights: 0..36, biases: 36..48 };
        let mixed: Vec<f32> = (0..48).map(|_| random.uniform(1.0)).collect();
        let inputs = Blocks::noise(3, 4, 1.0, &mut random).through(&mixing, &mixed, Curve::Sine(2.0));
        let targets = inputs.through(&layer(), &joined(&weights, &biases), curve);
        let numbers = weights.iter().zip(&start).map(|(w, s)| ((w - s) / STEP).round().clamp(-7.0, 7.0));
        let nearest: Vec<f32> = start.iter().zip(numbers).map(|(s, n)| s + n * STEP).collect();
        let nearest = inputs.through(&layer(), &joined(&nearest, &biases), curve).errors(&targets);
        Made { start, weights, biases, inputs, targets, nearest, curve }
    }

    impl Made {
        fn rounding(&self) -> Rounding<'_> {
            Rounding {
                start: &self.start,
                weights: &self.weights,
                biases: &self.biases,
                step: STEP,
                magnitude: MAGNITUDE,
                curve: self.curve,
                inputs: &self.inputs,
                targets: &self.targets,
                nearest: &self.nearest,
            }
        }
    }

    /// What is minimised, for one block, in f64 but for the forward pass.
    fn objective(rounding: &Rounding<'_>, variables: &[f32], block: usize, exponent: Option<f64>) -> f64 {
        let choices = rounding.choices();
        let mut soft = Vec::new();
        let mut price = 0.0;
        for (i, &v) in variables.iter().enumerate() {
            let h = if choices.free[i] { share(v) } else { 0.0 };
            soft.push(rounding.start[i] + (choices.low[i] + h) * rounding.step);
            if let (true, Some(exponent)) = (choices.free[i], exponent) {
                price += f64::from(PRICE) / 12.0 * (1.0 - f64::from((2.0 * h - 1.0).abs()).powf(exponent));
            }
        }
        let out = rounding.inputs.through(&layer(), &joined(&soft, rounding.biases), rounding.curve);
        let mut error = 0.0;
        for (unit, (a, b)) in out.block(block).iter().zip(rounding.targets.block(block)).enumerate() {
            let squares: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            error += squares / BLOCK as f64 / rounding.nearest[unit];
        }
        error + price
    }

    #[test]
    fn the_gradient_is_that_of_differences() {
        for curve in [Curve::Sine(30.0), Curve::Rectified, Curve::Straight] {
            let made = made(curve);
            let rounding = made.rounding();
            let choices = rounding.choices();
            assert!(choices.free.iter().any(|free| !free) && choices.free.iter().any(|free| *free));
            let mut random = SplitMix64(2);
            let variables: Vec<f32> = (0..60).map(|_| random.uniform(2.0)).collect();
            for exponent in [None, Some(2.0), Some(6.0)] {
                let mut scratch = Scratch::new(&rounding);
                rounding.gradient(&choices, &variables, 1, exponent, &mut scratch);
                let size = scratch.gradient.iter().map(|g| g.abs()).fold(0.0, f32::max);
                for index in 0..60 {
                    let at = |by: f32| {
                        let mut moved = variables.clone();
                        moved[index] += by;
                        objective(&rounding, &moved, 1, exponent)
                    };
                    let expected = (at(0.01) - at(-0.01)) / 0.02;
                    let found = f64::from(scratch.gradient[index]);
                    assert!(
                        (found - expected).abs() < 0.01 * f64::from(size),
                        "{curve:?} {exponent:?} {index}: {found} against {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_regulariser_comes_late_and_gets_sharper() {
        assert_eq!((exponent(0.0), exponent(0.199)), (None, None));
        assert!((exponent(0.2).unwrap() - 20.0).abs() < 1e-9);
        assert!((exponent(0.6).unwrap() - 11.0).abs() < 1e-9);
        assert!((exponent(1.0).unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn learning_begins_at_the_weights_and_keeps_the_range() {
        let made = made(Curve::Straight);
        let rounding = made.rounding();
        let choices = rounding.choices();
        let variables = rounding.first_variables(&choices);
        for (i, &v) in variables.iter().enumerate().filter(|(i, _)| choices.free[*i]) {
            let soft = made.start[i] + (choices.low[i] + share(v)) * STEP;
            assert!((soft - made.weights[i]).abs() < 1e-5, "{soft} {}", made.weights[i]);
        }
        for (rounded, (weight, start)) in rounding.learn(50).iter().zip(made.weights.iter().zip(&made.start)) {
            let number = (rounded - start) / STEP;
            assert!((number - number.round()).abs() < 1e-3 && number.abs() < 7.001, "{number}");
            let within = (weight - start).clamp(-7.0 * STEP, 7.0 * STEP) + start;
            assert!((rounded - within).abs() < 1.001 * STEP, "one of the two neighbours");
        }
    }

    #[test]
    fn nearly_all_settle_and_the_error_falls() {
        for curve in [Curve::Sine(30.0), Curve::Rectified, Curve::Straight] {
            let made = made(curve);
            let rounding = made.rounding();
            let choices = rounding.choices();
            let variables = rounding.variables(&choices, 1000);
            let settled =
                variables.iter().zip(&choices.free).filter(|(v, free)| !**free || !(0.01..=0.99).contains(&share(**v)));
            assert!(settled.count() >= 57, "{curve:?}: {variables:?}");
            let learned = joined(&rounding.rounded(&choices, &variables), &made.biases);
            let errors = made.inputs.through(&layer(), &learned, curve).errors(&made.targets);
            let (sum, nearest) = (errors.iter().sum::<f64>(), made.nearest.iter().sum::<f64>());
            assert!(sum < 0.6 * nearest, "{curve:?}: {sum} of {nearest}");
        }
    }
}
