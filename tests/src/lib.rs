//! Tests that cross crates, and what they share: running the built program, small pictures and sounds of every kind, and
//! small meshes.

pub mod pictures;
pub mod program;
pub mod shapes;
pub mod sounds;
