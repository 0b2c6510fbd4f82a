//! Comparing shapes: fields, meshes and grids of voxels.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tessera_core::eval::View;
use tessera_core::format::{Document, MAGIC, Reader};
use tessera_core::grid::Grid;
use tessera_core::metrics;
use tessera_core::signal::{Placement, ShapeValue, Signal, SignalInfo};
use tessera_core::surface::Extractor;

use super::{Side, seam_text};
use crate::arguments::CompareArguments;
use crate::errors::usage_fault;
use crate::media::shape::{
    BAND, Closeness, FieldName, Lattice, Mesh, MeshFormat, POINTS, Sampling, closeness, is_shape, lattice, placed,
    placement_of, read_mesh, read_shape, sampled, surface,
};
use crate::output::shown;
use crate::report::{Facts, Reporter, grouped};
use crate::{decoding, quality};

/// Seed of the points that are drawn on both surfaces.
const SEED: u64 = 0;

/// What `--json` prints. `bytes` and `bits_per_sample` are those of the field (of A where both or neither are).
#[derive(Debug, Serialize)]
struct CompareReport {
    a: Side,
    b: Side,
    iou: Option<f64>,
    #[serde(flatten)]
    closeness: Option<Closeness>,
    points: usize,
    bytes: u64,
    bits_per_sample: f64,
    compared_shape: Vec<usize>,
    compared_samples: u64,
    notes: Vec<String>,
}

/// One of the two inputs.
enum Content {
    Field(Box<Document>),
    Mesh(Mesh),
    /// With the file, which the other input may make something else of.
    Voxels {
        signal: Signal,
        bytes: Vec<u8>,
    },
}

/// A shape that is sampled, or decoded, when it is known on which grid.
pub(super) struct Input {
    pub(super) side: Side,
    /// Of a mesh, that of no grid.
    pub(super) info: SignalInfo,
    content: Content,
    /// It says nothing of itself.
    raw: bool,
    notes: Vec<String>,
}

pub(super) fn run(arguments: &CompareArguments, mut a: Input, mut b: Input, reporter: &Reporter) -> Result<()> {
    let grids = [&a, &b].map(|input| matches!(input.content, Content::Voxels { .. }));
    if arguments.field.is_some() && !grids.contains(&true) {
        return Err(usage_fault("--field says what a grid of voxels holds, and neither input is one"));
    }
    if arguments.voxels.is_some() && ![&a, &b].iter().any(|input| input.raw) {
        return Err(usage_fault("--voxels is for a raw grid, and both inputs say what they are"));
    }
    a.follow(&b, arguments);
    b.follow(&a, arguments);
    let mut notes = std::mem::take(&mut a.notes);
    notes.append(&mut b.notes);
    let lattice = common_lattice(&a, &b, arguments)?;
    for side in [&mut a, &mut b].into_iter().filter(|input| matches!(input.content, Content::Mesh(_))) {
        // A mesh has no samples of its own.
        side.side.bits_per_sample = metrics::bits_per_sample(side.side.bytes, lattice.samples() as u64);
    }
    // Where a grid lies may be why a mesh has nothing in it.
    let assumed = |error: anyhow::Error| if notes.is_empty() { error } else { error.context(notes.join("; ")) };
    let (of_a, of_b) = (a.inside(&lattice).map_err(assumed)?, b.inside(&lattice).map_err(assumed)?);
    let info = SignalInfo::shape([1; 3], ShapeValue::Occupancy)?;
    let compared = of_a.iter().zip(&of_b).filter(|(x, y)| !(x.is_nan() || y.is_nan())).count();
    let iou = quality::compare_shapes(&of_a, &of_b, &info)?.iou;
    if let Some(grid) = a.grid().or_else(|| b.grid()).cloned() {
        a.side.seam = metrics::seam(&of_a, &grid.canvas(), 1, &grid)?;
        b.side.seam = metrics::seam(&of_b, &grid.canvas(), 1, &grid)?;
    }
    let (prediction, truth) = if b.side.field && !a.side.field { (&b, &a) } else { (&a, &b) };
    let closeness = if a.is_cropped() || b.is_cropped() {
        notes.push(
            "a cropped shape ends in walls of its own, so distances between surfaces are not measured".to_owned(),
        );
        None
    } else {
        closeness(&prediction.mesh()?, &truth.mesh()?, POINTS, SEED)
    };
    let report = CompareReport {
        iou,
        closeness,
        points: POINTS,
        bytes: prediction.side.bytes,
        bits_per_sample: prediction.side.bits_per_sample,
        compared_shape: lattice.shape.to_vec(),
        compared_samples: compared as u64,
        notes,
        a: a.side.clone(),
        b: b.side.clone(),
    };
    reporter.answer(&report, || text(&report))
}

