//! Tests that cross crates, and what they share: running the built program, small pictures of every kind, and small meshes.

pub mod pictures;
pub mod program;
pub mod shapes;
