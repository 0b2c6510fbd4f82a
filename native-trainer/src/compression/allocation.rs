//! Steps for every tensor and every class of partitions from one number.

use tessera_core::codec::quantised::CLASSES_OF_PARTITIONS;
use tessera_core::codec::{Coder, Quantisation};
use tessera_core::error::Error;
use tessera_core::field::{Field, Start, StartRule, tensors};

use super::Probe;

/// Partitions by which tensors are judged.
const PROBED: usize = 48;
/// Numbers of a tensor's largest weight while the others are judged, and while it is judged itself.
const FINE: f32 = 30_000.0;
const JUDGED: f32 = 400.0;

/// What rounding does to a field: enough to choose steps.
#[derive(Debug, Clone)]
pub struct Allocation {
    start: StartRule,
    coder: Coder,
    /// By tensor: the step at a coarseness of 1, that is where each weight of the tensor adds an error of 1 (mean square, field
    /// units); 0 for tensors at their start.
    shared: Vec<f32>,
    local: Vec<f32>,
    /// The least coarseness: below it, numbers would be cut off.
    finest: f32,
    /// Octaves by which the steps of each class are wider, but for those of the last layer.
    classes: Vec<i32>,
    class_of: Vec<u8>,
}

impl Allocation {
    /// Measures `field`, whose start weights come from `seed`.
    ///
    /// # Errors
    /// Those of decoding.
    pub fn measure(field: &Field, seed: u64, coder: Coder) -> Result<Self, Error> {
        let start = Quantisation::nearest_start(field, seed);
        let (shared, local) = reach(field, seed, start);
        let mut allocation = Self {
            start,
            coder,
            shared: vec![0.0; shared.len()],
            local: vec![0.0; local.len()],
            finest: 0.0,
            classes: vec![0],
            class_of: vec![0; field.present().len()],
        };
        (allocation.classes, allocation.class_of) = allocation.classify(field, seed, &shared, &local)?;
        let probe = Probe::new(field, PROBED)?;
        let sizes = |ranges: &[std::ops::Range<usize>]| ranges.iter().map(|r| r.len() as f64).collect::<Vec<_>>();
        let of_shared = sizes(&tensors(&field.spec().shared_layers()));
        let of_local = sizes(&tensors(&field.spec().local_layers()));
        // A bit more for all weights of a tensor costs as many bits as it has weights, in every partition.
        let partitions = field.present().len().max(1) as f64;
        for (tensor, &reach) in local.iter().enumerate().filter(|(_, reach)| **reach > 0.0) {
            let mut steps: Vec<f32> = local.iter().map(|reach| reach / FINE).collect();
            steps[tensor] = reach / JUDGED;
            let zeros: Vec<f32> = shared.iter().map(|reach| reach / FINE).collect();
            let error = allocation.error(field, seed, &probe, &zeros, &steps)?;
            allocation.local[tensor] = unit_step(steps[tensor], error, of_local[tensor]);
        }
        for (tensor, &reach) in shared.iter().enumerate().filter(|(_, reach)| **reach > 0.0) {
            let mut steps: Vec<f32> = shared.iter().map(|reach| reach / FINE).collect();
            steps[tensor] = reach / JUDGED;
            let fine: Vec<f32> = local.iter().map(|reach| reach / FINE).collect();
            let error = allocation.error(field, seed, &probe, &steps, &fine)?;
            allocation.shared[tensor] = unit_step(steps[tensor], error, of_shared[tensor] / partitions);
        }
        let narrowest = 2_f32.powi(allocation.classes.first().copied().unwrap_or(0).min(0));
        let reached = local.iter().zip(&allocation.local).map(|(reach, unit)| (reach, unit * narrowest));
        let reached = reached.chain(shared.iter().zip(&allocation.shared).map(|(reach, unit)| (reach, *unit)));
        let finest = |(reach, unit): (&f32, f32)| if unit > 0.0 { reach / (FINE * unit) } else { 0.0 };
        allocation.finest = reached.map(finest).fold(f32::MIN_POSITIVE, f32::max);
        Ok(allocation)
    }

    /// The least coarseness that makes sense.
    pub fn finest(&self) -> f32 {
        self.finest
    }

    /// What codes the numbers.
    pub fn coder(&self) -> Coder {
        self.coder
    }

    /// The same with another coder.
    #[must_use]
    pub fn with_coder(self, coder: Coder) -> Self {
        Self { coder, ..self }
    }

