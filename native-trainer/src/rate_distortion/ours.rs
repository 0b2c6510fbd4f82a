//! A picture as a file of a wanted rate; above 256 samples a side it has several partitions to crop.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use crate::arguments::EncodeOptions;
use crate::arguments::values::Count;
use crate::compression;
use crate::errors::Fault;
use crate::plan::{Rate, bytes_of_rate};
use crate::samples::Samples;
use crate::training::Event;

/// Counts the changes of what `tessera encode --bpp` does, so that records of a former recipe are not taken for this one's.
const RECIPE: u32 = 3;

/// How much work goes into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effort {
    /// Steps of training; `None` for what `tessera encode --bpp` does.
    pub steps: Option<u64>,
    /// Determines the start weights.
    pub seed: u64,
    /// Threads on the CPU.
    pub threads: Option<usize>,
}

impl Effort {
    /// All that decides the result, for records.
    pub fn recipe(&self) -> String {
        let Self { steps, seed, threads: _ } = self;
        let steps = steps.map_or_else(|| "default".to_owned(), |steps| steps.to_string());
        format!("tessera {} encode --bpp, recipe {RECIPE}, steps {steps}, seed {seed}", env!("CARGO_PKG_VERSION"))
    }
}

/// Encodes `samples` into a file of at most `bits_per_sample` and little less, as `tessera encode --bpp` does. `say` gets the
/// PSNR in dB now and then.
///
/// # Errors
/// Those of training and writing; [`Fault::Interrupted`] where `stop` ended it.
pub fn encode_to_rate(
    samples: &Samples,
    bits_per_sample: f64,
    effort: &Effort,
    stop: &AtomicBool,
    say: &mut dyn FnMut(u64, f64),
) -> Result<Vec<u8>> {
    let options = EncodeOptions {
        bpp: Some(bits_per_sample),
        steps: effort.steps.map(Count),
        seed: Some(effort.seed),
        threads: effort.threads,
        ..EncodeOptions::default()
    };
    let rate = Rate::Bytes(bytes_of_rate(bits_per_sample, samples.info().samples()));
    let made = compression::encode_to_rate(samples, &options, rate, stop, &mut |_, _, _| {}, &mut |event| {
        if let Event::Step { step, psnr_db, .. } = event {
            say(step, psnr_db);
        }
    })?;
    if stop.load(Ordering::Relaxed) {
        return Err(Fault::Interrupted("interrupted".to_owned()).into());
    }
    Ok(made.bytes)
}
