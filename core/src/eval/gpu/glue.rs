//! The only file that touches the framework's internals: the kernel as an operation of burn's CubeCL backend.
//!
//! When the framework moves, this file moves. Everything else here sees `burn::Tensor`.

use std::ops::Range;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::wgpu::wgpu;
use burn::tensor::{Int, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::prelude::{CubeCount, CubeDim};
use cubecl::wgpu::{AutoCompiler, WgpuServer};

use super::kernel::{self, Sizes};
use super::layout::{AXES, GROUP};
use crate::error::Error;

/// Everything of one dispatch that is not a tensor.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Groups of the view.
    pub(super) groups: Range<u32>,
    /// The sample of the view with which the output begins.
    pub(super) first_sample: u32,
    /// Positions per axis, right-aligned; groups along the last one, of so many columns.
    pub(super) extents: [u32; AXES],
    pub(super) columns: u32,
    /// Vectors of one packed local network.
    pub(super) local_stride: u32,
    pub(super) hidden_layers: u32,
    pub(super) first_omega: f32,
    pub(super) hidden_omega: f32,
    pub(super) sizes: Sizes,
}

/// The operation that burn does not have.
#[backend_extension(Cube)]
pub(super) trait FieldOps: Backend {
    /// Writes the words of one dispatch into `output` and returns it; see [`kernel::decode_samples`] for the tensors,
    /// all of one axis.
    fn field_decode(
        coordinates: FloatTensor<Self>,
        places: IntTensor<Self>,
        slots: IntTensor<Self>,
        shared: FloatTensor<Self>,
        local: FloatTensor<Self>,
        output: IntTensor<Self>,
        call: Call,
    ) -> IntTensor<Self>;
}

impl FieldOps for CubeBackend {
    #[expect(unsafe_code, reason = "an unchecked launch: bounds checks in the inner loop cost a fifth of the time")]
    fn field_decode(
        coordinates: FloatTensor<Self>,
        places: IntTensor<Self>,
        slots: IntTensor<Self>,
        shared: FloatTensor<Self>,
        local: FloatTensor<Self>,
        output: IntTensor<Self>,
        call: Call,
    ) -> IntTensor<Self> {
        let client = coordinates.client.clone();
        let groups = &call.groups;
        let invocations = groups.end - groups.start;
        // SAFETY: every index derives from tables that `layout` builds from a validated field: places add up to a
        // partition of the grid, slots point into `local` or nowhere, layer offsets follow the sizes with which the
        // weights were packed, `output` holds the samples of a share's groups, and surplus invocations return at once.
        unsafe {
            kernel::decode_samples::launch_unchecked(
                &client,
                CubeCount::Static(invocations.div_ceil(GROUP), 1, 1),
                CubeDim::new_1d(GROUP),
                into_contiguous(coordinates).into_buffer_arg(),
                into_contiguous(places).into_buffer_arg(),
                into_contiguous(slots).into_buffer_arg(),
                into_contiguous(shared).into_buffer_arg(),
                into_contiguous(local).into_buffer_arg(),
                output.clone().into_buffer_arg(),
                groups.start,
                invocations,
                call.first_sample,
                call.extents[0],
                call.extents[1],
                call.extents[2],
                call.extents[3],
                call.columns,
                call.local_stride,
                call.hidden_layers,
                call.first_omega,
                call.hidden_omega,
                call.sizes,
            );
        }
        output
    }
}

/// The operation on tensors, all of them on one device.
pub(super) fn field_decode(
    coordinates: Tensor<1>,
    places: Tensor<1, Int>,
    slots: Tensor<1, Int>,
    shared: Tensor<1>,
    local: Tensor<1>,
    output: Tensor<1, Int>,
    call: Call,
) -> Tensor<1, Int> {
    Tensor::from_dispatch(Dispatch::field_decode(
        coordinates.into_dispatch(),
        places.into_dispatch(),
        slots.into_dispatch(),
        shared.into_dispatch(),
        local.into_dispatch(),
        output.into_dispatch(),
        call,
    ))
}

/// The wgpu buffer that holds a tensor, from its first byte on; everything queued before is submitted.
///
/// # Errors
/// [`Error::Device`] where the tensor lies on another runtime, or what should have written it failed.
pub(super) fn buffer_of(tensor: Tensor<1, Int>) -> Result<(wgpu::Buffer, u64), Error> {
    let failed = |reason: String| Error::Device(format!("its memory cannot be shared: {reason}"));
    let tensor = tensor.try_into_primitive::<CubeBackend>().map_err(|error| failed(format!("{error:?}")))?;
    let found = tensor.client.get_resource::<WgpuServer<AutoCompiler>>(tensor.handle.clone());
    let found = found.map_err(|error| failed(error.to_string()))?;
    tensor.client.flush().map_err(|error| failed(error.to_string()))?;
    let resource = found.resource();
    Ok((resource.buffer.clone(), resource.offset))
}

/// Waits until the device has done everything that was queued before.
///
/// # Errors
/// [`Error::Device`] where the device was lost, or what should have written the tensor failed.
pub(super) async fn finished(tensor: Tensor<1, Int>) -> Result<(), Error> {
    let failed = |reason: String| Error::Device(format!("decoding failed: {reason}"));
    let tensor = tensor.try_into_primitive::<CubeBackend>().map_err(|error| failed(format!("{error:?}")))?;
    tensor.client.sync_buffers([&tensor.handle]).await.map_err(|error| failed(error.to_string()))
}
