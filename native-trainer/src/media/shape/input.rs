//! A mesh or a grid of voxels to a signal.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tessera_core::signal::{Placement, ShapeValue, Signal, SignalInfo};

use super::inside::inside;
use super::voxels::{NPY_MAGIC, RawVoxels, Voxels, read_npy, read_raw};
use super::{Lattice, Mesh, MeshFormat, distance, read_mesh};
use crate::errors::{Fault, input_fault, usage_fault};
use crate::output::shown;

/// What the values of a shape are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldName {
    /// 0 outside, 1 inside
    #[default]
    Occupancy,
    /// The distance to the surface, negative inside, up to a few samples
    Distance,
}

/// How a shape is sampled. `None` is the default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sampling {
    /// Samples along the longest side of a mesh.
    pub resolution: Option<u32>,
    /// Samples beyond the mesh on either side.
    pub padding: Option<u32>,
    /// What the values are.
    pub field: Option<FieldName>,
    /// Shape and type of a raw file.
    pub voxels: Option<RawVoxels>,
}

/// Samples along the longest side without options.
pub(super) const RESOLUTION: u32 = 128;
/// Samples beyond the mesh without options: the surface closes within the grid, and has a way to go to a border.
pub(super) const PADDING: u32 = 2;
/// Samples over which a distance is kept. A field is good at the surface, whose neighbourhood this is; what is farther
/// is flat, and its partitions need no network.
pub const BAND: f64 = 4.0;
/// Samples of a grid at most: their votes, distances and values are in memory together.
const SAMPLES: u64 = 1 << 30;

/// Whether `bytes` are a shape that [`read_shape`] knows without being told.
pub fn is_shape(bytes: &[u8], path: &Path) -> bool {
    bytes.starts_with(NPY_MAGIC) || MeshFormat::of(bytes, path).is_some()
}

/// Reads a shape, with notes for the user on what was done to it.
///
/// # Errors
/// [`Fault::Input`] for what is none, or encloses nothing; [`Fault::Usage`] for contradicting options;
/// [`Fault::Limit`] for grids of more than 2^30 samples.
pub fn read_shape(bytes: &[u8], path: &Path, sampling: &Sampling) -> Result<(Signal, Vec<String>)> {
    let name = shown(path);
    let voxels = if let Some(raw) = &sampling.voxels {
        read_raw(bytes, raw, &name)?
    } else if bytes.starts_with(NPY_MAGIC) {
        read_npy(bytes, &name)?
    } else {
        let format = MeshFormat::of(bytes, path).ok_or_else(|| {
            input_fault(format!("{name} is no shape that Tessera reads: OBJ, PLY, STL, NPY, or raw with --voxels"))
        })?;
        let (mesh, mut notes) = read_mesh(bytes, format, &name)?;
        let lattice = lattice(&mesh, sampling)?;
        let (signal, more) = sampled(&mesh, &lattice, sampling.field.unwrap_or_default(), BAND, &name)?;
        notes.extend(more);
        return Ok((signal, notes));
    };
    if sampling.resolution.is_some() || sampling.padding.is_some() {
        return Err(usage_fault("--resolution and --padding are for meshes: a grid of voxels has its own"));
    }
    let least = voxels.values.par_iter().copied().reduce(|| 0.0, f32::min);
    if sampling.field.is_none() && voxels.floats && least < 0.0 {
        return Err(usage_fault(format!(
            "{name} has values down to {least}, which no occupancy has: --field distance takes them as distances, negative \
             inside, --field occupancy as inside from one half on"
        )));
    }
    Ok((of_voxels(voxels, sampling.field.unwrap_or_default(), &name)?, Vec::new()))
}

