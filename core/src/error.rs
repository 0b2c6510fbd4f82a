//! Errors sorted by who is at fault: the bytes, the version, the caller, or a limit.

use thiserror::Error as ThisError;

/// Everything that can go wrong in this crate.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are damaged or are not a Tessera file. No other program can read them either.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The bytes are sound but need something that this version does not have.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The caller asked for something that makes no sense for this signal or network.
    #[error("{0}")]
    Parameter(String),
    /// The request or the file is larger than the specification allows.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// A graphics device failed, was lost, or does not suit the network. The CPU decodes everything.
    #[error("the graphics device cannot do this: {0}")]
    Device(String),
}

/// Which part of a file is damaged, where, and in what way.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("{part} at byte {offset}: {reason}")]
pub struct Malformed {
    /// The part of the file, in the words of `docs/format.md` ("header", "index", "chunk of partition 7").
    pub part: String,
    /// Offset of that part from the start of the file, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What the file needs and this version lacks.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("{feature} is not supported by this version of Tessera ({advice})")]
pub struct Unsupported {
    /// The feature, with its number in the file.
    pub feature: String,
    /// What the user can do.
    pub advice: String,
}

/// A quantity above its limit.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("{quantity} is {found}, the limit is {limit}")]
pub struct LimitExceeded {
    /// The quantity with its unit.
    pub quantity: String,
    /// What was asked for.
    pub found: u64,
    /// What is allowed.
    pub limit: u64,
}

impl Error {
    /// A caller's mistake.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::Parameter(message.into())
    }

    /// Damage in `part`, which starts at byte `offset`.
    pub fn malformed(part: impl Into<String>, offset: u64, reason: impl Into<String>) -> Self {
        Self::Malformed(Malformed { part: part.into(), offset, reason: reason.into() })
    }
}

/// Refuses `found` above `limit`.
pub(crate) fn check_limit(quantity: &str, found: u64, limit: u64) -> Result<(), Error> {
    if found > limit {
        return Err(LimitExceeded { quantity: quantity.to_owned(), found, limit }.into());
    }
    Ok(())
}
