//! What front ends use: a field on a device.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::glue::{Call, field_decode};
use super::kernel::Sizes;
use super::layout::{ABSENT_MARK, Packed, Tables, lanes};
use crate::error::Error;
use crate::eval::View;
use crate::field::{Field, FieldSpec};
use crate::grid::Grid;
use crate::signal::ABSENT;

/// Multiply-adds of one dispatch unless told otherwise: about ten milliseconds of a laptop's graphics, far below the
/// two seconds after which an operating system resets a device.
pub const DEFAULT_MULTIPLY_ADDS: u64 = 1 << 29;

/// A field whose weights are on a device.
#[derive(Debug)]
pub struct GpuDecoder {
    device: Device,
    spec: FieldSpec,
    grid: Grid,
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
        };
        Ok(Self {
            device: device.clone(),
            spec: field.spec().clone(),
            grid: field.grid().clone(),
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
        let Some(tables) = Tables::new(&self.grid, view, self.sizes.lanes)? else {
            return Ok(Vec::new());
        };
        let mut values = Vec::with_capacity(view.samples() * self.sizes.channels);
        let shares = tables.shares(&self.spec, self.multiply_adds);
        let coordinates = floats(tables.coordinates, &self.device);
        let places = integers(tables.places, &self.device);
        let mut queued: Option<Tensor<1>> = None;
        for share in shares {
            let call = Call {
                share,
                extents: tables.extents,
                columns: tables.columns,
                local_stride: self.local_stride,
                hidden_layers: self.spec.hidden_layers,
                first_omega: self.spec.first_omega,
                hidden_omega: self.spec.hidden_omega,
                sizes: self.sizes,
            };
            let (slots, shared, local) = (self.slots.clone(), self.shared.clone(), self.local.clone());
            let next = field_decode(coordinates.clone(), places.clone(), slots, shared, local, call);
            if let Some(previous) = queued.replace(next) {
                read(previous, &mut values).await?;
            }
        }
        if let Some(last) = queued {
            read(last, &mut values).await?;
        }
        Ok(values)
    }
}

async fn read(tensor: Tensor<1>, into: &mut Vec<f32>) -> Result<(), Error> {
    let failed = |reason: String| Error::Device(format!("reading the samples back failed: {reason}"));
    let data = tensor.into_data_async().await.map_err(|error| failed(format!("{error:?}")))?;
    let values = data.as_slice::<f32>().map_err(|error| failed(format!("{error:?}")))?;
    into.extend(values.iter().map(|&v| if v >= ABSENT_MARK { ABSENT } else { v }));
    Ok(())
}

fn floats(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), (device, DType::F32))
}

fn integers(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), (device, DType::I32))
}
