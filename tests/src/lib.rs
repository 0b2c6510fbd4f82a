//! Tests that cross crates, and what they share: running the built program, and small pictures and sounds of every kind.

pub mod pictures;
pub mod program;
pub mod sounds;
