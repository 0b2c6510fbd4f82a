//! Codings of weights: numbers to bytes and back.
//!
//! A coding turns one network's weights into the payload of one chunk, with nothing carried over from another
//! partition's chunk, so that a crop can copy them. [`WeightCoding`] are the plain number formats. [`quantised`] weights are
//! steps away from the start weights, which a seed gives back, written by a range coder ([`mod@range`]) with the
//! frequencies of [`symbols`] ([`chunks`] reads them); what all partitions share of that stands in the global chunk.
//!
//! Everything here is integer arithmetic, or single operations of IEEE 754 that round the same everywhere: the same bytes
//! give the same weights, to the bit, on every machine and in every browser.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unreachable
    )
)]

pub mod chunks;
mod codebook;
pub mod contexts;
pub mod laplace;
mod plain;
pub mod quantised;
pub mod range;
pub mod symbols;

pub use plain::WeightCoding;
pub use quantised::{Coder, Quantisation};

/// How the weights of a chunk are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChunkCoding {
    /// Every weight a number of fixed length.
    Plain(WeightCoding),
    /// Steps away from the start weights ([`quantised`]).
    Quantised,
}

impl ChunkCoding {
    /// The coding of a number in a file; `None` for those of later versions.
    pub fn from_id(id: u16) -> Option<Self> {
        if id == quantised::CODING { Some(Self::Quantised) } else { WeightCoding::from_id(id).map(Self::Plain) }
    }

    /// The name that people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain(coding) => coding.name(),
            Self::Quantised => "quantised",
        }
    }
}
