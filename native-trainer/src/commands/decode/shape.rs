//! Decoding a shape: its surface as a mesh, or its voxels.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::Request;
use crate::commands::describe::box_text;
use crate::errors::usage_fault;
use crate::media::shape::{ShapeFormat, encode_mesh, encode_voxels, placed, placement_of, surface};
use crate::output::is_stream;
use crate::report::{Reporter, duration, grouped};

#[derive(Debug, Serialize)]
struct Size {
    shape: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vertices: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    triangles: Option<usize>,
    /// Every edge has two triangles, one in either direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    watertight: Option<bool>,
    empty_partitions: usize,
}

pub(super) fn run(request: &Request<'_>, reporter: &Reporter) -> Result<()> {
    let arguments = request.arguments;
    let format = if is_stream(&arguments.output) { ShapeFormat::Obj } else { ShapeFormat::of(&arguments.output)? };
    let (field, info) = (&request.document.field, &request.document.signal);
    let view = request.view(0..3)?;
    let started = Instant::now();
    let mut size = Size {
        shape: view.shape(),
        vertices: None,
        triangles: None,
        watertight: None,
        empty_partitions: field.empty().len(),
    };
    let encoded = if format.is_mesh() {
        let surface = surface(field, info, &view)?;
        if surface.triangles.is_empty() {
            return Err(usage_fault(format!(
                "there is no surface in {}: decode more of the file, or its voxels to .npy",
                box_text(&request.bounds)
            )));
        }
        size.vertices = Some(surface.positions.len());
        size.triangles = Some(surface.triangles.len());
        size.watertight = Some(surface.open_edges() == 0);
        encode_mesh(&placed(&surface, &placement_of(info)), &surface.normals(), format)?
    } else {
        encode_voxels(field, info, &view, format)?
    };
    let seconds = started.elapsed().as_secs_f64();
    let report = request.finish(size, &view, seconds, &encoded)?;
    reporter.summary(&report, || {
        let size = &report.size;
        let extent: Vec<String> = size.shape.iter().map(usize::to_string).collect();
        let what = match (size.vertices, size.triangles) {
            (Some(vertices), Some(triangles)) => {
                format!("{} vertices and {} triangles from ", grouped(vertices as u64), grouped(triangles as u64))
            }
            _ => String::new(),
        };
        let absent = if report.absent_partitions_shown { "; absent partitions are outside" } else { "" };
        format!(
            "wrote {}: {what}{} samples, decoded in {}{absent}",
            report.output,
            extent.join(" x "),
            duration(report.seconds)
        )
    })
}