fn text(report: &CompareReport) -> String {
    let shape: Vec<String> = report.compared_shape.iter().map(usize::to_string).collect();
    let mut facts = Facts::new()
        .with("a", &report.a)
        .with("b", &report.b)
        .with("compared", format_args!("{} samples of {}", grouped(report.compared_samples), shape.join(" x ")))
        .with_some("IoU", report.iou.map(|iou| format!("{iou:.4}")));
    if let Some(closeness) = &report.closeness {
        facts = facts
            .with(
                "Chamfer distance",
                format_args!(
                    "{:.6}, {:.4} % of the longest side ({:.6} between two draws of {} points from one surface)",
                    closeness.chamfer_distance,
                    closeness.chamfer_relative * 100.0,
                    closeness.chamfer_floor,
                    grouped(report.points as u64)
                ),
            )
            .with("normal consistency", format_args!("{:.4}", closeness.normal_consistency));
    }
    facts = facts.with_some("seams", seam_text(&report.a, &report.b));
    report.notes.iter().fold(facts, |facts, note| facts.with("note", note)).to_string()
}

pub(super) fn load(bytes: Vec<u8>, path: &Path, arguments: &CompareArguments) -> Result<Input> {
    let name = shown(path);
    let (field, size) = (bytes.starts_with(&MAGIC), bytes.len() as u64);
    let raw = !field && !is_shape(&bytes, path);
    let mut notes = Vec::new();
    let (content, info) = if field {
        let document = Reader::open(&bytes).and_then(|r| r.document()).with_context(|| name.clone())?;
        let info = document.signal.clone();
        (Content::Field(Box::new(document)), info)
    } else if let Some(format) = MeshFormat::of(&bytes, path) {
        let (mesh, more) = read_mesh(&bytes, format, &name)?;
        notes.extend(more.into_iter().map(|note| format!("{name}: {note}")));
        (Content::Mesh(mesh), SignalInfo::shape([1; 3], ShapeValue::Occupancy)?)
    } else {
        // What is below zero is no occupancy.
        let (signal, _) = match voxels(&bytes, path, arguments, None) {
            Err(error) if arguments.field.is_none() => {
                voxels(&bytes, path, arguments, Some(FieldName::Distance)).map_err(|_| error)?
            }
            read => read?,
        };
        let info = signal.info.clone();
        (Content::Voxels { signal, bytes }, info)
    };
    let samples = if matches!(content, Content::Mesh(_)) { 0 } else { info.samples() };
    let side =
        Side { file: name, field, bytes: size, bits_per_sample: metrics::bits_per_sample(size, samples), seam: None };
    Ok(Input { side, info, content, raw, notes })
}

/// A grid of voxels with what is asked for, else with such values.
fn voxels(
    bytes: &[u8],
    path: &Path,
    arguments: &CompareArguments,
    field: Option<FieldName>,
) -> Result<(Signal, Vec<String>)> {
    let CompareArguments { field: asked, voxels, .. } = arguments;
    // A raw grid is the input that says nothing of itself.
    let raw = if is_shape(bytes, path) { None } else { voxels.clone() };
    read_shape(bytes, path, &Sampling { field: asked.or(field), voxels: raw, ..Sampling::default() })
}

