//! What a wanted size or a wanted loss comes to for a field.

use tessera_core::codec::{Coder, Quantisation};
use tessera_core::error::Error;
use tessera_core::format::Document;

use super::{Allocation, RateTerm, search, steps_for_bits};

/// A loss that nobody sees, in dB: a file takes no more bits than it needs for that.
const UNSEEN_DB: f64 = 0.15;

/// How small a file is to become.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    /// Loses at most so many dB.
    Loss(f64),
    /// Takes at most so many bytes.
    Bytes(u64),
    /// Takes at most so many bits for each of the field's weights, everything counted, and fewer where more would not be seen.
    Bits(u32),
    /// Every tensor has the levels of so many bits, as published.
    Uniform(u32),
}

/// The same for a field: how its steps are found.
#[derive(Debug)]
pub enum Target {
    /// Steps by what rounding does, for a size.
    Bytes(Box<Allocation>, u64),
    /// The same as coarse as this.
    Coarseness(Box<Allocation>, f32),
    /// Levels of so many bits.
    Uniform(Coder, u32),
}

impl Target {
    /// For `document`, whose PSNR is `psnr_db`; `None` where it is not known, and a loss cannot be asked for.
    ///
    /// # Errors
    /// Those of decoding and writing.
    pub fn new(document: &Document, wanted: Wanted, coder: Coder, psnr_db: Option<f64>) -> Result<Option<Self>, Error> {
        let (field, seed) = (&document.field, document.training.seed);
        let measured = || Allocation::measure(field, seed, coder).map(Box::new);
        let coarseness = |allocation: &Allocation, loss: f64| {
            let error = psnr_db.map(|psnr| added_error(document, psnr, loss));
            error.map(|error| search::for_error(field, seed, allocation, error)).transpose()
        };
        Ok(Some(match wanted {
            Wanted::Loss(loss) => {
                let allocation = measured()?;
                let Some(coarseness) = coarseness(&allocation, loss)? else { return Ok(None) };
                Self::Coarseness(allocation, coarseness)
            }
            Wanted::Bytes(bytes) => Self::Bytes(measured()?, bytes),
            Wanted::Bits(bits) => {
                let allocation = measured()?;
                let weights = field.shared().len() as u64 + field.local().len() as u64;
                let bytes = weights.saturating_mul(u64::from(bits)) / 8;
                let needed = coarseness(&allocation, UNSEEN_DB)?;
                match needed.filter(|needed| search::for_size(document, &allocation, bytes).is_ok_and(|c| c < *needed))
                {
                    Some(needed) => Self::Coarseness(allocation, needed),
                    None => Self::Bytes(allocation, bytes),
                }
            }
            Wanted::Uniform(bits) => Self::Uniform(coder, bits),
        }))
    }

    /// The size, where it is one.
    pub fn bytes(&self) -> Option<u64> {
        if let Self::Bytes(_, bytes) = self { Some(*bytes) } else { None }
    }

    /// What the rate has to say in retraining from its steps.
    pub fn rate_term(&self) -> RateTerm {
        match self {
            Self::Bytes(..) => RateTerm::Share(1.0),
            Self::Coarseness(..) => RateTerm::Fixed,
            Self::Uniform(..) => RateTerm::None,
        }
    }

    /// The steps for `document` with weights rounded to nearest.
    ///
    /// # Errors
    /// Those of writing.
    pub fn quantisation(&self, document: &Document) -> Result<Quantisation, Error> {
        let (field, seed) = (&document.field, document.training.seed);
        match self {
            Self::Bytes(allocation, bytes) => {
                allocation.quantisation(field, search::for_size(document, allocation, *bytes)?)
            }
            Self::Coarseness(allocation, coarseness) => allocation.quantisation(field, *coarseness),
            Self::Uniform(coder, bits) => {
                let start = Quantisation::nearest_start(field, seed);
                let (shared, local) = steps_for_bits(field, seed, start, *bits);
                Quantisation::new(field.spec(), start, *coder, &shared, &local)?.with_bits(*bits)
            }
        }
    }
}

/// The mean squared error that costs `loss` dB of `psnr`, in field units. Errors of rounding and those that are there already do
/// not know of each other, so their squares add up.
fn added_error(document: &Document, psnr: f64, loss: f64) -> f64 {
    let peak_error = 10_f64.powf(document.signal.kind.psnr_db(1.0) / 10.0);
    10_f64.powf(-psnr / 10.0) * peak_error * (10_f64.powf(loss / 10.0) - 1.0)
}
