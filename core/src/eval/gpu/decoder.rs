//! What front ends use: a field on a device.

use std::ops::Range;

use burn::tensor::wgpu::wgpu;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::glue::{Call, buffer_of, field_decode, finished};
use super::kernel::{Form, Sizes};
use super::layout::{ABSENT_MARK, BLOCK, BUFFER_BYTES, Packed, Tables, lanes};
use crate::error::Error;
use crate::eval::{View, blend};
use crate::field::{Field, FieldSpec};
use crate::grid::Grid;
use crate::signal::{ABSENT, to_rgba8};

/// Multiply-adds of one dispatch unless told otherwise: about ten milliseconds of a laptop's graphics, far below the
/// two seconds after which an operating system resets a device.
pub const DEFAULT_MULTIPLY_ADDS: u64 = 1 << 29;

/// A field whose weights are on a device.
#[derive(Debug)]
pub struct GpuDecoder {
    device: Device,
    spec: FieldSpec,
    grid: Grid,
    blend: Vec<u32>,
    sizes: Sizes,
    local_stride: u32,
    slots: Tensor<1, Int>,
    shared: Tensor<1>,
    local: Tensor<1>,
    multiply_adds: u64,
}

impl GpuDecoder {
    /// Packs the weights of `field` and uploads them to `device`, which must be one of burn's CubeCL devices (wgpu,
    /// Vulkan, Metal, WebGPU, CUDA): others have no such operation and panic when they are asked for it.
    ///
    /// # Errors
    /// [`Error::Device`] for networks beyond the kernel (local and global width above 512 together, or more than
    /// 128 MiB of local weights): decode those on the CPU.
    #[expect(clippy::cast_possible_truncation, reason = "vectors of a network that passed the width limit")]
    pub fn new(device: &Device, field: &Field) -> Result<Self, Error> {
        let packed = Packed::new(field)?;
        let sizes = Sizes {
            local: packed.local_blocks,
            global: packed.global_blocks,
            channels: field.spec().outputs as usize,
            lanes: lanes(field.spec()),
            form: Form::Samples,
        };
        Ok(Self {
            device: device.clone(),
            spec: field.spec().clone(),
            grid: field.grid().clone(),
            blend: field.blend().to_vec(),
            sizes,
            local_stride: packed.local_stride as u32,
            slots: integers(packed.slots, device),
            shared: floats(packed.shared, device),
            local: floats(packed.local, device),
            multiply_adds: DEFAULT_MULTIPLY_ADDS,
        })
    }

    /// Bounds the work of one dispatch. Smaller keeps a weak or shared device responsive, larger wastes less time on
    /// submitting; a dispatch holds at least 256 samples (1,024 of narrow
    /// networks) and at most 2^20.
    #[must_use]
    pub fn with_multiply_adds_per_dispatch(mut self, multiply_adds: u64) -> Self {
        self.multiply_adds = multiply_adds;
        self
    }

    /// Evaluates the field at every position of `view`: `[samples * channels]`, row-major, [`ABSENT`] where the owning
    /// partition has no network.
    ///
    /// # Errors
    /// [`Error::Parameter`] or [`Error::Limit`] for a view that does not suit the field, [`Error::Device`] where the
    /// device fails or is lost.
    pub async fn decode(&self, view: &View) -> Result<Vec<f32>, Error> {
        if self.blend.is_empty() {
            return self.plain(view).await;
        }
        let parts = blend::parts(&self.grid, &self.blend, view)?;
        let Some((first, others)) = parts.split_first() else { return Ok(Vec::new()) };
        let mut mixture = blend::Mixture::new(first, self.sizes.channels, self.plain(&first.view).await?);
        for part in others {
            mixture.add(part, &self.plain(&part.view).await?);
        }
        Ok(mixture.finish())
    }

    /// [`GpuDecoder::decode`] by the owners of the view alone.
    async fn plain(&self, view: &View) -> Result<Vec<f32>, Error> {
        let Some(tables) = Tables::new(&self.grid, view, self.sizes.lanes)? else {
            return Ok(Vec::new());
        };
        let mut values = Vec::with_capacity(view.samples() * self.sizes.channels);
        let resolved = Resolved::new(&tables, &self.device);
        let mut queued: Option<Tensor<1, Int>> = None;
        for share in tables.shares(&self.spec, self.multiply_adds) {
            let output = words(share.samples.len() * self.sizes.channels, &self.device);
            let next = self.dispatch(&tables, &resolved, share.groups, share.samples.start, self.sizes, output);
            if let Some(previous) = queued.replace(next) {
                read(previous, &mut values).await?;
            }
        }
        if let Some(last) = queued {
            read(last, &mut values).await?;
        }
        Ok(values)
    }

