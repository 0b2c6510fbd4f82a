//! How far a field with other weights is from the field itself.

use rayon::prelude::*;
use tessera_core::error::Error;
use tessera_core::eval::{View, cpu};
use tessera_core::field::Field;

/// Samples of a partition that are looked at, at most.
const PARTITION_SAMPLES: u64 = 4096;

/// Some partitions of a field with the values that it has there.
#[derive(Debug)]
pub struct Probe {
    /// Places among the partitions that are present.
    slots: Vec<usize>,
    views: Vec<View>,
    values: Vec<Vec<f32>>,
}

impl Probe {
    /// Looks at up to `partitions` partitions of `field`, spread evenly.
    ///
    /// # Errors
    /// Those of decoding.
    pub fn new(field: &Field, partitions: usize) -> Result<Self, Error> {
        let present = field.present();
        let count = partitions.clamp(1, present.len().max(1)).min(present.len());
        let slots: Vec<usize> = (0..count).map(|i| i * present.len() / count).collect();
        let views: Vec<View> = slots.iter().map(|&slot| view(field, present[slot])).collect();
        let mut probe = Self { slots, views, values: Vec::new() };
        probe.values = probe.decode(field)?;
        Ok(probe)
    }

    /// Places of the partitions among those that are present.
    pub fn slots(&self) -> &[usize] {
        &self.slots
    }

    fn decode(&self, field: &Field) -> Result<Vec<Vec<f32>>, Error> {
        self.views.par_iter().map(|view| cpu::decode(field, view)).collect()
    }

    /// Mean squared difference of `other` from the field, in field units, for each partition.
    ///
    /// # Errors
    /// Those of decoding.
    pub fn differences(&self, other: &Field) -> Result<Vec<f64>, Error> {
        let mean = |(a, b): (&Vec<f32>, &Vec<f32>)| {
            let squares: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            squares / a.len().max(1) as f64
        };
        Ok(self.values.iter().zip(&self.decode(other)?).map(mean).collect())
    }

    /// The mean of [`Probe::differences`].
    ///
    /// # Errors
    /// As [`Probe::differences`].
    pub fn difference(&self, other: &Field) -> Result<f64, Error> {
        let differences = self.differences(other)?;
        Ok(differences.iter().sum::<f64>() / differences.len().max(1) as f64)
    }
}

/// The samples of a partition, thinned out evenly where they are many.
fn view(field: &Field, partition: u32) -> View {
    let bounds = field.grid().partition_box(partition);
    let samples = field.grid().partition_samples(partition);
    let full = View::region(&bounds);
    if samples <= PARTITION_SAMPLES {
        return full;
    }
    let excess = samples as f64 / PARTITION_SAMPLES as f64;
    let by = excess.powf(1.0 / bounds.len().max(1) as f64);
    let edges: Vec<_> = bounds.iter().map(|range| f64::from(range.start)..f64::from(range.end)).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "smaller than an axis")]
    let shape: Vec<u32> =
        bounds.iter().map(|range| (f64::from(range.end - range.start) / by).ceil().max(1.0) as u32).collect();
    View::resampled(&edges, &shape).map_or(full, View::nearest)
}