/// The grid that a mesh is sampled on.
///
/// # Errors
/// [`Fault::Usage`] for a resolution without room, [`Fault::Limit`] for too many samples.
pub fn lattice(mesh: &Mesh, sampling: &Sampling) -> Result<Lattice> {
    let (resolution, padding) = (sampling.resolution.unwrap_or(RESOLUTION), sampling.padding.unwrap_or(PADDING));
    if padding > 4096 || resolution <= 2 * padding {
        return Err(usage_fault(format!(
            "--resolution {resolution} leaves no sample for the mesh between two times --padding {padding}"
        )));
    }
    let [low, high] = mesh.bounds();
    let longest = (0..3).map(|axis| high[axis] - low[axis]).fold(0.0, f64::max);
    if !(longest.is_finite() && longest > 0.0) {
        return Err(input_fault("all corners of the mesh are one point"));
    }
    if u64::from(resolution).pow(2) > SAMPLES {
        return Err(Fault::Limit(format!("a --resolution of {resolution} is beyond any memory")).into());
    }
    let lattice = Lattice::around([low, high], resolution, padding);
    let samples = lattice.shape.iter().fold(1_u64, |n, &axis| n.saturating_mul(axis as u64));
    if samples > SAMPLES {
        return Err(Fault::Limit(format!("{samples} samples are more than {SAMPLES}; lower --resolution")).into());
    }
    Ok(lattice)
}

/// The values of a mesh on a grid, distances over `band` samples.
///
/// # Errors
/// [`Fault::Input`] where no sample lies inside.
pub fn sampled(
    mesh: &Mesh,
    lattice: &Lattice,
    field: FieldName,
    band: f64,
    name: &str,
) -> Result<(Signal, Vec<String>)> {
    let units = lattice.units(mesh);
    let (inside, doubtful) = inside(&units, lattice.shape)?;
    if !inside.contains(&true) {
        return Err(input_fault(format!(
            "{name} encloses no sample of the grid: is it an open sheet, or thinner than a sample? (--resolution)"
        )));
    }
    let mut notes = Vec::new();
    if doubtful > 0 {
        notes.push(format!(
            "the mesh is not sound (holes, or faces that are flipped or doubled): {doubtful} samples were decided by \
             their winding number"
        ));
    }
    let (values, meaning) = match field {
        FieldName::Occupancy => (inside.par_iter().map(|&i| f32::from(u8::from(i))).collect(), ShapeValue::Occupancy),
        FieldName::Distance => {
            let mut values = distance::distances(&units, lattice.shape, band)?;
            #[expect(clippy::cast_possible_truncation, reason = "values are 32-bit floats")]
            let scale = (1.0 / band) as f32;
            values.par_iter_mut().zip(&inside).for_each(|(v, &i)| *v *= if i { -scale } else { scale });
            let amplitude = band * lattice.placement.spacing;
            (values, ShapeValue::Distance { amplitude: single(amplitude) })
        }
    };
    let info = SignalInfo::shape(extents(lattice.shape)?, meaning)?.placed(lattice.placement)?;
    Ok((Signal::new(info, values)?, notes))
}

fn of_voxels(voxels: Voxels, field: FieldName, name: &str) -> Result<Signal> {
    let Voxels { shape, mut values, floats } = voxels;
    let meaning = match field {
        FieldName::Occupancy => {
            let threshold = if floats { 0.5 } else { 0.0 };
            values.par_iter_mut().for_each(|v| *v = f32::from(u8::from(*v > threshold)));
            ShapeValue::Occupancy
        }
        FieldName::Distance if floats => {
            let largest = values.par_iter().map(|v| v.abs()).reduce(|| 0.0, f32::max);
            let amplitude = largest.min(single(BAND)).max(f32::MIN_POSITIVE);
            values.par_iter_mut().for_each(|v| *v = (*v / amplitude).clamp(-1.0, 1.0));
            ShapeValue::Distance { amplitude }
        }
        FieldName::Distance => {
            return Err(usage_fault(
                "--field distance: whole numbers are no distances; give floats (in voxels, negative inside) or a mesh",
            ));
        }
    };
    let info = SignalInfo::shape(extents(shape)?, meaning)?;
    if !values.iter().any(|&v| meaning.is_inside(v)) {
        return Err(input_fault(format!("{name} is empty: no voxel is inside")));
    }
    Ok(Signal::new(info, values)?)
}

fn extents(shape: [usize; 3]) -> Result<[u32; 3]> {
    let mut extents = [0; 3];
    for (to, from) in extents.iter_mut().zip(shape) {
        *to = u32::try_from(from).map_err(|_| usage_fault("an axis has too many samples"))?;
    }
    Ok(extents)
}

#[expect(clippy::cast_possible_truncation, reason = "the format keeps a single")]
fn single(x: f64) -> f32 {
    x as f32
}

/// Where samples lie that no placement was given for: at their numbers.
pub fn placement_of(info: &SignalInfo) -> Placement {
    info.placement.unwrap_or(Placement { origin: [0.0; 3], spacing: 1.0 })
}

