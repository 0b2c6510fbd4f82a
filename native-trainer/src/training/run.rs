//! The training loop.
//!
//! Best weights. In full-batch training a step's loss is the exact loss of the weights before its update, so every
//! step is judged for free. In sampled training that loss is too noisy to choose by; the weights are judged instead
//! on one fixed draw ([`Batches::evaluation`]), after as many steps as keep this below about a tenth of the work. The
//! final weights are always judged. The published compression recipe takes the best weights after the update whose loss
//! was measured before it; here a loss belongs to the weights that it was measured on. Nothing here depends on time except when training stops and saves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tessera_core::field::{Field, initialise, initialise_centred, with_last_biases};
use tessera_core::module::{FieldModule, read};

use super::checkpoint::Best;
use super::device::OpenDevice;
use super::engine::{Engine, engine_for};
use super::held::HeldRun;
use super::plan::{CheckpointSettings, Event, Outcome, Recipe, StoppedBy, TrainingPlan};
use super::setup::{Snapshots, Workers, check, facts};
use super::{Adam, Batches, Checkpoint, Gradients, Plateau, TrainingError};

/// Trains a field from the start weights of the plan's seed.
///
/// `stop` ends training after the step in progress; the best weights so far are returned. `on_event` is called on
/// this thread, once per step.
///
/// # Errors
/// [`TrainingError`]: a plan that contradicts itself, a device that is not there, a checkpoint of another run, a loss
/// that is not finite any more.
pub fn train(
    plan: &TrainingPlan,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event),
) -> Result<Outcome, TrainingError> {
    let (spec, grid, seed) = (&plan.spec, &plan.grid, plan.settings.seed);
    let present = plan.present();
    let start = match plan.settings.recipe {
        Recipe::Published => initialise(spec, grid, seed)?.restricted_to(&present),
        Recipe::Held => {
            let centred = initialise_centred(spec, grid, seed)?.restricted_to(&present);
            with_last_biases(&centred, &plan.samples.partition_means(grid, &present)?)?
        }
    };
    let start = start.with_empty(plan.empty())?;
    train_from(plan, &start, stop, on_event)
}

/// [`train`] from given weights of the plan's partitions.
///
/// # Errors
/// As [`train`], and for start weights of another network or grid.
pub fn train_from(
    plan: &TrainingPlan,
    start: &Field,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event),
) -> Result<Outcome, TrainingError> {
    check(plan, start)?;
    let settings = &plan.settings;
    let device = OpenDevice::open(settings.device)?;
    let workers = Workers::new(settings, &device)?;
    if settings.recipe == Recipe::Held {
        return HeldRun::new(plan, start, &device, &workers)?.finish(stop, on_event);
    }
    let run = Run::new(plan, start, &device, &workers)?;
    on_event(Event::Started { device: run.device.clone(), engine: run.engine.name().to_owned(), first_step: run.step });
    run.finish(stop, on_event)
}

struct Run<'a> {
    plan: &'a TrainingPlan,
    start: &'a Field,
    workers: &'a Workers,
    device: String,
    engine: Box<dyn Engine>,
    batches: Batches<'a>,
    /// Steps between two judgements in sampled training.
    interval: u64,
    module: FieldModule,
    adam: Adam,
    /// Of a learning rate that falls.
    plateau: Option<Plateau>,
    step: u64,
    best: Option<BestModule>,
    /// The judgement of the current weights, where there is one.
    judged: Option<f64>,
    facts: Vec<(String, String)>,
    seconds_before: f64,
    clock: Instant,
}

struct BestModule {
    step: u64,
    loss: f64,
    module: FieldModule,
}

impl<'a> Run<'a> {
    fn new(
        plan: &'a TrainingPlan,
        start: &'a Field,
        device: &OpenDevice,
        workers: &'a Workers,
    ) -> Result<Self, TrainingError> {
        let settings = &plan.settings;
        let batches = Batches::new(&plan.grid, &plan.samples, settings.sample_fraction, settings.seed)
            .with_overlap(&settings.overlap)
            .of_partitions(start.present().to_vec());
        let mut engine = engine_for(settings.engine, device)?;
        let mut interval = 0;
        if batches.is_full() {
            workers.run(|| engine.load(batches.full()?))?;
        } else {
            // Judging a sample costs at most as much as training on it.
            let (judged, trained) = (batches.evaluation()?.samples() as u64, batches.sampled(0)?.samples() as u64);
            interval = (10 * judged).div_ceil(trained).max(1);
        }
        let mut run = Self {
            plan,
            start,
            workers,
            device: workers.describe(device),
            engine,
            batches,
            interval,
            module: FieldModule::from_field(start, &device.device),
            adam: Adam::new(settings.learning_rate),
            plateau: settings.patience.map(|patience| Plateau::new(settings.learning_rate, patience)),
            step: 0,
            best: None,
            judged: None,
            facts: Vec::new(),
            seconds_before: 0.0,
            clock: Instant::now(),
        };
        if let Some(checkpoint) = &settings.checkpoint {
            run.facts = facts(plan, start)?;
            if checkpoint.resume {
                run.resume(checkpoint, device)?;
            }
        }
        Ok(run)
    }

