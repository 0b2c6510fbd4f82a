//! What every training loop checks and opens before its first step.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tessera_core::field::Field;

use super::TrainingError;
use super::device::OpenDevice;
use super::plan::{Recipe, Settings, TrainingPlan};

/// Refuses a plan that contradicts itself or its start weights.
pub(super) fn check(plan: &TrainingPlan, start: &Field) -> Result<(), TrainingError> {
    let settings = &plan.settings;
    let refuse = |message: String| Err(TrainingError::Settings(message));
    let info = plan.samples.info();
    if plan.grid.shape() != info.shape || plan.spec.outputs != info.channels {
        return refuse(format!(
            "a grid of {:?} samples and a network of {} outputs do not suit a signal of {:?} samples and {} channels",
            plan.grid.shape(),
            plan.spec.outputs,
            info.shape,
            info.channels
        ));
    }
    if plan.spec.pyramid().is_some() {
        return refuse("latents are trained for the size of a file, and by no other loop than their own".to_owned());
    }
    if start.spec() != &plan.spec || start.grid() != &plan.grid || start.present() != plan.present() {
        return refuse("the start weights belong to another network, another grid or only a part of it".to_owned());
    }
    if !(settings.sample_fraction > 0.0 && settings.sample_fraction <= 1.0) {
        return refuse(format!("the sample fraction must lie in (0, 1], not {}", settings.sample_fraction));
    }
    if !(settings.learning_rate > 0.0 && settings.learning_rate <= 1.0) {
        return refuse(format!("the learning rate must lie in (0, 1], not {}", settings.learning_rate));
    }
    if settings.psnr_db.is_some_and(f64::is_nan) {
        return refuse("the wanted PSNR is not a number".to_owned());
    }
    if settings.max_seconds.is_some_and(|seconds| seconds.is_nan() || seconds < 0.0) {
        return refuse(format!("the time limit must not be negative, {:?} s was given", settings.max_seconds));
    }
    if settings.recipe == Recipe::Held && settings.sample_fraction < 1.0 {
        return refuse(
            "the held recipe visits every sample of a partition; --sample-fraction is for `published`".to_owned(),
        );
    }
    if !(settings.l1 >= 0.0 && settings.l1 <= 1.0) {
        return refuse(format!("the weight of the magnitudes must lie in [0, 1], not {}", settings.l1));
    }
    if settings.patience == Some(0) || settings.early_stop == Some(0) {
        return refuse("a patience of no step would end training at once".to_owned());
    }
    if settings.recipe == Recipe::Held {
        if settings.l1 > 0.0 || settings.patience.is_some() || settings.early_stop.is_some() {
            return refuse("--l1, --patience and --early-stop are for the recipe `published`".to_owned());
        }
        // Rounding alone is mended for any network.
        if plan.spec.is_encoded() && settings.rounding.is_none() {
            return refuse(format!(
                "the held recipe trains sine layers on plain coordinates; the encoding {} and the activation {} are for \
                 `published`",
                plan.spec.encoding.name(),
                plan.spec.activation.name()
            ));
        }
    }
    if start.present().is_empty() {
        return refuse("there is nothing in the signal: no partition needs a network".to_owned());
    }
    if settings.shares == 0 {
        return refuse("samples cannot be dealt into no share".to_owned());
    }
    if !settings.overlap.is_empty() {
        if settings.recipe == Recipe::Held || settings.sample_fraction >= 1.0 {
            return refuse(
                "an overlap is for sampled batches: choose the recipe `published` and --sample-fraction below 1"
                    .to_owned(),
            );
        }
        if settings.overlap.len() != plan.grid.axes() {
            return refuse(format!("an overlap needs {} numbers, not {}", plan.grid.axes(), settings.overlap.len()));
        }
    }
    if settings.threads == Some(0) {
        return refuse("at least one thread is needed".to_owned());
    }
    Ok(())
}

