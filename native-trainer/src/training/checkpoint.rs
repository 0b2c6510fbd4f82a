//! The state of a run in one file, from which it continues bit for bit.
//!
//! The container is safetensors (the arrays by name, everything else as text in its metadata), so that a checkpoint
//! can be looked into with common tools. Floats that decide anything are kept as bits. A save writes a temporary file
//! beside the target, makes it durable, reads it back and compares, and only then renames it: whatever moment a
//! process is killed at, one whole checkpoint is there.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};

use super::{Moments, PlateauState, TrainingError};

/// Metadata key of the state.
const STATE: &str = "tessera_training_state";
/// Metadata key of the checksum: CRC-32C of the state's text and then of all arrays, in hexadecimal.
const CHECKSUM: &str = "crc32c";
/// Version of the arrays' names and of the state.
const VERSION: u32 = 1;

/// Everything that the next step depends on, and the best weights so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What the run is, as pairs of name and value: a run with other pairs cannot continue from here.
    pub plan: Vec<(String, String)>,
    /// Updates so far.
    pub step: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Shared weights.
    pub shared: Vec<f32>,
    /// Local weights.
    pub local: Vec<f32>,
    /// Adam's moments.
    pub moments: Moments,
    /// The best weights so far, if any were judged.
    pub best: Option<Best>,
    /// Where a falling learning rate stands.
    pub plateau: Option<PlateauState>,
    /// Of a run that trains groups of partitions one after the other: the group that `step` belongs to.
    pub group: Option<Group>,
}

/// Where a run in groups stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Group {
    /// Which group.
    pub index: usize,
    /// Bits of the sum over finished groups of loss times samples.
    pub loss_bits: u64,
    /// Samples of finished groups.
    pub samples: u64,
    /// Most steps that a finished group took.
    pub steps: u64,
    /// The latest step among those that finished groups keep.
    pub best_step: u64,
    /// Bits of the last loss of every share of the group's samples.
    pub recent_bits: Vec<u64>,
    /// Bits of the seconds at which the group began.
    pub started_bits: u64,
}

/// The best weights that a run has seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// After how many updates.
    pub step: u64,
    /// The loss by which they were chosen.
    pub loss: f64,
    /// Shared weights.
    pub shared: Vec<f32>,
    /// Local weights.
    pub local: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct State {
    version: u32,
    plan: Vec<(String, String)>,
    step: u64,
    seconds: f64,
    best_step: Option<u64>,
    best_loss_bits: Option<u64>,
    plateau: Option<PlateauState>,
    group: Option<Group>,
}

