//! What training uses: loss and gradients of a batch on a device, from weights that live there.

use burn::tensor::{DType, Device, Int, Tensor};

use super::decoder::{floats, integers};
use super::glue::{GradientCall, Rows, field_add, field_gradients, field_pack, workgroup_bytes};
use super::gradient_layout::{ITEM_WORDS, Items, Layout, UNITS};
use super::layout::BLOCK;
use crate::error::Error;
use crate::eval::cpu::training::Batch;
use crate::field::FieldSpec;
use crate::module::read;

/// Multiply-adds of one dispatch unless told otherwise: about ten milliseconds of a middling GPU of 2020, where one
/// dispatch per step would hold a laptop's for a tenth of a second. The training kernel does more of them per second
/// than the decoder, and a device that trains is expected to have some.
pub const TRAINING_MULTIPLY_ADDS: u64 = 1 << 33;
/// Workgroup memory beyond this is not used: CUDA's limit for memory whose size is known at compile time, and more would
/// leave room for too few workgroups per core.
const WORKGROUP_BYTES_USED: usize = 48 << 10;

/// Computes loss and gradients on a GPU by hand-written kernels, for one network and one batch at a time.
///
/// The same device gives the same bits in every run, whatever the load. Arithmetic is f32 throughout; against the CPU
/// kernel, whose sums have another order, gradients differ by rounding alone (see `tests/browser/kernel.test.mjs`).
#[derive(Debug)]
pub struct GpuTrainer {
    device: Device,
    spec: FieldSpec,
    layout: Layout,
    pack_shared: Tensor<1, Int>,
    pack_local: Tensor<1, Int>,
    gather_shared: Tensor<1, Int>,
    gather_local: Tensor<1, Int>,
    multiply_adds: u64,
    loaded: Option<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    items: Items,
    samples: Tensor<1>,
    table: Tensor<1, Int>,
    /// The first item of every slot, and the number of items.
    slots: Tensor<1, Int>,
    /// No item, all items.
    all: Tensor<1, Int>,
    values: usize,
}

/// What a step leaves on the device.
#[derive(Debug)]
pub struct GpuGradients {
    /// By the shared weights `[shared parameters]`; `None` without a global network.
    pub shared: Option<Tensor<1>>,
    /// By the local weights `[partitions, local parameters]`.
    pub local: Tensor<2>,
    /// Parts of the sum of squared errors.
    errors: Tensor<1>,
    values: usize,
}

impl GpuTrainer {
    /// Prepares `device`, which must be one of burn's CubeCL devices, for networks of `spec`.
    ///
    /// # Errors
    /// [`Error::Parameter`] or [`Error::Limit`] for a network that is none, [`Error::Device`] for one that is too wide.
    pub fn new(device: &Device, spec: &FieldSpec) -> Result<Self, Error> {
        let probe = integers(vec![0], device);
        Self::with_workgroup_bytes(device, spec, workgroup_bytes(probe).min(WORKGROUP_BYTES_USED))
    }

    /// [`GpuTrainer::new`] with at most so many bytes of workgroup memory: every device grants 16 KiB.
    ///
    /// # Errors
    /// As [`GpuTrainer::new`].
    pub fn with_workgroup_bytes(device: &Device, spec: &FieldSpec, bytes: usize) -> Result<Self, Error> {
        spec.validate()?;
        let layout = Layout::new(spec, bytes)?;
        Ok(Self {
            device: device.clone(),
            spec: spec.clone(),
            pack_shared: integers(layout.pack_shared.clone(), device),
            pack_local: integers(layout.pack_local.clone(), device),
            gather_shared: integers(layout.gather_shared.clone(), device),
            gather_local: integers(layout.gather_local.clone(), device),
            layout,
            multiply_adds: TRAINING_MULTIPLY_ADDS,
            loaded: None,
        })
    }

    /// Bounds the work of one dispatch, which holds at least one item of up to 1,024 samples.
    #[must_use]
    pub fn with_multiply_adds_per_dispatch(mut self, multiply_adds: u64) -> Self {
        self.multiply_adds = multiply_adds;
        self
    }

    /// What network it trains.
    pub fn spec(&self) -> &FieldSpec {
        &self.spec
    }

