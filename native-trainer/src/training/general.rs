//! Loss and gradients by burn's general operations and automatic differentiation.
//!
//! Partitions become the leading axis of batched products, so those of a chunk are padded to the largest and a mask
//! takes the padding out of the loss. Batches go through in chunks: one graph over a whole picture would keep every
//! activation of every sample at once.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use tessera_core::eval::cpu::training::Batch;
use tessera_core::field::Encoding;
use tessera_core::module::FieldModule;

use super::{Engine, Gradients, OpenDevice, TrainingError};

/// Samples that go through burn's operations at once. Activations of a chunk should stay near the caches of a CPU; a
/// GPU wants enough of them to fill it, within bounded memory.
const CPU_CHUNK: usize = 1 << 14;
const GPU_CHUNK: usize = 1 << 18;

/// burn's general operations and automatic differentiation.
#[derive(Debug)]
pub struct General {
    device: Device,
    chunk_samples: usize,
    /// Loaded, but not yet cut: what the network sees of the coordinates comes with the first step.
    waiting: Option<Batch>,
    chunks: Vec<Chunk>,
    /// By which the inputs of the chunks were encoded.
    encoding: Encoding,
    partitions: usize,
    values: usize,
}

/// Samples of consecutive partitions, padded to the largest of them.
#[derive(Debug)]
struct Chunk {
    partitions: Range<usize>,
    inputs: Tensor<3>,
    targets: Tensor<3>,
    /// 1 for a sample, 0 for padding; `None` where nothing is padded.
    mask: Option<Tensor<3>>,
}

impl General {
    /// An engine on `device`.
    pub fn new(device: &OpenDevice) -> Self {
        let chunk_samples = if device.uses_threads() { CPU_CHUNK } else { GPU_CHUNK };
        Self {
            device: device.device.clone(),
            chunk_samples,
            waiting: None,
            chunks: Vec::new(),
            encoding: Encoding::Mlp,
            partitions: 0,
            values: 0,
        }
    }

    /// The same with another chunk size, in samples.
    #[must_use]
    pub fn with_chunk_samples(mut self, samples: usize) -> Self {
        self.chunk_samples = samples.max(1);
        self
    }

    /// Cuts partitions into runs of at most `chunk_samples` padded samples; a partition above that into pieces.
    fn layout(&self, spans: &[Range<usize>]) -> Vec<(Range<usize>, Vec<Range<usize>>)> {
        let mut chunks: Vec<(Range<usize>, Vec<Range<usize>>)> = Vec::new();
        let mut largest = 0;
        for (partition, span) in spans.iter().enumerate() {
            if span.len() > self.chunk_samples {
                let mut start = span.start;
                while start < span.end {
                    let end = span.end.min(start + self.chunk_samples);
                    chunks.push((partition..partition + 1, std::iter::once(start..end).collect()));
                    start = end;
                }
                largest = usize::MAX;
                continue;
            }
            let grown = largest.max(span.len());
            match chunks.last_mut() {
                Some((partitions, pieces)) if grown.saturating_mul(pieces.len() + 1) <= self.chunk_samples => {
                    partitions.end = partition + 1;
                    pieces.push(span.clone());
                    largest = grown;
                }
                _ => {
                    chunks.push((partition..partition + 1, vec![span.clone()]));
                    largest = span.len();
                }
            }
        }
        chunks
    }

    fn chunk(&self, batch: &Batch, inputs: &[f32], partitions: Range<usize>, pieces: &[Range<usize>]) -> Chunk {
        // A partition without samples still needs one padded place: burn has no empty products.
        let samples = pieces.iter().map(Range::len).max().unwrap_or(0).max(1);
        let padded = pieces.iter().any(|piece| piece.len() != samples);
        let gather = |values: &[f32], width: usize| {
            let mut out = vec![0.0; pieces.len() * samples * width];
            for (row, piece) in out.chunks_exact_mut(samples * width).zip(pieces) {
                let own = &values[piece.start * width..piece.end * width];
                row[..own.len()].copy_from_slice(own);
            }
            Tensor::from_data(TensorData::new(out, [pieces.len(), samples, width]), &self.device)
        };
        let mask = padded.then(|| {
            let mut mask = vec![0.0_f32; pieces.len() * samples];
            mask.chunks_exact_mut(samples).zip(pieces).for_each(|(row, piece)| row[..piece.len()].fill(1.0));
            Tensor::from_data(TensorData::new(mask, [pieces.len(), samples, 1]), &self.device)
        });
        Chunk {
            partitions,
            inputs: gather(inputs, inputs.len() / batch.samples().max(1)),
            targets: gather(&batch.targets, batch.outputs),
            mask,
        }
    }

