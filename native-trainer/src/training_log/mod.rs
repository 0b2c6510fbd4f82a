//! `--log-dir`: a training run as TensorBoard shows it.
//!
//! | tag | what |
//! | --- | --- |
//! | `training/loss`, `training/psnr_db`, `training/learning_rate`, `training/samples_per_second` | every step, at most ten a second |
//! | `decoded`, `original` | the picture, the middle frame of a clip or the middle slice of a shape, at most 512 pixels wide and high; of a sound its first half minute |
//! | `written/...` | what the finished file reaches |

mod events;
mod preview;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tessera_core::field::Field;
use tessera_core::grid::SampleBox;
use tessera_core::signal::SignalInfo;

use self::events::{EventFile, Value};
use self::preview::Preview;
use crate::quality::Quality;
use crate::training::Event;

/// Time between two previews while training runs.
pub const PREVIEW_EVERY: Duration = Duration::from_secs(10);
/// Time between two points of the curves: a small picture makes thousands of steps a second.
const POINT_EVERY: Duration = Duration::from_millis(100);

/// The log of one run.
#[derive(Debug)]
pub struct TrainingLog {
    events: EventFile,
    info: SignalInfo,
    last_point: Option<Instant>,
    last_preview: Option<Instant>,
    step: u64,
    failure: Option<io::Error>,
}

impl TrainingLog {
    /// Begins a log in `folder`, which is created where it is not there.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn create(folder: &Path, info: &SignalInfo) -> Result<Self> {
        let events =
            EventFile::create(folder).with_context(|| format!("cannot write a log to {}", folder.display()))?;
        Ok(Self { events, info: info.clone(), last_point: None, last_preview: None, step: 0, failure: None })
    }

    /// The event file.
    pub fn path(&self) -> PathBuf {
        self.events.path().to_owned()
    }

    /// Takes an event of the training. A log that cannot be written any more must not end the training: [`Self::finish`]
    /// tells.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Step { step, loss, psnr_db, learning_rate, samples_per_second, steps, .. } => {
                self.step = *step;
                if step < steps && self.last_point.is_some_and(|last| last.elapsed() < POINT_EVERY) {
                    return;
                }
                self.last_point = Some(Instant::now());
                self.scalar("training/loss", *loss);
                self.scalar("training/psnr_db", *psnr_db);
                self.scalar("training/learning_rate", *learning_rate);
                self.scalar("training/samples_per_second", *samples_per_second);
            }
            Event::Snapshot { step, field } => {
                self.step = *step;
                // Who else watches may want snapshots more often.
                if self.last_preview.is_none_or(|last| last.elapsed() + POINT_EVERY >= PREVIEW_EVERY) {
                    self.last_preview = Some(Instant::now());
                    self.decoded(field);
                }
            }
            _ => {}
        }
    }

    /// Shows what the source holds; `samples` gives the values of a box, `[samples, channels]`.
    pub fn original(&mut self, samples: impl FnOnce(&SampleBox) -> io::Result<Vec<f32>>) {
        let preview = Preview::of(&self.info);
        match samples(&preview.bounds()) {
            Ok(values) => self.show("original", &preview, &preview.original(&values)),
            Err(error) => self.failed(error),
        }
    }

    /// Ends the log with what the written file reaches.
    ///
    /// # Errors
    /// The first error that writing met since the beginning.
    pub fn finish(mut self, step: u64, field: &Field, quality: &Quality, bytes: u64) -> io::Result<()> {
        self.step = step;
        self.decoded(field);
        self.scalar("written/psnr_db", quality.psnr_db);
        if let Some(ssim) = quality.ssim {
            self.scalar("written/ssim", ssim);
        }
        #[expect(clippy::cast_precision_loss, reason = "a curve needs no more digits")]
        self.scalar("written/bytes", bytes as f64);
        self.flush();
        self.failure.map_or(Ok(()), Err)
    }

    fn decoded(&mut self, field: &Field) {
        let preview = Preview::of(&self.info);
        match preview.decode(field) {
            Ok(values) => self.show("decoded", &preview, &values),
            Err(error) => self.failed(io::Error::other(error)),
        }
    }

    fn show(&mut self, tag: &str, preview: &Preview, values: &[f32]) {
        let added = preview.with_value(values, |value| self.events.add(self.step, tag, &value));
        match added {
            Ok(()) => self.flush(),
            Err(error) => self.failed(error),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "TensorBoard's scalars are single precision")]
    fn scalar(&mut self, tag: &str, value: f64) {
        if let Err(error) = self.events.add(self.step, tag, &Value::Scalar(value as f32)) {
            self.failed(error);
        }
    }

    fn flush(&mut self) {
        if let Err(error) = self.events.flush() {
            self.failed(error);
        }
    }

    fn failed(&mut self, error: io::Error) {
        self.failure.get_or_insert(error);
    }
}
