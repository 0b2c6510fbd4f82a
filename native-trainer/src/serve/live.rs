//! A field while it is trained: what the page asks for, and the buttons it has.
//!
//! | address | answer |
//! | --- | --- |
//! | `GET /live/state` | JSON: step, PSNR, the curve so far, which snapshot is the newest |
//! | `GET /live/field.inr` | the newest snapshot as a file |
//! | `GET /live/original` | the source, where it is a picture |
//! | `POST /live/pause`, `/live/resume`, `/live/finish` | with the header `X-Tessera` |

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::{Reply, Request, refusal};

/// Points of the curve that are kept: more than a screen has pixels across.
const POINTS: usize = 512;

/// What is being trained, for any number of readers and one writer.
#[derive(Default)]
pub struct Live {
    state: Mutex<State>,
    /// Told when a pause ends.
    changed: Condvar,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

/// The newest file and its number, counted from 1.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Which one it is; 0 before the first.
    pub number: u64,
    /// The file.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    name: String,
    original: Option<Vec<u8>>,
    snapshot: Snapshot,
    progress: Progress,
    paused: bool,
    wants_end: bool,
    finished: Option<Finished>,
    curve: Curve,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Progress {
    step: u64,
    steps: u64,
    psnr_db: Option<f64>,
    seconds: f64,
}

#[derive(Debug, Clone, Serialize)]
struct Finished {
    output: String,
    psnr_db: Option<f64>,
    bytes: u64,
}

/// What `GET /live/state` says.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    name: &'a str,
    /// `training`, `paused` or `finished`.
    state: &'static str,
    #[serde(flatten)]
    progress: Progress,
    snapshot: u64,
    has_original: bool,
    /// Step and PSNR in dB.
    curve: &'a [(u64, f64)],
    finished: Option<&'a Finished>,
}

/// A curve of bounded length: where it grows too long, every second point goes and only every second one comes.
#[derive(Debug)]
struct Curve {
    points: Vec<(u64, f64)>,
    every: u64,
    seen: u64,
}

impl Default for Curve {
    fn default() -> Self {
        Self { points: Vec::new(), every: 1, seen: 0 }
    }
}

impl Curve {
    fn add(&mut self, step: u64, psnr_db: f64) {
        if self.seen.is_multiple_of(self.every) && psnr_db.is_finite() {
            self.points.push((step, psnr_db));
            if self.points.len() > POINTS {
                let mut index = 0;
                self.points.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.every *= 2;
            }
        }
        self.seen += 1;
    }
}