    /// Cuts what is waiting, with the coordinates as `module` sees them, and checks that the two suit each other.
    fn prepare(&mut self, module: &FieldModule) -> Result<(), TrainingError> {
        if let Some(batch) = self.waiting.take() {
            self.encoding = module.spec().encoding;
            let encoded = match self.encoding {
                Encoding::Mlp => None,
                encoding => {
                    Some(batch.coordinates.chunks_exact(batch.inputs).flat_map(|x| encoding.encode(x)).collect())
                }
            };
            let inputs: &Vec<f32> = encoded.as_ref().unwrap_or(&batch.coordinates);
            let chunk = |(partitions, pieces): (Range<usize>, Vec<Range<usize>>)| {
                self.chunk(&batch, inputs, partitions, &pieces)
            };
            self.chunks = self.layout(&batch.spans).into_iter().map(chunk).collect();
        }
        if self.encoding != module.spec().encoding {
            return Err(TrainingError::Engine("the batch was loaded for a network of another encoding".to_owned()));
        }
        let [partitions, _] = module.local().dims();
        if self.chunks.is_empty() || partitions != self.partitions {
            return Err(TrainingError::Engine(format!(
                "a batch of {} partitions is loaded, the network has {partitions}",
                self.partitions
            )));
        }
        Ok(())
    }
}

impl Chunk {
    /// The sum of squared errors, `[1]`.
    fn squared_error(&self, part: &FieldModule, automatic: bool) -> Tensor<1> {
        let place = |tensor: &Tensor<3>| if automatic { tensor.clone().autodiff() } else { tensor.clone() };
        let mut error = part.forward(place(&self.inputs)) - place(&self.targets);
        if let Some(mask) = &self.mask {
            error = error * place(mask);
        }
        error.square().sum()
    }
}

impl Engine for General {
    fn name(&self) -> &'static str {
        "burn's general operations"
    }

    fn load(&mut self, batch: Batch) -> Result<(), TrainingError> {
        self.chunks.clear();
        self.partitions = batch.spans.len();
        self.values = batch.targets.len();
        if self.values == 0 {
            return Err(TrainingError::Engine("the batch has no samples".to_owned()));
        }
        self.waiting = Some(batch);
        Ok(())
    }

    fn loss_and_gradients(&mut self, module: &FieldModule) -> Result<(f64, Gradients), TrainingError> {
        self.prepare(module)?;
        let scale = 1.0 / self.values as f64;
        let (shared, local) = (module.shared(), module.local());
        let mut loss = 0.0;
        let mut shared_gradient: Option<Tensor<1>> = None;
        let mut local_gradients: Vec<(usize, Tensor<2>)> = Vec::new();
        for chunk in &self.chunks {
            let [_, parameters] = local.dims();
            let part = module.with_tensors(
                shared.clone().map(Tensor::autodiff),
                local.clone().slice([chunk.partitions.clone(), 0..parameters]).autodiff(),
            );
            let sum = chunk.squared_error(&part, true);
            let mut gradients = sum.clone().mul_scalar(scale).backward();
            loss += f64::from(scalar(sum.without_autodiff())?) * scale;
            if let Some(own) = part.shared().and_then(|weights| weights.grad_remove(&mut gradients)) {
                shared_gradient = Some(match shared_gradient {
                    Some(sum) => sum + own,
                    None => own,
                });
            }
            let own = part
                .local()
                .grad_remove(&mut gradients)
                .ok_or_else(|| TrainingError::Engine("burn returned no gradient of the local networks".to_owned()))?;
            match local_gradients.last_mut() {
                // Pieces of one partition.
                Some((partition, sum)) if *partition == chunk.partitions.start => *sum = sum.clone() + own,
                _ => local_gradients.push((chunk.partitions.start, own)),
            }
        }
        let local = Tensor::cat(local_gradients.into_iter().map(|(_, gradient)| gradient).collect(), 0);
        Ok((loss, Gradients { shared: shared_gradient, local }))
    }

    fn loss(&mut self, module: &FieldModule) -> Result<f64, TrainingError> {
        self.prepare(module)?;
        let (shared, local) = (module.shared(), module.local());
        let [_, parameters] = local.dims();
        let mut sum = 0.0;
        for chunk in &self.chunks {
            let part =
                module.with_tensors(shared.clone(), local.clone().slice([chunk.partitions.clone(), 0..parameters]));
            sum += f64::from(scalar(chunk.squared_error(&part, false))?);
        }
        Ok(sum / self.values as f64)
    }
}

fn scalar(tensor: Tensor<1>) -> Result<f32, TrainingError> {
    tensor
        .try_into_scalar::<f32>()
        .map_err(|e| TrainingError::Engine(format!("the device did not return the loss: {e}")))
}
