//! `--watch`: the page on loopback with the field that is being trained.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;
use tessera_core::field::Field;
use tessera_core::format::{self, Document, TrainingRecord, WeightCoding};
use tessera_core::signal::{SignalInfo, SignalKind};

use super::one::Job;
use crate::arguments::EncodeArguments;
use crate::output::{read_input, shown};
use crate::report::Reporter;
use crate::serve::{Files, Listener, Live, Site, page_folder};
use crate::training::Event;

/// Seconds between two snapshots: often enough to see it sharpen, seldom enough to cost little.
pub(super) const SNAPSHOT_EVERY_SECONDS: f64 = 1.0;

/// The page while a run goes on, and afterwards until Ctrl-C.
pub(super) struct Watch {
    live: Arc<Live>,
    info: SignalInfo,
    /// Ends the training, by Ctrl-C or by the page's button.
    end: AtomicBool,
    ended_by_page: AtomicBool,
    signal: &'static AtomicBool,
    server: JoinHandle<()>,
}

impl Watch {
    pub(super) fn start(
        job: &Job,
        info: &SignalInfo,
        arguments: &EncodeArguments,
        signal: &'static AtomicBool,
        reporter: &Reporter,
    ) -> Result<Self> {
        let page = page_folder(arguments.page.as_deref())?;
        let listener = Listener::open(arguments.port)?;
        // Browsers show pictures; of everything else the page has no original to compare with. Standard input is gone.
        let comparable = info.kind == SignalKind::Picture && job.input.is_file();
        let original = comparable.then(|| read_input(&job.input)).transpose()?;
        let live = Arc::new(Live::new(name(&job.input), original));
        let site = Site::new(page, Files::None).with_live(Arc::clone(&live));
        reporter.say(format_args!("watch it at {}?live=1", listener.base()));
        let server = std::thread::spawn(move || listener.serve(&site, signal));
        Ok(Self {
            live,
            info: info.clone(),
            end: AtomicBool::new(false),
            ended_by_page: AtomicBool::new(false),
            signal,
            server,
        })
    }

    /// What ends the training.
    pub(super) fn end(&self) -> &AtomicBool {
        &self.end
    }

    /// Whether the page's button has ended it: then what is there is what was wanted.
    pub(super) fn ended_by_page(&self) -> bool {
        self.ended_by_page.load(Ordering::SeqCst)
    }

    /// Shows an event, and waits while the page has paused the run.
    pub(super) fn event(&self, event: &Event) {
        match event {
            Event::Step { step, steps, psnr_db, seconds, .. } => {
                self.live.step(*step, *steps, *psnr_db, *seconds);
            }
            Event::Snapshot { step, field } => {
                if let Some(bytes) = self.file(field, *step) {
                    self.live.snapshot(bytes);
                }
            }
            _ => {}
        }
        let signalled = || self.signal.load(Ordering::SeqCst);
        if self.live.wait(signalled) {
            self.ended_by_page.store(true, Ordering::SeqCst);
            self.end.store(true, Ordering::SeqCst);
        }
        if signalled() {
            self.end.store(true, Ordering::SeqCst);
        }
    }

    /// Shows the file that was written.
    pub(super) fn finished(&self, bytes: &[u8], output: String, psnr_db: f64) {
        self.live.finished(bytes.to_vec(), output, psnr_db);
    }

    /// Serves until Ctrl-C.
    pub(super) fn stay(self, reporter: &Reporter) {
        if !self.signal.load(Ordering::SeqCst) {
            reporter.say("the page stays until Ctrl-C");
        }
        // A panic of the server was printed by its own thread.
        let _ = self.server.join();
    }

    /// Weights on their way may exceed what a file may hold; then the page keeps what it has.
    fn file(&self, field: &Field, steps: u64) -> Option<Vec<u8>> {
        let training = TrainingRecord {
            program: concat!("tessera ", env!("CARGO_PKG_VERSION"), ", still training").to_owned(),
            preset: String::new(),
            seed: 0,
            steps,
            learning_rate: 0.0,
            sample_fraction: 1.0,
            psnr_db: None,
            configuration: String::new(),
        };
        let document = Document { signal: self.info.clone(), field: field.clone(), training };
        format::write(&document, WeightCoding::F32).ok()
    }
}

fn name(input: &Path) -> String {
    input.file_name().map_or_else(|| shown(input), |name| name.to_string_lossy().into_owned())
}