impl Checkpoint {
    /// Saves to `path`, replacing it atomically.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] where the file cannot be written or does not read back as written; the file that
    /// was there stays.
    pub fn save(&self, path: &Path) -> Result<(), TrainingError> {
        let failed = |reason: String| TrainingError::Checkpoint { path: path.to_owned(), reason };
        let bytes = self.to_bytes().map_err(failed)?;
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let io = |what: &'static str| move |e: std::io::Error| failed_io(path, what, &e);
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io("cannot create a file beside it"))?;
        file.write_all(&bytes).map_err(io("cannot write"))?;
        file.as_file().sync_all().map_err(io("cannot make it durable"))?;
        let back = std::fs::read(file.path()).map_err(io("cannot read back"))?;
        if back != bytes {
            return Err(failed("the disk did not return what was written".to_owned()));
        }
        file.persist(path).map_err(|e| failed_io(path, "cannot replace", &e.error))?;
        // The rename itself must survive a power cut; where folders cannot be opened (Windows), it is left to the system.
        if let Ok(folder) = File::open(folder) {
            folder.sync_all().map_err(io("cannot make the rename durable"))?;
        }
        Ok(())
    }

    /// Reads `path`; `None` where there is no such file.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] where the file cannot be read or is damaged.
    pub fn load(path: &Path) -> Result<Option<Self>, TrainingError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed_io(path, "cannot read", &e)),
        };
        let damaged = |reason| TrainingError::Checkpoint { path: path.to_owned(), reason };
        Self::from_bytes(&bytes).map(Some).map_err(damaged)
    }

    /// Refuses to continue another run.
    ///
    /// # Errors
    /// [`TrainingError::CheckpointOfAnotherRun`] with the first difference.
    pub fn check_plan(&self, path: &Path, plan: &[(String, String)]) -> Result<(), TrainingError> {
        let absent = ("program version".to_owned(), "different".to_owned());
        for index in 0..plan.len().max(self.plan.len()) {
            let theirs = self.plan.get(index).unwrap_or(&absent);
            let ours = plan.get(index).unwrap_or(&absent);
            if theirs != ours {
                return Err(TrainingError::CheckpointOfAnotherRun {
                    path: PathBuf::from(path),
                    what: ours.0.clone(),
                    theirs: theirs.1.clone(),
                    ours: ours.1.clone(),
                });
            }
        }
        Ok(())
    }

    fn arrays(&self) -> Vec<(&'static str, &[f32])> {
        let mut arrays: Vec<(&'static str, &[f32])> = vec![
            ("shared", &self.shared),
            ("local", &self.local),
            ("moments.shared_first", &self.moments.shared_first),
            ("moments.shared_second", &self.moments.shared_second),
            ("moments.local_first", &self.moments.local_first),
            ("moments.local_second", &self.moments.local_second),
        ];
        if let Some(best) = &self.best {
            arrays.extend([("best.shared", best.shared.as_slice()), ("best.local", best.local.as_slice())]);
        }
        arrays
    }

    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let state = State {
            version: VERSION,
            plan: self.plan.clone(),
            step: self.step,
            seconds: self.seconds,
            best_step: self.best.as_ref().map(|b| b.step),
            best_loss_bits: self.best.as_ref().map(|b| b.loss.to_bits()),
            plateau: self.plateau,
            group: self.group.clone(),
        };
        let state = serde_json::to_string(&state).map_err(|e| e.to_string())?;
        let arrays: Vec<(&str, Vec<u8>)> = self
            .arrays()
            .into_iter()
            .map(|(name, values)| (name, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
            .collect();
        let checksum = checksum(&state, arrays.iter().map(|(_, bytes)| bytes.as_slice()));
        let views: Vec<(&str, TensorView<'_>)> = arrays
            .iter()
            .map(|(name, bytes)| Ok((*name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)?)))
            .collect::<Result<_, safetensors::SafeTensorError>>()
            .map_err(|e| e.to_string())?;
        let metadata = HashMap::from([(STATE.to_owned(), state), (CHECKSUM.to_owned(), checksum)]);
        serialize(views, Some(metadata)).map_err(|e| e.to_string())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let damaged = |e: safetensors::SafeTensorError| format!("it is damaged or no checkpoint ({e})");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let text = |key: &str| header.metadata().as_ref().and_then(|m| m.get(key)).cloned();
        let (Some(state_text), Some(expected)) = (text(STATE), text(CHECKSUM)) else {
            return Err("it is a safetensors file, but no training checkpoint".to_owned());
        };
        let state: State = serde_json::from_str(&state_text).map_err(|e| format!("its state is damaged ({e})"))?;
        if state.version != VERSION {
            return Err(format!("it has version {}, this program reads version {VERSION}", state.version));
        }
        let mut all = Vec::new();
        let mut take = |name: &str| -> Result<Vec<f32>, String> {
            let view = tensors.tensor(name).map_err(|e| format!("the array `{name}` is missing ({e})"))?;
            if view.dtype() != Dtype::F32 {
                return Err(format!("the array `{name}` holds {:?} instead of 32-bit floats", view.dtype()));
            }
            all.push(view.data());
            Ok(view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
        };
        let (shared, local) = (take("shared")?, take("local")?);
        let moments = Moments {
            shared_first: take("moments.shared_first")?,
            shared_second: take("moments.shared_second")?,
            local_first: take("moments.local_first")?,
            local_second: take("moments.local_second")?,
        };
        let best = match (state.best_step, state.best_loss_bits) {
            (Some(step), Some(loss)) => Some(Best {
                step,
                loss: f64::from_bits(loss),
                shared: take("best.shared")?,
                local: take("best.local")?,
            }),
            _ => None,
        };
        let found = checksum(&state_text, all.iter().copied());
        if found != expected {
            return Err(format!("it is damaged: its checksum is {found}, it should be {expected}"));
        }
        let State { plan, step, seconds, plateau, group, .. } = state;
        Ok(Self { plan, step, seconds, shared, local, moments, best, plateau, group })
    }
}

fn checksum<'a>(state: &str, arrays: impl Iterator<Item = &'a [u8]>) -> String {
    let sum = arrays.fold(crc32c::crc32c(state.as_bytes()), crc32c::crc32c_append);
    format!("{sum:08x}")
}

fn failed_io(path: &Path, what: &str, error: &std::io::Error) -> TrainingError {
    TrainingError::Checkpoint { path: path.to_owned(), reason: format!("{what}: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            plan: vec![("seed".to_owned(), "7".to_owned())],
            step: 12,
            seconds: 1.25,
            shared: vec![],
            local: vec![1.0, -0.1, f32::MIN_POSITIVE / 3.0],
            moments: Moments { local_first: vec![0.1; 3], local_second: vec![0.2; 3], ..Moments::default() },
            best: Some(Best { step: 11, loss: 0.1 + 0.2, shared: vec![], local: vec![1.0, 2.0, 3.0] }),
            plateau: Some(PlateauState { rate_bits: 1, best_bits: 2, resting: 3 }),
            group: Some(Group {
                index: 2,
                loss_bits: 1.5_f64.to_bits(),
                samples: 70,
                steps: 3,
                best_step: 2,
                recent_bits: vec![7],
                started_bits: 5,
            }),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_bit_for_bit_and_replaces_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.checkpoint");
        assert!(Checkpoint::load(&path).unwrap().is_none());
        checkpoint().save(&path).unwrap();
        let later = Checkpoint { step: 13, best: None, ..checkpoint() };
        later.save(&path).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap().unwrap(), later);
        checkpoint().save(&path).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap().unwrap(), checkpoint());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "temporary files stay behind");
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let bytes = checkpoint().to_bytes().unwrap();
        assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), checkpoint());
        for length in 0..bytes.len() {
            assert!(Checkpoint::from_bytes(&bytes[..length]).is_err(), "cut to {length} bytes");
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            match Checkpoint::from_bytes(&damaged) {
                Err(_) => {}
                // A flip may change the spelling of JSON (`\u0041` or a space), never what was said.
                Ok(read) => assert_eq!(read, checkpoint(), "bit {bit}"),
            }
        }
    }

    #[test]
    fn another_run_is_refused_by_name() {
        let error = checkpoint().check_plan(Path::new("x"), &[("seed".to_owned(), "8".to_owned())]).unwrap_err();
        assert!(error.to_string().contains("its seed is 7, here it is 8"), "{error}");
        checkpoint().check_plan(Path::new("x"), &[("seed".to_owned(), "7".to_owned())]).unwrap();
    }
}
