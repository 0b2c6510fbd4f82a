//! Loss and gradients by the fused CPU kernel of `tessera-core`, on all threads of the current rayon pool.
//!
//! The kernel cuts a step into tasks that do not depend on the number of threads and adds their gradients in order, so
//! any number of threads computes the same bits.

use burn::tensor::Device;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tessera_core::eval::cpu::training::{Batch, EncodedBatch, Step};
use tessera_core::field::Encoding;
use tessera_core::module::{FieldModule, rows_of, vector};

use super::{Engine, Gradients, TrainingError};

/// The fused CPU kernel.
#[derive(Debug)]
pub struct Fused {
    device: Device,
    batch: Option<Batch>,
    /// The batch's coordinates for the network that it met first; taken anew for one of another encoding.
    encoded: Option<(Encoding, Option<EncodedBatch>)>,
}

impl Fused {
    /// An engine whose gradients land on `device`, a CPU device of burn.
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone(), batch: None, encoded: None }
    }
}

impl Engine for Fused {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn load(&mut self, batch: Batch) -> Result<(), TrainingError> {
        self.batch = Some(batch);
        self.encoded = None;
        Ok(())
    }

    fn loss_and_gradients(&mut self, module: &FieldModule) -> Result<(f64, Gradients), TrainingError> {
        let batch = self.batch.as_ref().ok_or_else(|| TrainingError::Engine("no batch is loaded".to_owned()))?;
        let (shared, local) = module.to_arrays()?;
        let spec = module.spec();
        let encoded = match self.encoded.take() {
            Some((encoding, encoded)) if encoding == spec.encoding => encoded,
            _ => EncodedBatch::new(spec, batch)?,
        };
        let (_, encoded) = self.encoded.insert((spec.encoding, encoded));
        let step = Step::with_encoded(spec, &shared, &local, batch, encoded.as_ref())?;
        let results: Vec<_> = (0..step.tasks()).into_par_iter().map(|task| step.run(task)).collect();
        let total = step.finish(results);
        let gradients = Gradients {
            shared: spec.has_global().then(|| vector(total.shared, &self.device)),
            local: rows_of(total.local, batch.spans.len(), &self.device),
        };
        Ok((total.loss, gradients))
    }
}
