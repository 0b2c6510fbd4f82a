//! The training loop: stop conditions, determinism, and runs that are interrupted and continued.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{small_plan, small_shape_plan};
use tessera::samples::Samples;
use tessera::training::{
    CheckpointSettings, EngineChoice, Event, Outcome, Recipe, Settings, StoppedBy, TrainingError, TrainingPlan, train,
};
use tessera_core::field::{Activation, Encoding, FieldSpec};

fn run(plan: &TrainingPlan) -> Outcome {
    train(plan, &AtomicBool::new(false), &mut |_| {}).unwrap()
}

fn with(plan: &TrainingPlan, change: impl FnOnce(&mut Settings)) -> TrainingPlan {
    let mut plan = plan.clone();
    change(&mut plan.settings);
    plan
}

/// Every kind of run that a checkpoint must be able to continue.
fn plans() -> Vec<TrainingPlan> {
    let mut plans = Vec::new();
    for engine in [EngineChoice::Fused, EngineChoice::General] {
        for fraction in [1.0, 0.3] {
            plans.push(small_plan(FieldSpec::local_global(2, 3, 6, 10), engine, fraction));
        }
        plans.push(small_plan(FieldSpec::per_partition(2, 3, 7), engine, 1.0));
        plans.push(small_plan(FieldSpec::siren(2, 3, 12), engine, 0.5));
    }
    // As published for compression, with a rate that falls several times in these few steps.
    for engine in [EngineChoice::Fused, EngineChoice::General] {
        plans.push(compression_plan(engine));
    }
    let relu = FieldSpec {
        encoding: Encoding::Gauss { scale: 2.0, frequencies: 9, seed: 4 },
        activation: Activation::Relu,
        ..FieldSpec::per_partition(2, 3, 7)
    };
    plans.push(small_plan(relu, EngineChoice::Fused, 0.3));
    // One group; three of them; nothing to hold.
    plans.push(held_plan(FieldSpec::local_global(2, 3, 6, 10), None));
    plans.push(held_plan(FieldSpec::local_global(2, 3, 6, 10), Some(150)));
    plans.push(held_plan(FieldSpec::per_partition(2, 3, 7), Some(200)));
    // A shape of which a third has no network: both recipes, whole and drawn batches, in groups, in more shares.
    let shape = |recipe, engine, fraction, group_samples| {
        let plan = small_shape_plan(engine);
        with(&plan, |s| {
            (s.recipe, s.learning_rate, s.sample_fraction) = (recipe, 3e-3, fraction);
            (s.group_samples, s.shares) = (group_samples, 3);
        })
    };
    plans.push(shape(Recipe::Held, EngineChoice::Fused, 1.0, None));
    plans.push(shape(Recipe::Held, EngineChoice::Fused, 1.0, Some(200)));
    plans.push(shape(Recipe::Published, EngineChoice::Fused, 1.0, None));
    plans.push(shape(Recipe::Published, EngineChoice::General, 0.4, None));
    plans
}

#[test]
fn only_partitions_with_anything_in_them_get_a_network() {
    let plan = small_shape_plan(EngineChoice::Fused);
    assert_eq!((plan.present(), plan.empty()), ((0..8).collect(), (8..12).collect()));
    let outcome = run(&with(&plan, |s| s.steps = 1));
    assert_eq!((outcome.field.present(), outcome.field.empty()), (&plan.present()[..], &plan.empty()[..]));
    let emptied = |plan: &TrainingPlan| {
        let Samples::Memory(mut signal) = plan.samples.clone() else { panic!("a small plan lies in memory") };
        signal.values.fill(0.0);
        TrainingPlan { samples: signal.into(), ..plan.clone() }
    };
    let nothing = emptied(&plan);
    let refused = train(&nothing, &AtomicBool::new(false), &mut |_| {});
    assert!(matches!(refused, Err(TrainingError::Settings(reason)) if reason.contains("nothing in the signal")));
    // Others have all, whatever their values.
    let picture = small_plan(FieldSpec::per_partition(2, 3, 7), EngineChoice::Fused, 1.0);
    assert_eq!(emptied(&picture).present().len(), 12);
}

fn compression_plan(engine: EngineChoice) -> TrainingPlan {
    let encoding = Encoding::Nerf { scale: 1.4, frequencies: 8 };
    let plan = small_plan(FieldSpec { encoding, ..FieldSpec::siren(2, 3, 12) }, engine, 1.0);
    with(&plan, |s| (s.learning_rate, s.l1, s.patience) = (1e-2, 1e-5, Some(2)))
}