impl Live {
    /// The training of `name`; `original` is the source where a browser can show it.
    pub fn new(name: String, original: Option<Vec<u8>>) -> Self {
        let state = State { name, original, ..State::default() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A panic of another reader leaves plain numbers behind, which are as good as before.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a step's figures.
    pub fn step(&self, step: u64, steps: u64, psnr_db: f64, seconds: f64) {
        let mut state = self.state();
        state.progress = Progress { step, steps, psnr_db: Some(psnr_db).filter(|p| p.is_finite()), seconds };
        state.curve.add(step, psnr_db);
    }

    /// Takes the weights as a file.
    pub fn snapshot(&self, bytes: Vec<u8>) {
        let mut state = self.state();
        state.snapshot = Snapshot { number: state.snapshot.number + 1, bytes };
    }

    /// Takes the file that was written.
    pub fn finished(&self, bytes: Vec<u8>, output: String, psnr_db: f64) {
        let mut state = self.state();
        let size = bytes.len() as u64;
        state.snapshot = Snapshot { number: state.snapshot.number + 1, bytes };
        state.finished = Some(Finished { output, psnr_db: Some(psnr_db).filter(|p| p.is_finite()), bytes: size });
    }

    /// Waits while the page has paused the training, or until `stop` says so. Whether training shall end.
    pub fn wait(&self, stop: impl Fn() -> bool) -> bool {
        let mut state = self.state();
        while state.paused && !state.wants_end && !stop() {
            let waited = self.changed.wait_timeout(state, Duration::from_millis(200));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.wants_end
    }

    /// Answers a request below `/live/`.
    pub(super) fn reply(&self, name: &str, request: Request<'_>) -> Reply {
        let name = name.split(['?', '#']).next().unwrap_or_default();
        match (request.method, name) {
            ("GET" | "HEAD", "state") => {
                let state = self.state();
                let word = match (&state.finished, state.paused) {
                    (Some(_), _) => "finished",
                    (None, true) => "paused",
                    (None, false) => "training",
                };
                let answer = Answer {
                    name: &state.name,
                    state: word,
                    progress: state.progress,
                    snapshot: state.snapshot.number,
                    has_original: state.original.is_some(),
                    curve: &state.curve.points,
                    finished: state.finished.as_ref(),
                };
                match serde_json::to_vec(&answer) {
                    Ok(body) => plain("application/json", body),
                    Err(_) => refusal(500, "the state cannot be written"),
                }
            }
            ("GET" | "HEAD", "field.inr") => {
                let snapshot = self.state().snapshot.clone();
                if snapshot.number == 0 {
                    return refusal(404, "there is no snapshot yet");
                }
                plain(tessera_core::format::MEDIA_TYPE, snapshot.bytes)
            }
            ("GET" | "HEAD", "original") => match self.state().original.clone() {
                Some(bytes) => plain("application/octet-stream", bytes),
                None => refusal(404, "the source is not shown"),
            },
            ("POST", "pause" | "resume" | "finish") => {
                if !request.from_page {
                    return refusal(403, "only the page has these buttons");
                }
                let mut state = self.state();
                match name {
                    "pause" => state.paused = true,
                    "resume" => state.paused = false,
                    _ => state.wants_end = true,
                }
                drop(state);
                self.changed.notify_all();
                plain("application/json", b"{}".to_vec())
            }
            ("GET" | "HEAD", _) => refusal(404, "there is no such file"),
            _ => refusal(405, "this is not done here"),
        }
    }
}

fn plain(media_type: &str, body: Vec<u8>) -> Reply {
    let headers = vec![
        ("Content-Type", media_type.to_owned()),
        ("Cache-Control", "no-store".to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
    ];
    Reply { status: 200, headers, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(live: &Live, method: &str, url: &str, from_page: bool) -> (u16, Vec<u8>) {
        let reply = live.reply(url, Request { method, url, host: "localhost", range: None, from_page });
        (reply.status, reply.body)
    }

    fn state(live: &Live) -> serde_json::Value {
        serde_json::from_slice(&ask(live, "GET", "state?x", false).1).unwrap()
    }

    #[test]
    fn a_run_is_followed_to_its_end() {
        let live = Live::new("a.png".to_owned(), Some(vec![7]));
        assert_eq!(ask(&live, "GET", "field.inr", false).0, 404);
        live.step(3, 10, 21.5, 0.5);
        live.snapshot(vec![1, 2]);
        let seen = state(&live);
        assert_eq!((seen["step"].as_u64(), seen["snapshot"].as_u64()), (Some(3), Some(1)));
        assert_eq!((seen["state"].as_str(), seen["psnr_db"].as_f64()), (Some("training"), Some(21.5)));
        assert_eq!(ask(&live, "GET", "original", false), (200, vec![7]));
        live.finished(vec![9, 9, 9], "a.inr".to_owned(), 30.0);
        let seen = state(&live);
        assert_eq!(seen["state"], "finished");
        assert_eq!(seen["finished"]["psnr_db"], 30.0);
        assert_eq!(ask(&live, "GET", "field.inr", false), (200, vec![9, 9, 9]));
    }

    #[test]
    fn only_the_page_can_pause() {
        let live = Live::new("a".to_owned(), None);
        assert_eq!(ask(&live, "POST", "pause", false).0, 403);
        assert_eq!(state(&live)["state"], "training");
        assert_eq!(ask(&live, "POST", "pause", true).0, 200);
        assert_eq!(state(&live)["state"], "paused");
        assert_eq!(ask(&live, "GET", "original", true).0, 404);
        assert_eq!(ask(&live, "PUT", "state", true).0, 405);
        let asked = std::cell::Cell::new(0);
        // The stop flag ends a pause as well.
        assert!(!live.wait(|| asked.replace(asked.get() + 1) > 0));
        assert_eq!(ask(&live, "POST", "finish", true).0, 200);
        assert!(live.wait(|| false));
    }

    #[test]
    fn curves_stay_short() {
        let live = Live::new("a".to_owned(), None);
        for step in 0..5_000 {
            live.step(step, 5_000, 20.0, 1.0);
        }
        let seen = state(&live);
        let points = seen["curve"].as_array().unwrap();
        assert!((POINTS / 2..=POINTS).contains(&points.len()));
        assert_eq!(points[1][0], 16);
    }
}
