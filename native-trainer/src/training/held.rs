//! The default loop: the global network keeps its start weights, and what it adds to the merges is computed once.
//!
//! A step then costs a nineteenth of a full one, and once the merge stands still as well, partitions do not know of each
//! other: they are trained in *groups*, one group after the other, of as many partitions as
//! fit in 96 MiB. The first group is spread over the whole signal and trains the merge along (its local part and biases,
//! by Adam); the others take the merge as it is. Local networks move by [`Soap`]. Rates fall in a line to zero. The
//! measurements that led here are in `docs/benchmarks.md`.
//!
//! Steps take turns with shares of every partition's samples, two without other settings: twice the steps for the same
//! work gain 1.4 dB on pictures. Every fifth step visits places between the samples instead. The weights are judged on
//! all samples at the end, and now and then before, in case they were better. Where time is limited, every group gets its
//! share of what is left, and the rates fall with the share that is used up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tessera_core::eval::cpu::training::{Batch, EncodedBatch, Held, Holding, LossAndGradients, Step};
use tessera_core::field::Field;
use tessera_core::signal::SignalKind;

use super::checkpoint::{Best, Group};
use super::device::OpenDevice;
use super::groups::{groups, turn};
use super::plan::{CheckpointSettings, Event, Outcome, StoppedBy, TrainingPlan};
use super::rounding::Rounding;
use super::setup::{Snapshots, Workers, facts};
use super::soap::{Rates, Soap};
use super::{Batches, Checkpoint, FusedAdam, Moments, TrainingError};

/// The last half of the judgements of a run are made.
const JUDGEMENTS: u64 = 8;
/// By how much a group exceeds a wanted PSNR before it stops, if others follow that may be harder.
const PSNR_MARGIN_DB: f64 = 1.0;
/// The merge's rate as a share of the local networks': all partitions move it together.
const MERGE_RATE: f64 = 1.0 / 30.0;
/// The last layer's weights grow to the contrast of the picture, ten times the size of hidden ones; wide layers, moved by Adam, bear a
/// tenth of the rate.
const RATES: Rates = Rates { last: 3.0, wide: 0.1 };

pub(super) struct HeldRun<'a> {
    plan: &'a TrainingPlan,
    start: &'a Field,
    workers: &'a Workers,
    device: String,
    batches: Batches<'a>,
    /// Places of partitions in the field's list of those that are present.
    groups: Vec<Vec<u32>>,
    /// All weights; those of the current group are in `current`.
    shared: Vec<f32>,
    local: Vec<f32>,
    done: Done,
    current: Option<Current>,
    facts: Vec<(String, String)>,
    rounding: Option<Rounding>,
    seconds_before: f64,
    clock: Instant,
    stopped_by: StoppedBy,
}

/// Sums over the groups that are finished.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    groups: usize,
    loss: f64,
    samples: u64,
    steps: u64,
    best_step: u64,
}

/// The group in training.
struct Current {
    shares: Vec<Share>,
    /// Places between the samples; their loss is not counted.
    between: Option<Share>,
    samples: u64,
    /// The last loss of every share; infinite before its first step.
    recent: Vec<f64>,
    local: Vec<f32>,
    step: u64,
    shared_adam: FusedAdam,
    soap: Soap,
    best: Option<Best>,
    started: f64,
}

/// A part of the samples of every partition of a group.
struct Share {
    batch: Batch,
    held: Option<Held>,
    encoded: Option<EncodedBatch>,
}