/// At this rate the loss comes to rest soon: with patience the rate falls and the loss goes on down.
#[test]
fn a_resting_loss_lowers_the_rate_and_ends_training() {
    let plan = with(&compression_plan(EngineChoice::Fused), |s| (s.steps, s.learning_rate) = (300, 3e-2));
    let constant = run(&with(&plan, |s| s.patience = None));
    let mut rates = Vec::new();
    let falling = train(&with(&plan, |s| s.patience = Some(5)), &AtomicBool::new(false), &mut |event| {
        if let Event::Step { learning_rate, .. } = event {
            rates.push(learning_rate);
        }
    })
    .unwrap();
    rates.dedup();
    assert!(rates.len() > 3 && rates.windows(2).all(|pair| pair[1] == pair[0] / 2.0), "{rates:?}");
    assert!(falling.psnr_db > constant.psnr_db + 1.0, "{} and {} dB", falling.psnr_db, constant.psnr_db);
    // At a constant rate it goes up and down; a falling one would find a slightly better place for ever.
    let stopped = run(&with(&plan, |s| (s.steps, s.patience, s.early_stop) = (20_000, None, Some(40))));
    assert_eq!(stopped.stopped_by, StoppedBy::EarlyStop);
    // The weights at the end are judged as well, and might be the best ones.
    let since = stopped.steps - stopped.best_step;
    assert!(since == 40 || since == 0, "{since} steps");
}

#[test]
fn the_sum_of_magnitudes_shrinks_the_weights() {
    let magnitudes = |l1: f64| {
        let plan = with(&compression_plan(EngineChoice::Fused), |s| {
            (s.steps, s.learning_rate, s.l1, s.patience) = (150, 1e-3, l1, None);
        });
        let field = run(&plan).field;
        field.shared().iter().chain(field.local()).map(|w| f64::from(w.abs())).sum::<f64>()
    };
    let (free, bound) = (magnitudes(0.0), magnitudes(1e-2));
    assert!(bound < 0.9 * free, "{bound} and {free}");
}

fn held_plan(spec: FieldSpec, group_samples: Option<u64>) -> TrainingPlan {
    let plan = small_plan(spec, EngineChoice::Fused, 1.0);
    with(&plan, |s| (s.recipe, s.learning_rate, s.group_samples) = (Recipe::Held, 6e-3, group_samples))
}

fn checkpoint(path: &Path, resume: bool) -> Option<CheckpointSettings> {
    Some(CheckpointSettings { path: path.to_owned(), every_seconds: 0.0, resume })
}

#[test]
fn training_learns_and_keeps_the_best_weights() {
    for plan in plans() {
        let untrained = run(&with(&plan, |s| s.steps = 0));
        assert_eq!((untrained.steps, untrained.best_step), (0, 0));
        let trained = run(&with(&plan, |s| s.steps = 120));
        let gain = trained.psnr_db - untrained.psnr_db;
        assert!(gain > 1.0, "{} {}: {gain} dB", plan.spec.model.name(), plan.settings.engine);
        // What is claimed of the weights is true of the weights.
        let decoded =
            tessera_core::eval::reference::decode(&trained.field, &tessera_core::eval::View::full(&plan.grid)).unwrap();
        let values = plan.samples.of_box(&plan.grid.canvas()).unwrap();
        let pairs = decoded.iter().zip(&values).filter(|(a, _)| !a.is_nan());
        let squares = pairs.clone().map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        let psnr_db = plan.psnr_db(squares / pairs.count() as f64);
        assert!((psnr_db - trained.psnr_db).abs() < 1e-3, "{psnr_db} dB measured, {} dB claimed", trained.psnr_db);
    }
}

#[test]
fn the_same_seed_gives_the_same_weights_and_threads_do_not_matter_to_the_fused_engine() {
    for plan in plans() {
        let plan = with(&plan, |s| s.threads = Some(2));
        let first = run(&plan);
        assert_eq!(first.field, run(&plan).field, "{} {}", plan.spec.model.name(), plan.settings.engine);
        assert_ne!(first.field, run(&with(&plan, |s| s.seed += 1)).field);
        if plan.settings.engine == EngineChoice::Fused {
            for threads in [1, 3] {
                assert_eq!(first.field, run(&with(&plan, |s| s.threads = Some(threads))).field, "{threads} threads");
            }
        }
    }
}

