//! Exit codes: one number per kind of fault, so that scripts need not read messages.
//!
//! Functions return `anyhow::Error`; the code is found by looking through its causes for one of the typed errors
//! below. A reader that went away (`tessera info x.inr | head -1`) is no fault and ends quietly.

use std::io::{self, Write as _};
use std::process::ExitCode;

use tessera_core::Error;
use thiserror::Error as ThisError;

use crate::import::ImportError;
use crate::training::TrainingError;

/// A fault of the front end, sorted by exit code. The text is the whole message.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum Fault {
    /// What was typed cannot be done (2).
    #[error("{0}")]
    Usage(String),
    /// An input cannot be read or is not what it should be (3).
    #[error("{0}")]
    Input(String),
    /// An input or a request exceeds a limit (4).
    #[error("{0}")]
    Limit(String),
    /// The result is written, but it is worse than what was asked for (5).
    #[error("{0}")]
    TargetMissed(String),
    /// The user stopped the run; the result so far is written (130).
    #[error("{0}")]
    Interrupted(String),
}

impl Fault {
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Input(_) => 3,
            Self::Limit(_) => 4,
            Self::TargetMissed(_) => 5,
            Self::Interrupted(_) => 130,
        }
    }
}

/// Shorthand for a [`Fault::Usage`].
pub fn usage_fault(message: impl Into<String>) -> anyhow::Error {
    Fault::Usage(message.into()).into()
}

/// Shorthand for a [`Fault::Input`].
pub fn input_fault(message: impl Into<String>) -> anyhow::Error {
    Fault::Input(message.into()).into()
}

/// The exit code of an error.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(1)
}

fn code_of(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(fault) = cause.downcast_ref::<Fault>() {
        return Some(fault.code());
    }
    if let Some(error) = cause.downcast_ref::<TrainingError>() {
        return match error {
            TrainingError::Core(error) => core_code(error),
            TrainingError::Settings(_)
            | TrainingError::DeviceAbsent { .. }
            | TrainingError::Engine(_)
            | TrainingError::CheckpointOfAnotherRun { .. } => Some(2),
            TrainingError::Checkpoint { .. } => Some(3),
            _ => Some(1),
        };
    }
    if let Some(error) = cause.downcast_ref::<ImportError>() {
        return match error {
            ImportError::Core(error) => core_code(error),
            _ => Some(3),
        };
    }
    cause.downcast_ref::<Error>().and_then(core_code)
}

fn core_code(error: &Error) -> Option<u8> {
    match error {
        Error::Malformed(_) => Some(3),
        Error::Unsupported(_) => Some(6),
        Error::Parameter(_) => Some(2),
        Error::Limit(_) => Some(4),
        _ => None,
    }
}

/// Prints an error with its causes and returns its exit code.
pub fn report(error: &anyhow::Error, verbose: u8) -> ExitCode {
    let gone = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(gone) {
        return ExitCode::SUCCESS;
    }
    // Nothing can be done about a closed stderr.
    let _ = if verbose > 1 {
        writeln!(io::stderr(), "error: {error:?}")
    } else {
        writeln!(io::stderr(), "error: {error:#}")
    };
    ExitCode::from(exit_code(error))
}

/// Prints clap's refusal (or the help that was asked for).
pub fn usage(refusal: &clap::Error) -> ExitCode {
    let _ = refusal.print();
    if refusal.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_code_survives_context() {
        let malformed = Err::<(), _>(Error::malformed("header", 0, "short")).context("reading a.inr").unwrap_err();
        assert_eq!(exit_code(&malformed), 3);
        assert_eq!(exit_code(&anyhow::anyhow!("disk full")), 1);
        assert_eq!(exit_code(&usage_fault("no").context("more")), 2);
        assert_eq!(exit_code(&anyhow::Error::from(TrainingError::Core(Error::parameter("x")))), 2);
    }
}
