//! Training events for people (a bar on a terminal, a line now and then elsewhere) and for programs (JSON lines), all
//! on stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};
use serde_json::json;

use crate::arguments::ProgressStyle;
use crate::report::{duration, finite, grouped};
use crate::training::Event;

/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows the events of one training run.
#[derive(Debug)]
pub struct Progress {
    how: How,
}

#[derive(Debug)]
enum How {
    Bar { bar: ProgressBar, first: Option<(u64, Instant)> },
    Lines { last: Instant, first: Option<(u64, Instant)> },
    Json,
    Silent,
}

impl Progress {
    /// As the user asked; `quiet` silences what was not asked for.
    pub fn new(style: ProgressStyle, quiet: bool, steps: u64) -> Self {
        let how = match style {
            ProgressStyle::Json => How::Json,
            ProgressStyle::None => How::Silent,
            ProgressStyle::Auto if quiet => How::Silent,
            ProgressStyle::Auto if io::stderr().is_terminal() => How::Bar { bar: bar(steps), first: None },
            ProgressStyle::Auto => How::Lines { last: Instant::now(), first: None },
        };
        Self { how }
    }

    /// Shows an event.
    pub fn event(&mut self, event: &Event) {
        match &mut self.how {
            How::Silent => {}
            How::Json => json_line(event),
            How::Bar { bar, first } => match event {
                Event::Started { device, engine, first_step } => {
                    bar.set_position(*first_step);
                    bar.println(started(device, engine, *first_step));
                }
                Event::Step { step, steps, psnr_db, samples_per_second, .. } => {
                    bar.set_length(*steps);
                    bar.set_position(*step);
                    bar.set_message(format!(
                        "{psnr_db:.2} dB  {}  {}",
                        speed(*samples_per_second),
                        left(first, *step, *steps)
                    ));
                }
                _ => {}
            },
            How::Lines { last, first } => match event {
                Event::Started { device, engine, first_step } => line(&started(device, engine, *first_step)),
                Event::Step { step, steps, psnr_db, samples_per_second, .. } => {
                    let rest = left(first, *step, *steps);
                    if last.elapsed() >= LINE_EVERY {
                        *last = Instant::now();
                        line(&format!(
                            "step {step} of {steps}  {psnr_db:.2} dB  {}  {rest}",
                            speed(*samples_per_second)
                        ));
                    }
                }
                Event::CheckpointSaved { .. } | Event::Snapshot { .. } => {}
            },
        }
    }

    /// Clears the bar.
    pub fn finish(&mut self) {
        if let How::Bar { bar, .. } = &self.how {
            bar.finish_and_clear();
        }
    }
}

fn bar(steps: u64) -> ProgressBar {
    // Ten redraws a second: a small picture makes thousands of steps in one.
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr_with_hz(10));
    if let Ok(style) = BarStyle::with_template("{bar:24.cyan/black.bright} {pos:>5}/{len}  {msg}") {
        bar.set_style(style.progress_chars("━━╌"));
    }
    bar
}

fn started(device: &str, engine: &str, first_step: u64) -> String {
    let resumed = if first_step > 0 { format!(", going on from step {first_step}") } else { String::new() };
    format!("training on {device}, {engine} engine{resumed}")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive and far below 2^63")]
fn speed(samples_per_second: f64) -> String {
    if samples_per_second >= 1e6 {
        format!("{:.1} M samples/s", samples_per_second / 1e6)
    } else {
        format!("{} samples/s", grouped(samples_per_second as u64))
    }
}

/// Time left at the mean speed of this run, resumed steps left out.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn left(first: &mut Option<(u64, Instant)>, step: u64, steps: u64) -> String {
    let (from, since) = *first.get_or_insert((step, Instant::now()));
    if step <= from || step >= steps {
        return String::new();
    }
    let per_step = since.elapsed().as_secs_f64() / (step - from) as f64;
    format!("{} left", duration(per_step * steps.saturating_sub(step) as f64))
}

fn line(text: &str) {
    // Nothing can be done about a closed stderr.
    let _ = writeln!(io::stderr(), "{text}");
}

fn json_line(event: &Event) {
    let value = match event {
        Event::Started { device, engine, first_step } => {
            json!({ "event": "started", "device": device, "engine": engine, "first_step": first_step })
        }
        Event::Step { step, steps, loss, psnr_db, learning_rate, seconds, samples_per_second } => json!({
            "event": "step", "step": step, "steps": steps, "loss": loss, "psnr_db": finite(*psnr_db),
            "learning_rate": learning_rate, "seconds": seconds, "samples_per_second": samples_per_second,
        }),
        Event::Snapshot { .. } => return,
        Event::CheckpointSaved { step, path } => {
            json!({ "event": "checkpoint-saved", "step": step, "path": path })
        }
    };
    line(&value.to_string());
}