/// Where computations run: in a pool of the wanted size, or on this thread (and rayon's own pool below it). A GPU is
/// always driven from this thread: its runtime orders work by the thread that queued it.
pub(super) struct Workers(Option<rayon::ThreadPool>);

impl Workers {
    pub(super) fn new(settings: &Settings, device: &OpenDevice) -> Result<Self, TrainingError> {
        let Some(threads) = settings.threads.filter(|_| device.uses_threads()) else { return Ok(Self(None)) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.map(|pool| Self(Some(pool)))
            .map_err(|e| TrainingError::Settings(format!("cannot start {threads} threads: {e}")))
    }

    pub(super) fn threads(&self) -> usize {
        self.0.as_ref().map_or_else(rayon::current_num_threads, rayon::ThreadPool::current_num_threads)
    }

    /// The device in words, with its threads where it has any.
    pub(super) fn describe(&self, device: &OpenDevice) -> String {
        if device.uses_threads() {
            format!("{} ({} threads)", device.name, self.threads())
        } else {
            device.name.clone()
        }
    }

    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

/// What makes a run the same run. Device, threads and stop conditions are left out: a run may move to another machine
/// or go on for longer.
///
/// # Errors
/// [`TrainingError::Samples`] where the samples cannot be read.
pub(super) fn facts(plan: &TrainingPlan, start: &Field) -> Result<Vec<(String, String)>, TrainingError> {
    let settings = &plan.settings;
    let (spec, grid) = (&plan.spec, &plan.grid);
    let fact = |name: &str, value: String| (name.to_owned(), value);
    Ok(vec![
        fact("format of the run", "4".to_owned()),
        fact("model", spec.model.name().to_owned()),
        fact("signal", format!("{:?} of {} channels", grid.shape(), spec.outputs)),
        fact("partitions", format!("{:?}", grid.factors())),
        fact("coordinate range", format!("{:?}", grid.range())),
        fact("local width", spec.local_width.to_string()),
        fact("global width", spec.global_width.to_string()),
        fact("hidden layers", spec.hidden_layers.to_string()),
        fact("omega", format!("{:?}, {:?}", spec.first_omega, spec.hidden_omega)),
        fact("encoding", format!("{:?}", spec.encoding)),
        fact("activation", spec.activation.name().to_owned()),
        fact("seed", settings.seed.to_string()),
        fact("recipe", settings.recipe.name().to_owned()),
        fact("number of steps that the rates follow", settings.recipe.steps_that_matter(settings.steps)),
        fact("number of shares of samples", settings.shares.to_string()),
        fact("samples of a group", format!("{:?}", settings.group_samples)),
        fact("learning rate", format!("{:?}", settings.learning_rate)),
        fact("weight of the magnitudes", format!("{:?}", settings.l1)),
        fact("patience", format!("{:?}", settings.patience)),
        fact("sample fraction", format!("{:?}", settings.sample_fraction)),
        fact("overlap", format!("{:?}", settings.overlap)),
        fact("content of the signal", plan.samples.digest()?),
        fact("set of start weights", digest(&[start.shared(), start.local()])),
    ])
}

fn digest(arrays: &[&[f32]]) -> String {
    let mut hash = Sha256::new();
    for array in arrays {
        for chunk in array.chunks(1 << 14) {
            hash.update(chunk.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
        }
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// When the next snapshot is due.
pub(super) struct Snapshots {
    every: Option<Duration>,
    last: Instant,
}

impl Snapshots {
    pub(super) fn new(settings: &Settings) -> Self {
        let every = settings.snapshot_every_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Self { every, last: Instant::now() }
    }

    pub(super) fn due(&self) -> bool {
        self.every.is_some_and(|every| self.last.elapsed() >= every)
    }

    /// After the receiver is done with it, so that a slow one does not eat the training's time.
    pub(super) fn taken(&mut self) {
        self.last = Instant::now();
    }
}
