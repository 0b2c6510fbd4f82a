//! The only file that touches the framework's internals: the kernels as operations of burn's CubeCL backend.
//!
//! When the framework moves, this file moves. Everything else here sees `burn::Tensor`.

use std::ops::Range;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::wgpu::wgpu;
use burn::tensor::{DType, Int, Shape, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use cubecl::prelude::{CubeCount, CubeDim};
use cubecl::wgpu::{AutoCompiler, WgpuServer};

use super::gradient_kernel;
use super::gradient_layout::{Tile, UNITS, WORKGROUP_BYTES};
use super::kernel::{self, Sizes};
use super::layout::{AXES, BLOCK, GROUP};
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

/// Everything of one dispatch of the training kernel that is not a tensor.
#[derive(Debug, Clone)]
pub(super) struct GradientCall {
    pub(super) items: Range<usize>,
    /// Tiles of the largest item.
    pub(super) tiles: u32,
    pub(super) hidden_layers: u32,
    pub(super) shared_vectors: u32,
    pub(super) local_stride: u32,
    /// Vectors of an item's part of the workspace, and of the angles in it.
    pub(super) stride: u32,
    pub(super) angles: u32,
    pub(super) first_omega: f32,
    pub(super) hidden_omega: f32,
    /// The loss's derivative by an output is this times the error.
    pub(super) scale: f32,
    pub(super) tile: Tile,
}

/// Which totals a dispatch adds its items to.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) rows: Range<u32>,
    /// Floats of a row of totals.
    pub(super) elements: u32,
}

/// The operations of training.
#[backend_extension(Cube)]
pub(super) trait GradientOps: Backend {
    /// `rows` rows of weights as layers of blocks; see [`gradient_kernel::pack`].
    fn field_pack(input: FloatTensor<Self>, table: IntTensor<Self>, rows: u32) -> FloatTensor<Self>;

    /// Runs the items of one dispatch and returns the workspace; see [`gradient_kernel::item_gradients`].
    fn field_gradients(
        samples: FloatTensor<Self>,
        items: IntTensor<Self>,
        shared: FloatTensor<Self>,
        local: FloatTensor<Self>,
        workspace: FloatTensor<Self>,
        call: GradientCall,
    ) -> FloatTensor<Self>;

    /// Adds the items of one dispatch to some totals and returns these; see [`gradient_kernel::add_items`].
    fn field_add(
        workspace: FloatTensor<Self>,
        gather: IntTensor<Self>,
        first_of_row: IntTensor<Self>,
        totals: FloatTensor<Self>,
        rows: Rows,
        call: GradientCall,
    ) -> FloatTensor<Self>;
}

/// Enough workgroups for `invocations`, which stay below 2^28.
fn groups_of(invocations: u32) -> CubeCount {
    let groups = invocations.div_ceil(GROUP);
    let rows = groups.div_ceil(u32::from(u16::MAX));
    CubeCount::Static(groups.div_ceil(rows.max(1)), rows, 1)
}

#[expect(clippy::cast_possible_truncation, reason = "item numbers and table sizes are i32 on the device")]
impl GradientOps for CubeBackend {
    #[expect(unsafe_code, reason = "an unchecked launch, like its neighbours")]
    fn field_pack(input: FloatTensor<Self>, table: IntTensor<Self>, rows: u32) -> FloatTensor<Self> {
        let client = input.client.clone();
        let (places, weights) = (table.meta.num_elements() as u32, input.meta.num_elements() as u32 / rows.max(1));
        let count = rows * places;
        let shape = Shape::new([count as usize]);
        let output = empty_device_contiguous_dtype(client.clone(), input.device.clone(), shape, DType::F32);
        // SAFETY: the table names weights below `weights` or padding, and surplus invocations return at once.
        unsafe {
            gradient_kernel::pack::launch_unchecked(
                &client,
                groups_of(count),
                CubeDim::new_1d(GROUP),
                into_contiguous(input).into_buffer_arg(),
                into_contiguous(table).into_buffer_arg(),
                output.clone().into_buffer_arg(),
                weights,
                places,
                count,
            );
        }
        output
    }

