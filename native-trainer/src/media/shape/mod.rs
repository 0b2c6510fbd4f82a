//! Shapes to signals and back: meshes and grids of voxels.
//!
//! The axes of the samples are x, y and z of the source, in this order. A mesh is put into a grid of cubic cells that is
//! as long as `--resolution` along its longest side, and the file remembers where the grid lay, so that what is
//! decoded lies where the source was.

mod closeness;
mod distance;
mod input;
mod inside;
mod lattice;
mod mesh;
mod output;
#[cfg(test)]
mod samples;
mod voxels;
mod winding;

pub use closeness::{Closeness, POINTS, closeness};
pub use input::{BAND, FieldName, Sampling, is_shape, lattice, placement_of, read_shape, sampled};
pub use lattice::Lattice;
pub use mesh::{Mesh, MeshFormat, read_mesh};
pub use output::{ShapeFormat, encode_mesh, encode_voxels, placed, surface};
pub use voxels::{RawVoxels, npy};
