//! How contexts move.

const BETAS: (f32, f32) = (0.9, 0.99);

/// Adam with betas of its own.
#[derive(Debug, Clone)]
pub(super) struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl Adam {
    pub(super) fn new(count: usize) -> Self {
        Self { first: vec![0.0; count], second: vec![0.0; count], steps: 0 }
    }

    pub(super) fn step(&mut self, weights: &mut [f32], gradient: &[f32], rate: f32) {
        self.steps = self.steps.saturating_add(1);
        let (one, two) = BETAS;
        let (rate, root) = (rate / (1.0 - one.powi(self.steps)), 1.0 / (1.0 - two.powi(self.steps)));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((weight, gradient), (first, second)) in weights.iter_mut().zip(gradient).zip(moments) {
            *first += (gradient - *first) * (1.0 - one);
            *second += (gradient * gradient - *second) * (1.0 - two);
            *weight -= rate * *first / ((*second * root).sqrt() + 1e-9);
        }
    }
}
