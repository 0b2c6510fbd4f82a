//! What a file holds.

use serde::{Deserialize, Serialize};

use crate::error::{Error, check_limit};
use crate::field::Field;
use crate::limits;
use crate::signal::{SignalInfo, SignalKind};

/// Everything that a file holds: the signal's description, the field, and how it was trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What was encoded.
    pub signal: SignalInfo,
    /// The networks.
    pub field: Field,
    /// How they were trained.
    pub training: TrainingRecord,
}

/// How a field was trained. Everything here follows from input, settings and seed; the time it took does not, and is
/// therefore not kept: the same run gives the same bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// Program and version that wrote the file, at most 256 bytes.
    pub program: String,
    /// Name of the preset or model setting, at most 256 bytes; empty without one.
    pub preset: String,
    /// Seed of the start weights and of the sampling.
    pub seed: u64,
    /// Optimiser steps that were made.
    pub steps: u64,
    /// Learning rate of the first step.
    pub learning_rate: f64,
    /// Share of the samples that one step sees, 0 to 1.
    pub sample_fraction: f64,
    /// PSNR against the source in dB (peak 1 on values mapped to [0, 1]) with the weights before coding; infinite for
    /// an exact field, `None` where nothing was measured.
    pub psnr_db: Option<f64>,
    /// The merged configuration as TOML, at most 64 KiB; empty without one.
    pub configuration: String,
}

impl TrainingRecord {
    /// Checks texts against their limits and numbers for sense.
    ///
    /// # Errors
    /// [`Error::Limit`] for a long text, [`Error::Parameter`] for a number that cannot be.
    pub fn validate(&self) -> Result<(), Error> {
        check_limit("bytes of the program's name", self.program.len() as u64, limits::NAME_BYTES)?;
        check_limit("bytes of the preset's name", self.preset.len() as u64, limits::NAME_BYTES)?;
        check_limit("bytes of the configuration", self.configuration.len() as u64, limits::TEXT_BYTES)?;
        if !(self.learning_rate.is_finite() && self.learning_rate >= 0.0) {
            return Err(Error::parameter(format!("the learning rate is {}", self.learning_rate)));
        }
        if !(0.0..=1.0).contains(&self.sample_fraction) {
            return Err(Error::parameter(format!("the sample fraction is {}, not within 0..=1", self.sample_fraction)));
        }
        if self.psnr_db.is_some_and(f64::is_nan) {
            return Err(Error::parameter("the PSNR is not a number"));
        }
        Ok(())
    }
}

impl Document {
    /// Checks that signal and field belong together and that both keep the limits.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a contradiction or a field without any partition, [`Error::Limit`] for an excess.
    pub fn validate(&self) -> Result<(), Error> {
        self.signal.validate()?;
        self.training.validate()?;
        let (grid, spec) = (self.field.grid(), self.field.spec());
        if grid.shape() != self.signal.shape {
            return Err(Error::parameter(format!(
                "the field covers {:?} samples, the signal has {:?}",
                grid.shape(),
                self.signal.shape
            )));
        }
        if spec.outputs != self.signal.channels {
            return Err(Error::parameter(format!(
                "the field gives {} channels, the signal has {}",
                spec.outputs, self.signal.channels
            )));
        }
        if !self.field.empty().is_empty() && self.signal.kind != SignalKind::Shape {
            return Err(Error::parameter("only shapes have empty partitions"));
        }
        if self.field.present().is_empty() {
            return Err(Error::parameter("no partition is present: a file holds at least one"));
        }
        Ok(())
    }
}