    #[expect(unsafe_code, reason = "an unchecked launch, like its neighbours")]
    fn field_gradients(
        samples: FloatTensor<Self>,
        items: IntTensor<Self>,
        shared: FloatTensor<Self>,
        local: FloatTensor<Self>,
        workspace: FloatTensor<Self>,
        call: GradientCall,
    ) -> FloatTensor<Self> {
        let client = samples.client.clone();
        // SAFETY: items name samples and slots of a batch that was checked against the network and its weights, layer
        // offsets follow the sizes with which the weights were packed, and every workgroup has a part of the workspace.
        unsafe {
            gradient_kernel::item_gradients::launch_unchecked(
                &client,
                CubeCount::Static(call.items.len() as u32, 1, 1),
                CubeDim::new_1d(UNITS as u32),
                into_contiguous(samples).into_buffer_arg(),
                into_contiguous(items).into_buffer_arg(),
                into_contiguous(shared).into_buffer_arg(),
                into_contiguous(local).into_buffer_arg(),
                workspace.clone().into_buffer_arg(),
                call.items.start as u32,
                call.tiles,
                call.hidden_layers,
                call.shared_vectors,
                call.local_stride,
                call.stride,
                call.first_omega,
                call.hidden_omega,
                call.scale,
                call.tile,
            );
        }
        workspace
    }

    #[expect(unsafe_code, reason = "an unchecked launch, like its neighbours")]
    fn field_add(
        workspace: FloatTensor<Self>,
        gather: IntTensor<Self>,
        first_of_row: IntTensor<Self>,
        totals: FloatTensor<Self>,
        rows: Rows,
        call: GradientCall,
    ) -> FloatTensor<Self> {
        let client = workspace.client.clone();
        let count = (rows.rows.end - rows.rows.start) * rows.elements;
        // SAFETY: rows and elements are those of the totals, the tables' places lie in an item's part of the workspace,
        // and surplus invocations return at once.
        unsafe {
            gradient_kernel::add_items::launch_unchecked(
                &client,
                groups_of(count),
                CubeDim::new_1d(GROUP),
                into_contiguous(workspace).into_buffer_arg(),
                into_contiguous(gather).into_buffer_arg(),
                into_contiguous(first_of_row).into_buffer_arg(),
                totals.clone().into_buffer_arg(),
                rows.rows.start,
                rows.elements,
                count,
                call.items.start as u32,
                call.items.len() as u32,
                call.stride * BLOCK as u32,
                call.angles * BLOCK as u32,
            );
        }
        totals
    }
}

/// [`GradientOps::field_pack`] on tensors.
pub(super) fn field_pack(input: Tensor<1>, table: Tensor<1, Int>, rows: u32) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::field_pack(input.into_dispatch(), table.into_dispatch(), rows))
}

/// [`GradientOps::field_gradients`] on tensors.
pub(super) fn field_gradients(
    samples: Tensor<1>,
    items: Tensor<1, Int>,
    shared: Tensor<1>,
    local: Tensor<1>,
    workspace: Tensor<1>,
    call: GradientCall,
) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::field_gradients(
        samples.into_dispatch(),
        items.into_dispatch(),
        shared.into_dispatch(),
        local.into_dispatch(),
        workspace.into_dispatch(),
        call,
    ))
}

/// [`GradientOps::field_add`] on tensors.
pub(super) fn field_add(
    workspace: Tensor<1>,
    gather: Tensor<1, Int>,
    first_of_row: Tensor<1, Int>,
    totals: Tensor<1>,
    rows: Rows,
    call: GradientCall,
) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::field_add(
        workspace.into_dispatch(),
        gather.into_dispatch(),
        first_of_row.into_dispatch(),
        totals.into_dispatch(),
        rows,
        call,
    ))
}

/// Bytes of workgroup memory that the device of `tensor` grants; what WebGPU guarantees where it is not one of CubeCL's.
pub(super) fn workgroup_bytes(tensor: Tensor<1, Int>) -> usize {
    let tensor = tensor.try_into_primitive::<CubeBackend>();
    tensor.map_or(WORKGROUP_BYTES, |tensor| tensor.client.properties().hardware.max_shared_memory_size)
}