    fn resume(&mut self, settings: &CheckpointSettings, device: &OpenDevice) -> Result<(), TrainingError> {
        let path = &settings.path;
        let Some(saved) = Checkpoint::load(path)? else { return Ok(()) };
        saved.check_plan(path, &self.facts)?;
        let unfit = |reason: String| TrainingError::Checkpoint { path: path.clone(), reason };
        let (shared, local) = (self.start.shared().len(), self.start.local().len());
        let moments = &saved.moments;
        let lengths = [moments.shared_first.len(), moments.shared_second.len()];
        let local_lengths = [moments.local_first.len(), moments.local_second.len()];
        if saved.step > 0 && (lengths != [shared; 2] || local_lengths != [local; 2]) {
            return Err(unfit("its moments do not suit the network".to_owned()));
        }
        let module = |shared, local| -> Result<FieldModule, TrainingError> {
            let field = self.start.with_weights(shared, local).map_err(|e| unfit(e.to_string()))?;
            Ok(FieldModule::from_field(&field, &device.device))
        };
        let current = module(saved.shared, saved.local)?;
        let best = match saved.best {
            Some(Best { step, loss, shared, local }) => Some(BestModule { step, loss, module: module(shared, local)? }),
            None => None,
        };
        let steps = usize::try_from(saved.step).map_err(|e| unfit(e.to_string()))?;
        self.adam.restore(&current, steps, saved.moments);
        self.plateau = match (self.plateau.take(), saved.plateau) {
            (Some(plateau), Some(state)) => Some(plateau.at(state)),
            (Some(_), None) => return Err(unfit("it does not say where the learning rate stands".to_owned())),
            (None, _) => None,
        };
        self.judged = best.as_ref().filter(|best| best.step == saved.step).map(|best| best.loss);
        (self.module, self.best, self.step, self.seconds_before) = (current, best, saved.step, saved.seconds);
        Ok(())
    }

    fn finish(mut self, stop: &AtomicBool, on_event: &mut dyn FnMut(Event)) -> Result<Outcome, TrainingError> {
        self.clock = Instant::now();
        let checkpoint = self.plan.settings.checkpoint.clone();
        let mut saved_at = self.clock;
        let mut snapshots = Snapshots::new(&self.plan.settings);
        if let Some(checkpoint) = &checkpoint {
            // At once, so that a path that cannot be written is found now and not after an hour.
            self.save(checkpoint, on_event)?;
        }
        let stopped_by = loop {
            if let Some(reason) = self.stops(stop) {
                break reason;
            }
            let Some(event) = self.advance()? else { break StoppedBy::Psnr };
            on_event(event);
            if snapshots.due() {
                let (shared, local) = self.module.to_arrays()?;
                let field = Box::new(self.start.with_weights(shared, local)?);
                on_event(Event::Snapshot { step: self.step, field });
                snapshots.taken();
            }
            let due = |c: &&CheckpointSettings| saved_at.elapsed().as_secs_f64() >= c.every_seconds;
            if let Some(checkpoint) = checkpoint.as_ref().filter(due) {
                self.save(checkpoint, on_event)?;
                saved_at = Instant::now();
            }
        };
        if let Some(checkpoint) = &checkpoint {
            // Before the last judgement: a run that is continued later must not know of it.
            self.save(checkpoint, on_event)?;
        }
        self.judge()?;
        let Some(best) = self.best.take() else {
            return Err(TrainingError::Engine("no weights were judged".to_owned()));
        };
        Ok(Outcome {
            field: best.module.to_field(self.start)?,
            steps: self.step,
            seconds: self.seconds(),
            best_step: best.step,
            stopped_by,
            device: self.device,
            engine: self.engine.name().to_owned(),
            psnr_db: self.plan.psnr_db(best.loss),
        })
    }

    fn stops(&self, stop: &AtomicBool) -> Option<StoppedBy> {
        let settings = &self.plan.settings;
        if self.judged.is_some_and(|loss| self.reached(loss)) {
            return Some(StoppedBy::Psnr);
        }
        if stop.load(Ordering::Relaxed) {
            return Some(StoppedBy::Interrupted);
        }
        if self.step >= settings.steps {
            return Some(StoppedBy::Steps);
        }
        let since_best = self.best.as_ref().map_or(0, |best| self.step.saturating_sub(best.step));
        if settings.early_stop.is_some_and(|limit| since_best >= limit) {
            return Some(StoppedBy::EarlyStop);
        }
        settings.max_seconds.filter(|&limit| self.seconds() >= limit).map(|_| StoppedBy::MaxTime)
    }