#[test]
fn an_interrupted_run_continues_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    for (index, plan) in plans().into_iter().enumerate() {
        let whole = run(&plan);
        for after in [1, 17, 40, 65] {
            if after > 40 && plan.settings.group_samples.is_none() {
                continue;
            }
            let path = folder.path().join(format!("{index}-{after}"));
            let stop = AtomicBool::new(false);
            let plan = with(&plan, |s| s.checkpoint = checkpoint(&path, true));
            let part = train(&plan, &stop, &mut |event| {
                if matches!(event, Event::Step { step, .. } if step == after) {
                    stop.store(true, Ordering::Relaxed);
                }
            })
            .unwrap();
            // In groups, steps count across them, and an outcome says how many the longest took.
            let groups = plan.settings.group_samples.is_some();
            assert!(groups || part.steps == after);
            assert_eq!(part.stopped_by, StoppedBy::Interrupted);
            let mut first_step = None;
            let rest = train(&plan, &AtomicBool::new(false), &mut |event| {
                if let Event::Started { first_step: first, .. } = event {
                    first_step = Some(first);
                }
            })
            .unwrap();
            assert_eq!(first_step, Some(after));
            assert_eq!((rest.steps, rest.best_step), (whole.steps, whole.best_step));
            assert_eq!(rest.field, whole.field, "{} {}", plan.spec.model.name(), plan.settings.engine);
            assert_eq!(rest.psnr_db.to_bits(), whole.psnr_db.to_bits());
        }
    }
}

const VICTIM: &str = "TESSERA_TEST_VICTIM";

fn victim_plan(kind: usize) -> TrainingPlan {
    let fraction = if kind == 0 { 1.0 } else { 0.3 };
    let plan = small_plan(FieldSpec::local_global(2, 3, 6, 10), EngineChoice::Fused, fraction);
    with(&plan, |s| s.steps = 400)
}

/// Not a test of its own: the process that [`a_killed_process_continues_bit_for_bit`] kills.
#[test]
fn victim() {
    let Ok(task) = std::env::var(VICTIM) else { return };
    let (kind, path) = task.split_once(':').unwrap();
    let plan = with(&victim_plan(kind.parse().unwrap()), |s| s.checkpoint = checkpoint(Path::new(path), true));
    run(&plan);
}

#[test]
#[cfg(unix)]
fn a_killed_process_continues_bit_for_bit() {
    use std::os::unix::process::ExitStatusExt;

    let folder = tempfile::tempdir().unwrap();
    for kind in [0, 1] {
        let path = folder.path().join(format!("killed-{kind}"));
        let mut kills = 0;
        for attempt in 0_u64.. {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "victim", "--test-threads", "1"])
                .env(VICTIM, format!("{kind}:{}", path.display()))
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            // A little longer each time, so that the run ends whatever the speed of the machine.
            std::thread::sleep(Duration::from_millis(40 + 23 * attempt * attempt));
            child.kill().unwrap();
            let status = child.wait().unwrap();
            if status.signal().is_some() {
                kills += 1;
                continue;
            }
            assert!(status.success());
            break;
        }
        assert!(kills > 0, "the process was never killed");
        let plan = victim_plan(kind);
        let resumed = run(&with(&plan, |s| s.checkpoint = checkpoint(&path, true)));
        let whole = run(&plan);
        assert_eq!((resumed.steps, resumed.field), (400, whole.field), "after {kills} kills");
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let plan = small_plan(FieldSpec::per_partition(2, 3, 4), EngineChoice::Auto, 1.0);
    let plan = with(&plan, |s| (s.steps, s.checkpoint) = (3, checkpoint(&path, true)));
    run(&plan);
    let refusal = |plan: &TrainingPlan| train(plan, &AtomicBool::new(false), &mut |_| {}).unwrap_err();
    let other_rate = refusal(&with(&plan, |s| s.learning_rate = 1e-3));
    assert!(matches!(&other_rate, TrainingError::CheckpointOfAnotherRun { what, .. } if what == "learning rate"));
    assert!(other_rate.to_string().contains("0.0005") && other_rate.to_string().contains("0.001"), "{other_rate}");
    let mut other_signal = plan.clone();
    let Samples::Memory(signal) = &mut other_signal.samples else { panic!("a small picture lies in memory") };
    signal.values[5] += 0.01;
    assert!(refusal(&other_signal).to_string().contains("content of the signal"));
    // Going on for longer is the same run.
    assert_eq!(run(&with(&plan, |s| s.steps = 5)).steps, 5);
    // A damaged file is not silently started over.
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() - 40;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(refusal(&plan), TrainingError::Checkpoint { .. }));
    // Not resuming starts over.
    assert_eq!(run(&with(&plan, |s| s.checkpoint = checkpoint(&path, false))).steps, 3);
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent-folder/run");
    let plan = small_plan(FieldSpec::per_partition(2, 3, 4), EngineChoice::Auto, 1.0);
    let plan = with(&plan, |s| (s.steps, s.checkpoint) = (u64::MAX, checkpoint(&path, false)));
    let refusal = train(&plan, &AtomicBool::new(false), &mut |_| {}).unwrap_err();
    assert!(matches!(refusal, TrainingError::Checkpoint { .. }), "{refusal}");
}