    /// Uploads the samples of the following steps.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a batch that does not suit the network, [`Error::Device`] for one that is too large.
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "at most 2^25 items")]
    pub fn load(&mut self, batch: &Batch) -> Result<(), Error> {
        let mut items = Items::new(batch, &self.spec, &self.layout.tile)?;
        let samples = floats(std::mem::take(&mut items.samples), &self.device);
        self.loaded = Some(Loaded {
            samples,
            table: integers(items.table.clone(), &self.device),
            slots: integers(items.first_of_slot.clone(), &self.device),
            all: integers(vec![0, items.count() as i32], &self.device),
            items,
            values: batch.targets.len(),
        });
        Ok(())
    }

    /// Queues one evaluation of loss and gradients for these weights (layouts of [`crate::field::Field`]).
    ///
    /// # Errors
    /// [`Error::Parameter`] where no batch is loaded, or the weights do not suit it and the network.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "sizes below 2^28; a scale")]
    pub fn loss_and_gradients(&self, shared: Option<Tensor<1>>, local: Tensor<2>) -> Result<GpuGradients, Error> {
        let Some(loaded) = &self.loaded else { return Err(Error::parameter("no batch is loaded")) };
        let slots = loaded.items.first_of_slot.len() - 1;
        let (shared_size, local_size) = (self.spec.shared_parameters() as usize, self.spec.local_parameters() as usize);
        let given = shared.as_ref().map_or(0, |shared| shared.dims()[0]);
        if given != shared_size || local.dims() != [slots, local_size] {
            return Err(Error::parameter(format!(
                "weights {given} and {:?} do not suit a batch of {slots} partitions: {shared_size} and [{slots}, {local_size}] are needed",
                local.dims()
            )));
        }
        let packed_shared = match shared {
            Some(shared) => field_pack(shared, self.pack_shared.clone(), 1),
            None => floats(vec![0.0; BLOCK], &self.device),
        };
        let packed_local = field_pack(local.reshape([slots * local_size]), self.pack_local.clone(), slots as u32);
        let zeros = |length: usize| Tensor::<1>::zeros([length], (&self.device, DType::F32));
        let mut shared_totals = zeros(shared_size + UNITS);
        let mut local_totals = zeros(slots * local_size);
        let dispatches = loaded.items.dispatches(&self.spec, &self.layout, self.multiply_adds);
        let largest = dispatches.first().map_or(0, ExactSizeIterator::len);
        let length = largest * self.layout.workspace_stride() * BLOCK;
        let mut workspace = Tensor::<1>::empty([length], (&self.device, DType::F32));
        for items in dispatches {
            let rows = self.slots_of(&loaded.items, &items);
            let call = GradientCall {
                items,
                tiles: loaded.items.tiles as u32,
                hidden_layers: self.spec.hidden_layers,
                shared_vectors: self.layout.shared_vectors as u32,
                local_stride: self.layout.local_stride as u32,
                stride: self.layout.workspace_stride() as u32,
                angles: self.layout.angles() as u32,
                first_omega: self.spec.first_omega,
                hidden_omega: self.spec.hidden_omega,
                scale: 2.0 / loaded.values as f32,
                tile: self.layout.tile,
            };
            workspace = field_gradients(
                loaded.samples.clone(),
                loaded.table.clone(),
                packed_shared.clone(),
                packed_local.clone(),
                workspace,
                call.clone(),
            );
            let all = Rows { rows: 0..1, elements: (shared_size + UNITS) as u32 };
            let (gather, first) = (self.gather_shared.clone(), loaded.all.clone());
            shared_totals = field_add(workspace.clone(), gather, first, shared_totals, all, call.clone());
            let own = Rows { rows, elements: local_size as u32 };
            let (gather, first) = (self.gather_local.clone(), loaded.slots.clone());
            local_totals = field_add(workspace.clone(), gather, first, local_totals, own, call);
        }
        Ok(GpuGradients {
            errors: shared_totals.clone().narrow(0, shared_size, UNITS),
            shared: (shared_size > 0).then(|| shared_totals.narrow(0, 0, shared_size)),
            local: local_totals.reshape([slots, local_size]),
            values: loaded.values,
        })
    }

    /// The slots that own `items`.
    #[expect(clippy::cast_sign_loss, reason = "slots are indices")]
    fn slots_of(&self, items: &Items, range: &std::ops::Range<usize>) -> std::ops::Range<u32> {
        let slot = |item: usize| items.table[item * ITEM_WORDS] as u32;
        slot(range.start)..slot(range.end - 1) + 1
    }
}

impl GpuGradients {
    /// Waits for the loss: the mean over samples and channels of the squared error.
    ///
    /// # Errors
    /// [`Error::Device`] where the device fails or is lost.
    pub async fn loss(&self) -> Result<f64, Error> {
        let failed = |reason: String| Error::Device(format!("reading the loss back failed: {reason}"));
        let data = self.errors.clone().into_data_async().await.map_err(|error| failed(format!("{error:?}")))?;
        let errors = data.as_slice::<f32>().map_err(|error| failed(format!("{error:?}")))?;
        Ok(self.mean(errors))
    }

    /// [`GpuGradients::loss`] for programs that may block, which browsers may not.
    ///
    /// # Errors
    /// As there.
    pub fn loss_now(&self) -> Result<f64, Error> {
        Ok(self.mean(&read(self.errors.clone())?))
    }

    fn mean(&self, errors: &[f32]) -> f64 {
        errors.iter().map(|&error| f64::from(error)).sum::<f64>() / self.values as f64
    }
}