    /// One update; `None` where the weights turn out to be good enough already.
    fn advance(&mut self) -> Result<Option<Event>, TrainingError> {
        let started = Instant::now();
        let full = self.batches.is_full();
        let (step, batches, engine, module) = (self.step, &self.batches, &mut self.engine, &self.module);
        let samples = if full { batches.sample_count() } else { 0 };
        let (samples, loss, gradients) = self.workers.run(|| {
            let mut samples = samples;
            if !full {
                let batch = batches.sampled(step)?;
                samples = batch.samples() as u64;
                engine.load(batch)?;
            }
            engine.loss_and_gradients(module).map(|(loss, gradients)| (samples, loss, gradients))
        })?;
        self.check_loss(loss)?;
        if full {
            self.consider(loss);
            if self.reached(loss) {
                return Ok(None);
            }
        }
        let (adam, module, l1) = (&mut self.adam, &self.module, self.plan.settings.l1);
        let learning_rate = self.plateau.as_ref().map_or(self.plan.settings.learning_rate, Plateau::rate);
        adam.set_learning_rate(learning_rate);
        let (penalty, moved) = self.workers.run(|| -> Result<_, TrainingError> {
            let (penalty, gradients) = with_magnitudes(module, gradients, l1)?;
            Ok((penalty, adam.step(module, gradients)))
        })?;
        self.module = moved;
        if let Some(plateau) = &mut self.plateau {
            plateau.observe(loss + penalty);
        }
        self.step += 1;
        self.judged = None;
        let seconds = started.elapsed().as_secs_f64();
        if !full && self.step.is_multiple_of(self.interval) {
            self.judge()?;
        }
        Ok(Some(Event::Step {
            step: self.step,
            steps: self.plan.settings.steps,
            loss,
            psnr_db: self.plan.psnr_db(loss),
            learning_rate,
            seconds: self.seconds(),
            samples_per_second: samples as f64 / seconds.max(f64::MIN_POSITIVE),
        }))
    }

    /// Judges the current weights, unless they have been.
    fn judge(&mut self) -> Result<(), TrainingError> {
        if self.judged.is_some() {
            return Ok(());
        }
        let (full, batches, engine, module) = (self.batches.is_full(), &self.batches, &mut self.engine, &self.module);
        let loss = self.workers.run(|| {
            if !full {
                engine.load(batches.evaluation()?)?;
            }
            engine.loss(module)
        })?;
        self.check_loss(loss)?;
        self.consider(loss);
        Ok(())
    }

    fn consider(&mut self, loss: f64) {
        self.judged = Some(loss);
        if self.best.as_ref().is_none_or(|best| loss < best.loss) {
            self.best = Some(BestModule { step: self.step, loss, module: self.module.clone() });
        }
    }

    fn check_loss(&self, loss: f64) -> Result<(), TrainingError> {
        if loss.is_finite() {
            return Ok(());
        }
        let learning_rate = self.plan.settings.learning_rate;
        Err(TrainingError::Diverged { step: self.step, loss, learning_rate })
    }

    fn reached(&self, loss: f64) -> bool {
        self.plan.settings.psnr_db.is_some_and(|wanted| self.plan.psnr_db(loss) >= wanted)
    }

    fn seconds(&self) -> f64 {
        self.seconds_before + self.clock.elapsed().as_secs_f64()
    }

    fn save(&self, settings: &CheckpointSettings, on_event: &mut dyn FnMut(Event)) -> Result<(), TrainingError> {
        let (shared, local) = self.module.to_arrays()?;
        let best = match &self.best {
            Some(best) => {
                let (shared, local) = best.module.to_arrays()?;
                Some(Best { step: best.step, loss: best.loss, shared, local })
            }
            None => None,
        };
        let checkpoint = Checkpoint {
            plan: self.facts.clone(),
            step: self.step,
            seconds: self.seconds(),
            shared,
            local,
            moments: self.adam.moments()?,
            best,
            plateau: self.plateau.as_ref().map(Plateau::state),
            group: None,
        };
        checkpoint.save(&settings.path)?;
        on_event(Event::CheckpointSaved { step: self.step, path: settings.path.clone() });
        Ok(())
    }
}

/// `l1` times the sum of all magnitudes of `module`'s weights, and the gradients with its derivative added.
fn with_magnitudes(module: &FieldModule, gradients: Gradients, l1: f64) -> Result<(f64, Gradients), TrainingError> {
    if l1 == 0.0 {
        return Ok((0.0, gradients));
    }
    let Gradients { shared, local } = gradients;
    let mut magnitudes = module.local().abs().sum();
    let local = local + module.local().sign().mul_scalar(l1);
    let shared = match (shared, module.shared()) {
        (Some(gradient), Some(weights)) => {
            magnitudes = magnitudes + weights.clone().abs().sum();
            Some(gradient + weights.sign().mul_scalar(l1))
        }
        (gradient, _) => gradient,
    };
    let sum = read(magnitudes)?.first().copied().unwrap_or(0.0);
    Ok((l1 * f64::from(sum), Gradients { shared, local }))
}