#[test]
fn whatever_comes_first_ends_training() {
    let spec = || FieldSpec::local_global(2, 3, 8, 10);
    for plan in [1.0, 0.3]
        .map(|fraction| small_plan(spec(), EngineChoice::Auto, fraction))
        .into_iter()
        .chain([None, Some(100)].map(|group| held_plan(spec(), group)))
    {
        let start = run(&with(&plan, |s| s.steps = 0)).psnr_db;
        let good = run(&with(&plan, |s| (s.steps, s.psnr_db) = (100_000, Some(start + 1.0))));
        assert_eq!(good.stopped_by, StoppedBy::Psnr);
        assert!(good.psnr_db >= start + 1.0 && good.steps < 2_000, "{} dB after {} steps", good.psnr_db, good.steps);
        let brief = run(&with(&plan, |s| (s.steps, s.max_seconds) = (u64::MAX, Some(0.2))));
        assert_eq!(brief.stopped_by, StoppedBy::MaxTime);
        assert!(brief.seconds >= 0.2 && brief.seconds < 5.0 && brief.steps > 0);
        let stopped = train(&plan, &AtomicBool::new(true), &mut |_| {}).unwrap();
        assert_eq!((stopped.stopped_by, stopped.steps), (StoppedBy::Interrupted, 0));
    }
}

#[test]
fn a_reached_target_stays_reached_when_the_run_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let spec = || FieldSpec::local_global(2, 3, 8, 10);
    for (name, plan) in [
        ("full", small_plan(spec(), EngineChoice::Auto, 1.0)),
        ("sampled", small_plan(spec(), EngineChoice::Auto, 0.3)),
        ("held", held_plan(spec(), Some(100))),
    ] {
        let path = folder.path().join(name);
        let start = run(&with(&plan, |s| s.steps = 0)).psnr_db;
        let plan = with(&plan, |s| {
            (s.steps, s.psnr_db, s.checkpoint) = (100_000, Some(start + 0.5), checkpoint(&path, true));
            if let Some(c) = &mut s.checkpoint {
                c.every_seconds = 1e9;
            }
        });
        let first = run(&plan);
        let again = run(&plan);
        assert_eq!((first.steps, first.field), (again.steps, again.field));
        assert_eq!(again.stopped_by, StoppedBy::Psnr);
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let plan = small_plan(FieldSpec::per_partition(2, 3, 4), EngineChoice::Auto, 1.0);
    for (change, word) in [
        ((|s| s.sample_fraction = 0.0) as fn(&mut Settings), "sample fraction"),
        (|s| s.sample_fraction = f64::NAN, "sample fraction"),
        (|s| s.learning_rate = -1.0, "learning rate"),
        (|s| s.max_seconds = Some(-1.0), "time limit"),
        (|s| s.psnr_db = Some(f64::NAN), "PSNR"),
        (|s| s.threads = Some(0), "thread"),
        (|s| s.l1 = f64::NAN, "magnitudes"),
        (|s| s.patience = Some(0), "patience"),
        (|s| (s.recipe, s.early_stop) = (Recipe::Held, Some(9)), "--early-stop"),
    ] {
        let refusal = train(&with(&plan, change), &AtomicBool::new(false), &mut |_| {}).unwrap_err();
        assert!(refusal.to_string().contains(word), "{refusal}");
    }
    let encoded = FieldSpec { encoding: Encoding::Nerf { scale: 2.0, frequencies: 2 }, ..plan.spec.clone() };
    let mut held = with(&plan, |s| s.recipe = Recipe::Held);
    held.spec = encoded;
    assert!(train(&held, &AtomicBool::new(false), &mut |_| {}).is_err());
    let mut unfit = plan;
    unfit.spec = FieldSpec::per_partition(2, 1, 4);
    assert!(train(&unfit, &AtomicBool::new(false), &mut |_| {}).is_err());
}
