//! The only file that touches the framework's internals: the kernel as an operation of burn's CubeCL backend.
//!
//! When the framework moves, this file moves. Everything else here sees `burn::Tensor`.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Int, Shape, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use cubecl::prelude::{CubeCount, CubeDim};

use super::kernel::{self, Sizes};
use super::layout::{AXES, GROUP, Share};

/// Everything of one dispatch that is not a tensor.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Groups and samples of the view.
    pub(super) share: Share,
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
    /// `[samples * channels]` values of one dispatch; see [`kernel::decode_samples`] for the tensors, all of one axis.
    fn field_decode(
        coordinates: FloatTensor<Self>,
        places: IntTensor<Self>,
        slots: IntTensor<Self>,
        shared: FloatTensor<Self>,
        local: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self>;
}

impl FieldOps for CubeBackend {
    #[expect(unsafe_code, reason = "an unchecked launch: bounds checks in the inner loop cost a fifth of the time")]
    fn field_decode(
        coordinates: FloatTensor<Self>,
        places: IntTensor<Self>,
        slots: IntTensor<Self>,
        shared: FloatTensor<Self>,
        local: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self> {
        let client = coordinates.client.clone();
        let (groups, samples) = (&call.share.groups, &call.share.samples);
        let values = samples.len() * call.sizes.channels;
        let invocations = groups.end - groups.start;
        let output =
            empty_device_contiguous_dtype(client.clone(), coordinates.device.clone(), Shape::new([values]), DType::F32);
        // SAFETY: every index derives from tables that `layout` builds from a validated field: places add up to a
        // partition of the grid, slots point into `local` or nowhere, layer offsets follow the sizes with which the
        // weights were packed, a share's groups hold exactly its samples, and surplus invocations return at once.
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
                samples.start,
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
    call: Call,
) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::field_decode(
        coordinates.into_dispatch(),
        places.into_dispatch(),
        slots.into_dispatch(),
        shared.into_dispatch(),
        local.into_dispatch(),
        call,
    ))
}