#[cfg(test)]
mod tests {
    use super::super::samples::ball;
    use super::super::voxels::npy;
    use super::*;

    fn obj(mesh: &Mesh) -> Vec<u8> {
        let mut text = String::new();
        mesh.vertices.iter().for_each(|[x, y, z]| text += &format!("v {x} {y} {z}\n"));
        mesh.triangles.iter().for_each(|t| text += &format!("f {} {} {}\n", t[0] + 1, t[1] + 1, t[2] + 1));
        text.into_bytes()
    }

    #[test]
    fn a_ball_has_its_volume_and_its_distances() {
        let source = obj(&ball([5.0, -3.0, 100.0], 2.0, 32));
        let sampling = Sampling { resolution: Some(44), ..Sampling::default() };
        let (signal, notes) = read_shape(&source, Path::new("ball.obj"), &sampling).unwrap();
        assert_eq!((signal.info.shape.as_slice(), notes.len()), (&[44, 44, 44][..], 0));
        let placement = signal.info.placement.unwrap();
        assert!((placement.spacing - 0.1).abs() < 1e-9);
        let volume = f64::from(signal.values.iter().sum::<f32>()) * 1e-3;
        assert!((volume / (4.0 / 3.0 * std::f64::consts::PI * 8.0) - 1.0).abs() < 0.01, "{volume}");
        let sampling = Sampling { field: Some(FieldName::Distance), ..sampling };
        let (signal, _) = read_shape(&source, Path::new("ball.obj"), &sampling).unwrap();
        assert!((signal.info.amplitude - 0.4).abs() < 1e-6);
        for (i, &value) in signal.values.iter().enumerate() {
            let place = [i / (44 * 44), i / 44 % 44, i % 44].map(|p| p as f64);
            let at = placement.to_source(place);
            let from = [at[0] - 5.0, at[1] + 3.0, at[2] - 100.0];
            let distance = (from.iter().map(|x| x * x).sum::<f64>().sqrt() - 2.0) / 0.4;
            assert!((f64::from(value) - distance.clamp(-1.0, 1.0)).abs() < 0.05, "{value} and {distance}");
        }
    }

    #[test]
    fn voxels_are_taken_as_they_are() {
        let grid = npy(&[2, 2, 2], false, &[0, 1, 0, 9, 0, 0, 0, 0]);
        let (signal, _) = read_shape(&grid, Path::new("-"), &Sampling::default()).unwrap();
        assert_eq!(signal.values, [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        let raw = Sampling { voxels: Some("1x1x2:u8".parse().unwrap()), ..Sampling::default() };
        assert_eq!(read_shape(&[1, 0], Path::new("a.raw"), &raw).unwrap().0.values, [1.0, 0.0]);
        let floats: Vec<u8> = [-0.5_f32, 9.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let distance = Sampling { field: Some(FieldName::Distance), ..Sampling::default() };
        let (signal, _) = read_shape(&npy(&[1, 1, 2], true, &floats), Path::new("-"), &distance).unwrap();
        assert_eq!((signal.values.as_slice(), signal.info.amplitude), (&[-0.125, 1.0][..], 4.0));
        let unsaid = read_shape(&npy(&[1, 1, 2], true, &floats), Path::new("-"), &Sampling::default());
        assert!(unsaid.unwrap_err().to_string().contains("--field distance"));
        assert!(read_shape(&grid, Path::new("-"), &distance).is_err());
        assert!(read_shape(&npy(&[1, 1, 1], false, &[0]), Path::new("-"), &Sampling::default()).is_err());
        let both = Sampling { resolution: Some(9), ..Sampling::default() };
        assert!(read_shape(&grid, Path::new("-"), &both).is_err());
    }

    #[test]
    fn what_encloses_nothing_is_refused() {
        let text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n";
        let read = |text: &str, sampling: &Sampling| read_shape(text.as_bytes(), Path::new("a.obj"), sampling);
        assert!(read(text, &Sampling::default()).unwrap_err().to_string().contains("encloses no sample"));
        assert!(read("v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", &Sampling::default()).is_err());
        for resolution in [0, 3, u32::MAX] {
            assert!(read(text, &Sampling { resolution: Some(resolution), ..Sampling::default() }).is_err());
        }
    }
}