    /// Evaluates the field at every position of `view` into pixels on the device. Everything is queued when this is done,
    /// in dispatches of the usual size; nothing is waited for. Only a field that is blended goes through the CPU, where
    /// its parts are mixed.
    ///
    /// With `alpha` the last of two or four channels is opacity. One or two colours are shown as grey, absent
    /// partitions are transparent black.
    ///
    /// # Errors
    /// As [`GpuDecoder::decode`]; [`Error::Parameter`] for more than four channels or a view without samples,
    /// [`Error::Device`] for more than 2^25 samples, the smallest limit of a storage binding that WebGPU allows.
    pub async fn decode_to_rgba(&self, view: &View, alpha: bool) -> Result<Pixels, Error> {
        if self.sizes.channels > BLOCK {
            return Err(Error::parameter(format!("pixels have 1 to 4 channels, not {}", self.sizes.channels)));
        }
        let Some(tables) = Tables::new(&self.grid, view, self.sizes.lanes)? else {
            return Err(Error::parameter("a view without samples has no pixels"));
        };
        let samples = view.samples();
        if samples as u64 * size_of::<u32>() as u64 > BUFFER_BYTES {
            return Err(Error::Device(format!("its buffers hold {} pixels, not {samples}", BUFFER_BYTES / 4)));
        }
        if !self.blend.is_empty() {
            let rgba = to_rgba8(&self.decode(view).await?, self.sizes.channels, alpha);
            let words: Vec<u32> = rgba.as_chunks().0.iter().map(|pixel| u32::from_le_bytes(*pixel)).collect();
            let data = TensorData::new(words, [samples]);
            return Ok(Pixels { words: Tensor::from_data(data, (&self.device, DType::U32)), samples });
        }
        let sizes = Sizes { form: Form::Pixels { alpha }, ..self.sizes };
        let resolved = Resolved::new(&tables, &self.device);
        let output = tables
            .shares(&self.spec, self.multiply_adds)
            .into_iter()
            .fold(words(samples, &self.device), |output, share| {
                self.dispatch(&tables, &resolved, share.groups, 0, sizes, output)
            });
        Ok(Pixels { words: output, samples })
    }

    fn dispatch(
        &self,
        tables: &Tables,
        resolved: &Resolved,
        groups: Range<u32>,
        first_sample: u32,
        sizes: Sizes,
        output: Tensor<1, Int>,
    ) -> Tensor<1, Int> {
        let call = Call {
            groups,
            first_sample,
            extents: tables.extents,
            columns: tables.columns,
            local_stride: self.local_stride,
            hidden_layers: self.spec.hidden_layers,
            first_omega: self.spec.first_omega,
            hidden_omega: self.spec.hidden_omega,
            sizes,
        };
        let (slots, shared, local) = (self.slots.clone(), self.shared.clone(), self.local.clone());
        field_decode(resolved.coordinates.clone(), resolved.places.clone(), slots, shared, local, output, call)
    }
}

/// Decoded pixels on the device: one word of 32 bits per sample of the view, row-major, straight RGBA8 with red in the
/// lowest byte (the byte order of a canvas on every machine that WebGPU runs on).
#[derive(Debug, Clone)]
pub struct Pixels {
    words: Tensor<1, Int>,
    samples: usize,
}

impl Pixels {
    /// Number of pixels.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The device buffer that holds them, and where in it they begin, in bytes (a multiple of what a storage binding
    /// needs). It is valid, and keeps its content, as long as `self` lives; it may be bound as storage and copied from.
    /// The work that fills it has been submitted to the device's queue, so commands submitted there later see it.
    ///
    /// # Errors
    /// [`Error::Device`] on a device that is not wgpu's, or where the device failed.
    pub fn buffer(&self) -> Result<(wgpu::Buffer, u64), Error> {
        buffer_of(self.words.clone())
    }

    /// Waits until they are decoded, which [`Pixels::buffer`] does not: whoever shows them finds out here whether the
    /// device did it.
    ///
    /// # Errors
    /// [`Error::Device`] where the device fails or is lost.
    pub async fn finished(&self) -> Result<(), Error> {
        finished(self.words.clone()).await
    }

    /// Reads the pixels back: `[samples * 4]` bytes R, G, B, A.
    ///
    /// # Errors
    /// [`Error::Device`] where the device fails or is lost.
    pub async fn read(self) -> Result<Vec<u8>, Error> {
        let data = data_of(self.words).await?;
        let words = data.as_slice::<u32>().map_err(|error| failed(format!("{error:?}")))?;
        Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect())
    }
}

/// The tables of a view, on the device.
struct Resolved {
    coordinates: Tensor<1>,
    places: Tensor<1, Int>,
}

impl Resolved {
    fn new(tables: &Tables, device: &Device) -> Self {
        Self {
            coordinates: floats(tables.coordinates.clone(), device),
            places: integers(tables.places.clone(), device),
        }
    }
}

async fn read(tensor: Tensor<1, Int>, into: &mut Vec<f32>) -> Result<(), Error> {
    let data = data_of(tensor).await?;
    let values = data.as_slice::<u32>().map_err(|error| failed(format!("{error:?}")))?;
    let float = |&word: &u32| f32::from_bits(word);
    into.extend(values.iter().map(float).map(|v| if v >= ABSENT_MARK { ABSENT } else { v }));
    Ok(())
}

async fn data_of(tensor: Tensor<1, Int>) -> Result<TensorData, Error> {
    tensor.into_data_async().await.map_err(|error| failed(format!("{error:?}")))
}

fn failed(reason: String) -> Error {
    Error::Device(format!("reading the samples back failed: {reason}"))
}

/// Memory for `length` words, not yet written.
fn words(length: usize, device: &Device) -> Tensor<1, Int> {
    Tensor::empty([length], (device, DType::U32))
}

pub(super) fn floats(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), (device, DType::F32))
}

pub(super) fn integers(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), (device, DType::I32))
}