impl<'a> HeldRun<'a> {
    pub(super) fn new(
        plan: &'a TrainingPlan,
        start: &'a Field,
        device: &OpenDevice,
        workers: &'a Workers,
    ) -> Result<Self, TrainingError> {
        let settings = &plan.settings;
        if !device.is_cpu() {
            return Err(TrainingError::Engine(format!(
                "the held recipe serves the device `cpu`, not `{}`; choose the published recipe or `--device cpu`",
                device.choice
            )));
        }
        let mut run = Self {
            plan,
            start,
            workers,
            device: workers.describe(device),
            batches: Batches::new(&plan.grid, &plan.samples, 1.0, settings.seed),
            groups: groups(plan, start.present()),
            shared: start.shared().to_vec(),
            local: start.local().to_vec(),
            done: Done::default(),
            current: None,
            facts: Vec::new(),
            rounding: settings.rounding.as_ref().map(|rounding| Rounding::new(rounding, start, settings.seed)),
            seconds_before: 0.0,
            clock: Instant::now(),
            stopped_by: StoppedBy::Steps,
        };
        if let Some(checkpoint) = &settings.checkpoint {
            run.facts = facts(plan, start)?;
            if checkpoint.resume {
                run.resume(checkpoint)?;
            }
        }
        Ok(run)
    }