/// The grid of whichever has one; around both where both are meshes.
fn common_lattice(a: &Input, b: &Input, arguments: &CompareArguments) -> Result<Lattice> {
    match (a.lattice(), b.lattice()) {
        (Some(a), Some(b)) if a.shape == b.shape => Ok(a),
        (Some(of_a), Some(of_b)) => Err(usage_fault(format!(
            "{} has {:?} samples and {} has {:?}: they cannot be compared sample by sample",
            a.side.file, of_a.shape, b.side.file, of_b.shape
        ))),
        (Some(lattice), None) | (None, Some(lattice)) => Ok(lattice),
        (None, None) => {
            let mut both = Mesh::default();
            for input in [a, b] {
                if let Content::Mesh(mesh) = &input.content {
                    let base = u32::try_from(both.vertices.len()).unwrap_or(u32::MAX);
                    both.vertices.extend(&mesh.vertices);
                    both.triangles.extend(mesh.triangles.iter().map(|t| t.map(|v| v.saturating_add(base))));
                }
            }
            lattice(&both, &Sampling { resolution: arguments.resolution, ..Sampling::default() })
        }
    }
}

impl Input {
    /// Makes of a grid of voxels what the other input says of such a grid: what its values are, and where it lies.
    fn follow(&mut self, other: &Self, arguments: &CompareArguments) {
        let Content::Voxels { signal, bytes } = &mut self.content else { return };
        match other.content {
            Content::Mesh(_) => self.notes.push(format!(
                "{} says nothing of where it lies: its voxels are taken to be 1 apart, the first one at 0",
                self.side.file
            )),
            Content::Field(_) => {
                // Only distances need it said: whatever else there is, is inside or not.
                if matches!(other.info.shape_value(), ShapeValue::Distance { .. })
                    && let Ok((read, _)) =
                        voxels(bytes, Path::new(&self.side.file), arguments, Some(FieldName::Distance))
                {
                    *signal = read;
                }
                if signal.info.shape == other.info.shape {
                    signal.info.placement = other.info.placement;
                }
                self.info = signal.info.clone();
            }
            Content::Voxels { .. } => {}
        }
    }

    fn lattice(&self) -> Option<Lattice> {
        if matches!(self.content, Content::Mesh(_)) {
            return None;
        }
        let info = &self.info;
        let shape: [usize; 3] = info.shape.iter().map(|&n| n as usize).collect::<Vec<_>>().try_into().ok()?;
        Some(Lattice { shape, placement: placement_of(info) })
    }

    fn grid(&self) -> Option<&Grid> {
        match &self.content {
            Content::Field(document) => Some(document.field.grid()),
            _ => None,
        }
    }

    fn is_cropped(&self) -> bool {
        matches!(&self.content, Content::Field(document) if !document.field.is_complete())
    }

    /// 1 inside, 0 outside, NaN where nothing is known.
    fn inside(&self, lattice: &Lattice) -> Result<Vec<f32>> {
        let flags = |mut values: Vec<f32>, value: ShapeValue| {
            for v in values.iter_mut().filter(|v| !v.is_nan()) {
                *v = f32::from(u8::from(value.is_inside(*v)));
            }
            values
        };
        match &self.content {
            Content::Field(document) => {
                let view = View::full(document.field.grid());
                let values = decoding::decode_shape(&document.field, &document.signal, &view)?;
                Ok(flags(values, document.signal.shape_value()))
            }
            Content::Voxels { signal, .. } => Ok(flags(signal.values.clone(), signal.info.shape_value())),
            Content::Mesh(mesh) => Ok(sampled(mesh, lattice, FieldName::Occupancy, BAND, &self.side.file)?.0.values),
        }
    }

    fn mesh(&self) -> Result<Mesh> {
        match &self.content {
            Content::Mesh(mesh) => Ok(mesh.clone()),
            Content::Field(document) => {
                let view = View::full(document.field.grid());
                let surface = surface(&document.field, &document.signal, &view)?;
                Ok(placed(&surface, &placement_of(&document.signal)))
            }
            Content::Voxels { signal, .. } => {
                let shape = &signal.info.shape;
                let (rows, columns) = (shape[1] as usize, shape[2] as usize);
                let value = signal.info.shape_value();
                let mut extractor = Extractor::new(rows, columns);
                for slice in signal.values.chunks(rows * columns) {
                    extractor.push(&slice.iter().map(|&v| value.depth(v)).collect::<Vec<f32>>());
                }
                let placement: Placement = placement_of(&signal.info);
                Ok(placed(&extractor.finish(), &placement))
            }
        }
    }
}