    /// Steps that are `coarseness` times those at which every weight adds an error of 1.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a coarseness that makes no step.
    pub fn quantisation(&self, field: &Field, coarseness: f32) -> Result<Quantisation, Error> {
        let shared: Vec<f32> = self.shared.iter().map(|step| step * coarseness).collect();
        let local: Vec<f32> = self.local.iter().map(|step| step * coarseness).collect();
        self.of_steps(field, &shared, &local)
    }

    fn of_steps(&self, field: &Field, shared: &[f32], local: &[f32]) -> Result<Quantisation, Error> {
        let of_class = |octaves: &i32| {
            let last = local.len().saturating_sub(2);
            local
                .iter()
                .enumerate()
                .map(|(t, step)| if t < last { step * 2_f32.powi(*octaves) } else { *step })
                .collect()
        };
        let classes: Vec<Vec<f32>> = self.classes.iter().map(of_class).collect();
        Quantisation::new(field.spec(), self.start, self.coder, shared, local)?.with_classes(
            field.spec(),
            &classes,
            self.class_of.clone(),
        )
    }

    fn error(&self, field: &Field, seed: u64, probe: &Probe, shared: &[f32], local: &[f32]) -> Result<f64, Error> {
        let quantisation = self.of_steps(field, shared, local)?;
        probe.difference(&rounded(field, seed, &quantisation)?)
    }

    /// Sorts partitions by what the same rounding does to them: in flat parts of a signal the last layer is small, and what
    /// comes before it may be coarse.
    fn classify(&self, field: &Field, seed: u64, shared: &[f32], local: &[f32]) -> Result<(Vec<i32>, Vec<u8>), Error> {
        let probe = Probe::new(field, field.present().len())?;
        let last = local.len().saturating_sub(2);
        let steps: Vec<f32> =
            local.iter().enumerate().map(|(t, r)| if t < last { r / JUDGED } else { r / FINE }).collect();
        let fine: Vec<f32> = shared.iter().map(|reach| reach / FINE).collect();
        let quantisation = self.of_steps(field, &fine, &steps)?;
        let errors = probe.differences(&rounded(field, seed, &quantisation)?)?;
        let mut sorted = errors.clone();
        sorted.sort_by(f64::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0).max(1e-30);
        #[expect(clippy::cast_possible_truncation, reason = "a few octaves")]
        let octaves: Vec<i32> = errors
            .iter()
            .map(|error| (0.5 * (median / error.max(1e-30)).log2()).round().clamp(-7.0, 8.0) as i32)
            .collect();
        let mut classes = octaves.clone();
        classes.sort_unstable();
        classes.dedup();
        debug_assert!(classes.len() <= CLASSES_OF_PARTITIONS, "clamped to 16 octaves");
        let place = |own: &i32| classes.binary_search(own).ok().and_then(|p| u8::try_from(p).ok()).unwrap_or(0);
        let class_of = octaves.iter().map(place).collect();
        Ok((classes, class_of))
    }
}

/// The field as a file with this quantisation would hold it.
pub(super) fn rounded(field: &Field, seed: u64, quantisation: &Quantisation) -> Result<Field, Error> {
    quantisation.field(field, seed, &quantisation.numbers(field, seed)?)
}

/// The step at which each of `weights` weights adds an error of 1, from the error of all of them at `step`.
#[expect(clippy::cast_possible_truncation, reason = "steps are 32-bit floats")]
fn unit_step(step: f32, error: f64, weights: f64) -> f32 {
    let unit = f64::from(step) * (weights / error.max(1e-30)).sqrt();
    // A tensor that does not matter gets a step beyond all its weights.
    unit.min(f64::from(f32::MAX) * 1e-9) as f32
}

/// The largest distance of a weight from its start, by tensor: of the shared weights and of all local ones.
fn reach(field: &Field, seed: u64, rule: StartRule) -> (Vec<f32>, Vec<f32>) {
    let start = Start::new(field.spec(), field.grid(), seed, rule);
    let farthest = |reach: &mut [f32], ranges: &[std::ops::Range<usize>], weights: &[f32], start: &[f32]| {
        for (reach, range) in reach.iter_mut().zip(ranges) {
            let moved = weights[range.clone()].iter().zip(&start[range.clone()]).map(|(w, s)| (w - s).abs());
            *reach = moved.fold(*reach, f32::max);
        }
    };
    let (of_shared, of_local) = (tensors(&field.spec().shared_layers()), tensors(&field.spec().local_layers()));
    let (mut shared, mut local) = (vec![0.0; of_shared.len()], vec![0.0; of_local.len()]);
    farthest(&mut shared, &of_shared, field.shared(), &start.shared());
    for (slot, &partition) in field.present().iter().enumerate() {
        farthest(&mut local, &of_local, field.local_of_slot(slot), &start.local(partition));
    }
    (shared, local)
}