    pub(super) fn finish(
        mut self,
        stop: &AtomicBool,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Outcome, TrainingError> {
        self.clock = Instant::now();
        let first_step = self.steps_before().saturating_add(self.current.as_ref().map_or(0, |c| c.step));
        let engine = if self.plan.spec.has_global() { "fused, global network held" } else { "fused" };
        on_event(Event::Started { device: self.device.clone(), engine: engine.to_owned(), first_step });
        let checkpoint = self.plan.settings.checkpoint.clone();
        let mut saved_at = Instant::now();
        let mut snapshots = Snapshots::new(&self.plan.settings);
        if let Some(checkpoint) = &checkpoint {
            // At once, so that a path that cannot be written is found now and not after an hour.
            self.save(checkpoint, on_event)?;
        }
        while self.done.groups < self.groups.len() {
            if let Some(reason) = self.ended_before_group(stop) {
                self.stopped_by = reason;
                break;
            }
            let mut current = match self.current.take() {
                Some(current) => current,
                None => self.open(self.done.groups)?,
            };
            let due =
                |saved_at: Instant| checkpoint.as_ref().filter(|c| saved_at.elapsed().as_secs_f64() >= c.every_seconds);
            let reason = loop {
                if stop.load(Ordering::Relaxed) {
                    break StoppedBy::Interrupted;
                }
                let progress = self.progress(&current);
                if progress >= 1.0 {
                    let steps = current.step >= self.plan.settings.steps;
                    break if steps { StoppedBy::Steps } else { StoppedBy::MaxTime };
                }
                let Some(event) = self.advance(&mut current, progress)? else { break StoppedBy::Psnr };
                on_event(event);
                if snapshots.due() {
                    on_event(self.snapshot(&current)?);
                    snapshots.taken();
                }
                if let Some(checkpoint) = due(saved_at) {
                    current = self.save_with(current, checkpoint, on_event)?;
                    saved_at = Instant::now();
                }
            };
            // A run that may go on is saved before its last judgement, of which it must not know. With one group it may
            // go on after any early end; of several, the finished ones have nothing left to go on from.
            let goes_on = reason == StoppedBy::Interrupted || (reason != StoppedBy::Steps && self.groups.len() == 1);
            if goes_on && let Some(checkpoint) = &checkpoint {
                current = self.save_with(current, checkpoint, on_event)?;
            }
            if matches!(reason, StoppedBy::MaxTime | StoppedBy::Interrupted) {
                self.stopped_by = reason;
            }
            self.close(current)?;
            let last = self.done.groups == self.groups.len();
            if !goes_on && let Some(checkpoint) = if last { checkpoint.as_ref() } else { due(saved_at) } {
                self.save(checkpoint, on_event)?;
                saved_at = Instant::now();
            }
            if reason == StoppedBy::Interrupted {
                break;
            }
        }
        let all = self.done.groups == self.groups.len();
        // Groups that were not reached show their mean colours; their loss is not known.
        let loss = if all { self.done.loss / self.done.samples as f64 } else { f64::NAN };
        let psnr_db = self.plan.psnr_db(loss);
        if self.stopped_by == StoppedBy::Steps && self.plan.settings.psnr_db.is_some_and(|wanted| psnr_db >= wanted) {
            self.stopped_by = StoppedBy::Psnr;
        }
        Ok(Outcome {
            field: self.start.with_weights(self.shared.clone(), self.local.clone())?,
            steps: self.done.steps,
            seconds: self.seconds(),
            best_step: self.done.best_step,
            stopped_by: self.stopped_by,
            device: self.device,
            engine: engine.to_owned(),
            psnr_db,
        })
    }

    /// All weights as a file would hold them, those of the group in training in their places.
    fn snapshot(&self, current: &Current) -> Result<Event, TrainingError> {
        let mut local = self.local.clone();
        let size = self.local_size();
        let group = &self.groups[self.done.groups];
        let rounded = self.rounding.as_ref().map(|rounding| rounding.rounded(group, &current.local));
        for (&slot, weights) in group.iter().zip(rounded.as_ref().unwrap_or(&current.local).chunks_exact(size)) {
            local[slot as usize * size..][..size].copy_from_slice(weights);
        }
        let field = Box::new(self.start.with_weights(self.shared.clone(), local)?);
        Ok(Event::Snapshot { step: self.steps_before().saturating_add(current.step), field })
    }

    /// Why no further group begins. The first always does, so that a merge is there.
    fn ended_before_group(&self, stop: &AtomicBool) -> Option<StoppedBy> {
        if stop.load(Ordering::Relaxed) {
            return Some(StoppedBy::Interrupted);
        }
        let late = |limit: f64| self.done.groups > 0 && self.current.is_none() && self.seconds() >= limit;
        self.plan.settings.max_seconds.filter(|&limit| late(limit)).map(|_| StoppedBy::MaxTime)
    }

    /// [`Self::save`] with a group in training.
    fn save_with(
        &mut self,
        current: Current,
        settings: &CheckpointSettings,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Current, TrainingError> {
        self.current = Some(current);
        self.save(settings, on_event)?;
        self.current.take().ok_or_else(|| TrainingError::Engine("the group in training is gone".to_owned()))
    }

    /// Steps of all groups before the current one, as progress counts them.
    fn steps_before(&self) -> u64 {
        (self.done.groups as u64).saturating_mul(self.plan.settings.steps)
    }

    /// Begins a group.
    fn open(&self, index: usize) -> Result<Current, TrainingError> {
        let group = &self.groups[index];
        let partitions: Vec<u32> = group.iter().map(|&slot| self.start.present()[slot as usize]).collect();
        let count = self.plan.settings.shares as usize;
        let dealt = self.batches.shares_of(&partitions, count)?;
        // Partitions of a single sample leave nothing for the second share.
        let shares: Vec<Share> = dealt
            .into_iter()
            .filter(|batch| batch.samples() > 0)
            .map(|batch| self.share(batch))
            .collect::<Result<_, _>>()?;
        let local = self.gathered(index);
        // Sound is heard at its own rate, and near half that rate a cubic is no guide to what lies between the samples.
        let sound = self.plan.samples.info().kind == SignalKind::Sound;
        let between = (!sound && !self.plan.spec.is_encoded())
            .then(|| self.share(self.batches.between_of(&partitions, count)?))
            .transpose()?;
        Ok(Current {
            between,
            samples: self.samples(group),
            recent: vec![f64::INFINITY; shares.len()],
            shares,
            step: 0,
            shared_adam: FusedAdam::new(self.shared.len()),
            soap: Soap::new(&self.plan.spec.local_layers(), group.len(), RATES),
            local,
            best: None,
            started: self.seconds(),
        })
    }

    fn share(&self, batch: Batch) -> Result<Share, TrainingError> {
        let spec = &self.plan.spec;
        if !spec.has_global() || batch.samples() == 0 {
            let encoded = EncodedBatch::new(spec, &batch)?;
            return Ok(Share { batch, held: None, encoded });
        }
        let holding = Holding::new(spec, &self.shared, &batch)?;
        let parts: Vec<_> =
            self.workers.run(|| (0..holding.tasks()).into_par_iter().map(|task| holding.run(task)).collect());
        let held = Some(Holding::finish(parts));
        Ok(Share { batch, held, encoded: None })
    }

    /// The share of the group's work that is done, by steps or by time, whichever is more.
    fn progress(&self, current: &Current) -> f64 {
        let settings = &self.plan.settings;
        let by_steps = current.step as f64 / settings.steps.max(1) as f64;
        let by_time = settings.max_seconds.map_or(0.0, |limit| {
            let left: u64 = self.groups[self.done.groups..].iter().map(|group| self.samples(group)).sum();
            let share = current.samples as f64 / left.max(1) as f64;
            let budget = (limit - current.started).max(0.0) * share;
            if budget > 0.0 { (self.seconds() - current.started) / budget } else { 1.0 }
        });
        if settings.steps == 0 { 1.0 } else { by_steps.max(by_time) }
    }

    fn samples(&self, group: &[u32]) -> u64 {
        group.iter().map(|&slot| self.plan.grid.partition_samples(self.start.present()[slot as usize])).sum()
    }

    /// One update; `None` where the weights turn out to be good enough already.
    fn advance(&mut self, current: &mut Current, progress: f64) -> Result<Option<Event>, TrainingError> {
        let started = Instant::now();
        if let Some(rounding) = self.rounding.as_mut().filter(|_| current.step == 0) {
            rounding.begin(&self.groups[self.done.groups], &current.local)?;
            // What rounded training begins with may be the best it sees.
            self.judge(current)?;
        }
        let settings = &self.plan.settings;
        let turn = turn(current.step, current.shares.len(), current.between.is_some());
        let share = match (turn, &current.between) {
            (None, Some(between)) => between,
            (part, _) => &current.shares[part.unwrap_or_default()],
        };
        let visited = share.batch.samples() as f64;
        let LossAndGradients { loss, shared, mut local } = self.evaluate(current, share)?;
        if let Some(part) = turn {
            current.recent[part] = loss;
        }
        let recent = current.recent_loss();
        let interval = (settings.steps / JUDGEMENTS).max(1);
        let seems_reached = settings.psnr_db.is_some_and(|wanted| self.reached(current.samples, recent, wanted));
        if seems_reached || (progress >= 0.5 && current.step.is_multiple_of(interval)) {
            let exact = self.judge(current)?;
            if settings.psnr_db.is_some_and(|wanted| self.reached(current.samples, exact, wanted)) {
                return Ok(None);
            }
        }
        // By the same progress as the fall, so that limited time sees both.
        let warm = ((progress * settings.steps as f64 + 1.0) / settings.warm_up.max(1) as f64).min(1.0);
        let rate = settings.learning_rate * warm * (1.0 - progress);
        if let Some(rounding) = &self.rounding {
            rounding.pull(&self.groups[self.done.groups], current.samples, &current.local, &mut local);
        }
        let Current { soap, local: weights, .. } = current;
        self.workers.run(|| soap.step(weights, &local, rate));
        if let Some(rounding) = &mut self.rounding {
            self.workers.run(|| rounding.follow(&self.groups[self.done.groups], weights))?;
        }
        if self.done.groups == 0 && self.rounding.is_none() {
            // What is held has no gradient, so this moves the rest of the merge.
            current.shared_adam.step(&mut self.shared, &shared, rate * MERGE_RATE);
        }
        current.step += 1;
        let loss = if recent.is_finite() { recent } else { loss };
        let mean = (self.done.loss + loss * current.samples as f64) / (self.done.samples + current.samples) as f64;
        Ok(Some(Event::Step {
            step: self.steps_before().saturating_add(current.step),
            steps: (self.groups.len() as u64).saturating_mul(settings.steps),
            loss: mean,
            psnr_db: self.plan.psnr_db(mean),
            learning_rate: rate,
            seconds: self.seconds(),
            samples_per_second: visited / started.elapsed().as_secs_f64().max(f64::MIN_POSITIVE),
        }))
    }

    /// Whether a group may stop: the whole is good enough so far, and this group by a margin for those that follow.
    fn reached(&self, samples: u64, loss: f64, wanted: f64) -> bool {
        let mean = (self.done.loss + loss * samples as f64) / (self.done.samples + samples) as f64;
        let last = self.done.groups + 1 == self.groups.len();
        self.plan.psnr_db(mean) >= wanted && (last || self.plan.psnr_db(loss) >= wanted + PSNR_MARGIN_DB)
    }

    fn evaluate(&self, current: &Current, share: &Share) -> Result<LossAndGradients, TrainingError> {
        let Share { batch, held, encoded } = share;
        let spec = &self.plan.spec;
        let group = &self.groups[self.done.groups];
        let rounded = self.rounding.as_ref().map(|r| self.workers.run(|| r.rounded(group, &current.local)));
        let local = rounded.as_ref().unwrap_or(&current.local);
        let step = match held {
            Some(held) => Step::with_held(spec, &self.shared, local, batch, held)?,
            None => Step::with_encoded(spec, &self.shared, local, batch, encoded.as_ref())?,
        };
        let total = self.workers.run(|| {
            let results: Vec<_> = (0..step.tasks()).into_par_iter().map(|task| step.run(task)).collect();
            step.finish(results)
        });
        if total.loss.is_finite() {
            return Ok(total);
        }
        let learning_rate = self.plan.settings.learning_rate;
        Err(TrainingError::Diverged { step: current.step, loss: total.loss, learning_rate })
    }

    /// The exact loss of the current weights, which are kept if they are the best.
    fn judge(&self, current: &mut Current) -> Result<f64, TrainingError> {
        let mut loss = 0.0;
        for share in &current.shares {
            loss += self.evaluate(current, share)?.loss * share.batch.samples() as f64 / current.samples as f64;
        }
        let group = &self.groups[self.done.groups];
        let fits = |local: &[f32]| self.rounding.as_ref().map_or(Ok(true), |rounding| rounding.fits(group, local));
        // Of weights that take too much room the last are taken, as they come nearest.
        let better = match &current.best {
            Some(best) => !fits(&best.local)? || (loss < best.loss && fits(&current.local)?),
            None => true,
        };
        if better {
            let (shared, local) = (self.shared.clone(), current.local.clone());
            current.best = Some(Best { step: current.step, loss, shared, local });
        }
        Ok(loss)
    }

    /// Judges the group's last weights and keeps its best.
    fn close(&mut self, mut current: Current) -> Result<(), TrainingError> {
        self.judge(&mut current)?;
        let Some(best) = current.best else {
            return Err(TrainingError::Engine("no weights were judged".to_owned()));
        };
        self.shared = best.shared;
        let size = self.local_size();
        for (&slot, weights) in self.groups[self.done.groups].iter().zip(best.local.chunks_exact(size)) {
            self.local[slot as usize * size..][..size].copy_from_slice(weights);
        }
        self.done.groups += 1;
        self.done.loss += best.loss * current.samples as f64;
        self.done.samples += current.samples;
        self.done.steps = self.done.steps.max(current.step);
        self.done.best_step = self.done.best_step.max(best.step);
        Ok(())
    }

    fn local_size(&self) -> usize {
        self.local.len() / self.start.present().len()
    }

    /// The local weights of a group.
    fn gathered(&self, index: usize) -> Vec<f32> {
        let size = self.local_size();
        self.groups[index].iter().flat_map(|&slot| &self.local[slot as usize * size..][..size]).copied().collect()
    }

    fn seconds(&self) -> f64 {
        self.seconds_before + self.clock.elapsed().as_secs_f64()
    }

    fn save(&self, settings: &CheckpointSettings, on_event: &mut dyn FnMut(Event)) -> Result<(), TrainingError> {
        let mut local = self.local.clone();
        let (mut step, mut moments, mut best) = (0, Moments::default(), None);
        if let Some(current) = &self.current {
            let size = self.local_size();
            for (&slot, weights) in self.groups[self.done.groups].iter().zip(current.local.chunks_exact(size)) {
                local[slot as usize * size..][..size].copy_from_slice(weights);
            }
            let (shared_first, shared_second) = current.shared_adam.moments();
            step = current.step;
            best = current.best.clone();
            moments = Moments {
                shared_first: shared_first.to_vec(),
                shared_second: shared_second.to_vec(),
                local_first: current.soap.state().to_vec(),
                local_second: Vec::new(),
            };
        }
        let recent = self.current.as_ref().map_or(&[][..], |current| &current.recent);
        let recent_bits = recent.iter().map(|loss| loss.to_bits()).collect();
        let started_bits = self.current.as_ref().map_or(0, |current| current.started.to_bits());
        let Done { groups, loss, samples, steps, best_step } = self.done;
        let checkpoint = Checkpoint {
            plan: self.facts.clone(),
            step,
            seconds: self.seconds(),
            shared: self.shared.clone(),
            local,
            moments,
            best,
            plateau: None,
            group: Some(Group {
                index: groups,
                loss_bits: loss.to_bits(),
                samples,
                steps,
                best_step,
                recent_bits,
                started_bits,
            }),
        };
        checkpoint.save(&settings.path)?;
        on_event(Event::CheckpointSaved {
            step: self.steps_before().saturating_add(step),
            path: settings.path.clone(),
        });
        Ok(())
    }

    fn resume(&mut self, settings: &CheckpointSettings) -> Result<(), TrainingError> {
        let path = &settings.path;
        let Some(saved) = Checkpoint::load(path)? else { return Ok(()) };
        saved.check_plan(path, &self.facts)?;
        let unfit = |reason: &str| TrainingError::Checkpoint { path: path.clone(), reason: reason.to_owned() };
        let Some(group) = saved.group else { return Err(unfit("it does not say which partitions it trains")) };
        if saved.shared.len() != self.shared.len() || saved.local.len() != self.local.len() {
            return Err(unfit("its weights do not suit the network"));
        }
        (self.shared, self.local, self.seconds_before) = (saved.shared, saved.local, saved.seconds);
        self.done = Done {
            groups: group.index,
            loss: f64::from_bits(group.loss_bits),
            samples: group.samples,
            steps: group.steps,
            best_step: group.best_step,
        };
        if group.index >= self.groups.len() || saved.step == 0 {
            return Ok(());
        }
        let mut current = self.open(group.index)?;
        let Moments { shared_first, shared_second, local_first, .. } = saved.moments;
        let fits = group.recent_bits.len() == current.recent.len()
            && [&shared_first, &shared_second].iter().all(|m| m.len() == self.shared.len())
            && saved
                .best
                .as_ref()
                .is_none_or(|best| best.shared.len() == self.shared.len() && best.local.len() == current.local.len());
        let soap = current.soap.restored(local_first, saved.step);
        let (true, Some(soap)) = (fits, soap) else {
            return Err(unfit("its moments do not suit the network"));
        };
        current.soap = soap;
        current.step = saved.step;
        current.started = f64::from_bits(group.started_bits);
        current.recent = group.recent_bits.iter().map(|&bits| f64::from_bits(bits)).collect();
        current.best = saved.best;
        current.shared_adam = FusedAdam::restored(shared_first, shared_second, saved.step);
        self.current = Some(current);
        Ok(())
    }
}

impl Current {
    /// The loss over all shares as their last steps saw it.
    fn recent_loss(&self) -> f64 {
        let part = |(loss, share): (&f64, &Share)| loss * share.batch.samples() as f64 / self.samples as f64;
        self.recent.iter().zip(&self.shares).map(part).sum()
    }
}
