//! Surfaces and voxels to files.

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;

use anyhow::Result;
use serde_json::json;
use tessera_core::eval::View;
use tessera_core::field::Field;
use tessera_core::signal::{Placement, SignalInfo};
use tessera_core::surface::{Extractor, Surface};

use super::Mesh;
use super::voxels::npy;
use crate::decoding;
use crate::errors::{Fault, usage_fault};

/// What a shape is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShapeFormat {
    /// Wavefront: text.
    Obj,
    /// Stanford: binary, little-endian.
    Ply,
    /// Stereolithography: binary.
    Stl,
    /// glTF 2.0 in one file.
    Glb,
    /// A grid for numpy.
    Npy,
    /// The same grid without a header.
    Raw,
}

impl ShapeFormat {
    /// The format that an extension stands for.
    ///
    /// # Errors
    /// [`Fault::Usage`] for another extension.
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("obj") => Ok(Self::Obj),
            Some("ply") => Ok(Self::Ply),
            Some("stl") => Ok(Self::Stl),
            Some("glb") => Ok(Self::Glb),
            Some("npy") => Ok(Self::Npy),
            Some("raw" | "bin") => Ok(Self::Raw),
            _ => Err(usage_fault(format!(
                "{}: a shape is written as a mesh (.obj, .ply, .stl, .glb) or as voxels (.npy, .raw)",
                path.display()
            ))),
        }
    }

    /// Whether it holds a surface rather than voxels.
    pub fn is_mesh(self) -> bool {
        !matches!(self, Self::Npy | Self::Raw)
    }
}

/// The surface of a field in the positions of a view, in sample units of the canvas. Slices are decoded and forgotten,
/// so a fine view takes the memory of its surface.
///
/// # Errors
/// Those of the engine, and [`Fault::Limit`] for surfaces beyond what a mesh can number.
pub fn surface(field: &Field, info: &SignalInfo, view: &View) -> Result<Surface> {
    let shape = view.shape();
    let value = info.shape_value();
    let mut extractor = Extractor::new(shape[1], shape[2]);
    // As many slices at a time as keep all threads at work.
    let step = (1_usize << 22).div_ceil((shape[1] * shape[2]).max(1)).clamp(1, shape[0].max(1));
    for start in (0..shape[0]).step_by(step) {
        let part = view.along(0, start..(start + step).min(shape[0]));
        let mut values = decoding::decode_shape(field, info, &part)?;
        values.iter_mut().for_each(|v| *v = value.depth(*v));
        values.chunks((shape[1] * shape[2]).max(1)).for_each(|slice| extractor.push(slice));
    }
    let mut surface = extractor.finish();
    if surface.positions.len() >= u32::MAX as usize {
        return Err(Fault::Limit("the surface has too many vertices; lower --scale".to_owned()).into());
    }
    let axes = view.positions();
    for position in &mut surface.positions {
        *position = std::array::from_fn(|axis| between(&axes[axis], position[axis]));
    }
    Ok(surface)
}

/// A place between the numbered positions of an axis; beyond the last ones as far as they are apart.
#[expect(clippy::cast_possible_truncation, reason = "a mesh holds singles")]
#[expect(clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "clamped to the axis")]
fn between(positions: &[f64], place: f32) -> f32 {
    let Some(last) = positions.len().checked_sub(1) else { return place };
    if last == 0 {
        return (positions[0] + f64::from(place)) as f32;
    }
    let below = (place.floor().max(0.0) as usize).min(last - 1);
    let share = f64::from(place) - below as f64;
    (positions[below] + share * (positions[below + 1] - positions[below])) as f32
}

/// A surface in the coordinates of the source.
pub fn placed(surface: &Surface, placement: &Placement) -> Mesh {
    let vertices = surface.positions.iter().map(|&p| placement.to_source(p.map(f64::from))).collect();
    Mesh { vertices, triangles: surface.triangles.clone() }
}

/// A mesh in a format that holds one. Normals, for GLB, are those of `normals`, one for each vertex.
///
/// # Errors
/// [`Fault::Limit`] where the format cannot hold as much, [`Fault::Usage`] for a format of voxels.
pub fn encode_mesh(mesh: &Mesh, normals: &[[f32; 3]], format: ShapeFormat) -> Result<Vec<u8>> {
    match format {
        ShapeFormat::Obj => Ok(obj(mesh)),
        ShapeFormat::Ply => Ok(ply(mesh)),
        ShapeFormat::Stl => stl(mesh),
        ShapeFormat::Glb => glb(mesh, normals),
        ShapeFormat::Npy | ShapeFormat::Raw => Err(usage_fault("a mesh cannot be written as voxels")),
    }
}

/// Voxels of a view: bytes 0 and 1 of occupancy, 32-bit floats of distances (in the source's units); absent ones are 0
/// or NaN.
///
/// # Errors
/// Those of the engine.
pub fn encode_voxels(field: &Field, info: &SignalInfo, view: &View, format: ShapeFormat) -> Result<Vec<u8>> {
    let values = decoding::decode_shape(field, info, view)?;
    let value = info.shape_value();
    let floats = matches!(value, tessera_core::signal::ShapeValue::Distance { .. });
    let data: Vec<u8> = if floats {
        values.iter().flat_map(|v| (v.clamp(-1.0, 1.0) * info.amplitude).to_le_bytes()).collect()
    } else {
        values.iter().map(|&v| u8::from(value.is_inside(v))).collect()
    };
    Ok(if format == ShapeFormat::Npy { npy(&view.shape(), floats, &data) } else { data })
}

#[expect(clippy::cast_possible_truncation, reason = "these formats hold singles")]
fn singles(v: [f64; 3]) -> [f32; 3] {
    v.map(|x| x as f32)
}

fn obj(mesh: &Mesh) -> Vec<u8> {
    let mut text = format!("# {} vertices, {} triangles\n", mesh.vertices.len(), mesh.triangles.len());
    for [x, y, z] in mesh.vertices.iter().map(|&v| singles(v)) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "v {x} {y} {z}");
    }
    for [a, b, c] in mesh.triangles.iter().map(|t| t.map(|v| u64::from(v) + 1)) {
        let _ = writeln!(text, "f {a} {b} {c}");
    }
    text.into_bytes()
}

fn ply(mesh: &Mesh) -> Vec<u8> {
    let mut bytes = format!(
        "ply\nformat binary_little_endian 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\n\
         element face {}\nproperty list uchar uint vertex_indices\nend_header\n",
        mesh.vertices.len(),
        mesh.triangles.len()
    )
    .into_bytes();
    bytes.extend(mesh.vertices.iter().flat_map(|&v| singles(v)).flat_map(f32::to_le_bytes));
    for t in &mesh.triangles {
        bytes.push(3);
        bytes.extend(t.iter().flat_map(|v| v.to_le_bytes()));
    }
    bytes
}

fn stl(mesh: &Mesh) -> Result<Vec<u8>> {
    let triangles: Vec<stl_io::Triangle> = mesh
        .triangles
        .iter()
        .map(|&t| {
            let corners = mesh.corners(t);
            let normal = super::winding::cross(
                super::winding::minus(corners[1], corners[0]),
                super::winding::minus(corners[2], corners[0]),
            );
            let length = super::winding::dot(normal, normal).sqrt().max(f64::MIN_POSITIVE);
            stl_io::Triangle {
                normal: stl_io::Normal::new(singles(normal.map(|x| x / length))),
                vertices: corners.map(|c| stl_io::Vertex::new(singles(c))),
            }
        })
        .collect();
    let mut bytes = Cursor::new(Vec::new());
    stl_io::write_stl(&mut bytes, triangles.iter())?;
    Ok(bytes.into_inner())
}

/// Two chunks: JSON that says where in the binary chunk positions, normals and corners lie. Both begin at multiples of
/// four bytes.
fn glb(mesh: &Mesh, normals: &[[f32; 3]]) -> Result<Vec<u8>> {
    let positions: Vec<[f32; 3]> = mesh.vertices.iter().map(|&v| singles(v)).collect();
    let bound = |pick: fn(f32, f32) -> f32, start: f32| {
        positions.iter().fold([start; 3], |b, p| std::array::from_fn(|axis| pick(b[axis], p[axis])))
    };
    let (low, high) = (bound(f32::min, f32::INFINITY), bound(f32::max, f32::NEG_INFINITY));
    let (vertices, corners) = (12 * positions.len(), 12 * mesh.triangles.len());
    let description = json!({
        "asset": { "version": "2.0", "generator": concat!("tessera ", env!("CARGO_PKG_VERSION")) },
        "scene": 0,
        "scenes": [{ "nodes": [0] }],
        "nodes": [{ "mesh": 0 }],
        "meshes": [{ "primitives": [{ "attributes": { "POSITION": 0, "NORMAL": 1 }, "indices": 2 }] }],
        "buffers": [{ "byteLength": 2 * vertices + corners }],
        "bufferViews": [
            { "buffer": 0, "byteOffset": 0, "byteLength": vertices, "target": 34962 },
            { "buffer": 0, "byteOffset": vertices, "byteLength": vertices, "target": 34962 },
            { "buffer": 0, "byteOffset": 2 * vertices, "byteLength": corners, "target": 34963 },
        ],
        "accessors": [
            { "bufferView": 0, "componentType": 5126, "count": positions.len(), "type": "VEC3", "min": low, "max": high },
            { "bufferView": 1, "componentType": 5126, "count": positions.len(), "type": "VEC3" },
            { "bufferView": 2, "componentType": 5125, "count": 3 * mesh.triangles.len(), "type": "SCALAR" },
        ],
    });
    let mut text = serde_json::to_vec(&description)?;
    text.resize(text.len().next_multiple_of(4), b' ');
    let length =
        |n: usize| u32::try_from(n).map_err(|_| Fault::Limit("the surface is too large for GLB; write PLY".to_owned()));
    let all = length(12 + 8 + text.len() + 8 + 2 * vertices + corners)?;
    let mut bytes = b"glTF".to_vec();
    bytes.extend([2_u32.to_le_bytes(), all.to_le_bytes()].concat());
    bytes.extend([length(text.len())?.to_le_bytes(), *b"JSON"].concat());
    bytes.extend(text);
    bytes.extend([length(2 * vertices + corners)?.to_le_bytes(), *b"BIN\0"].concat());
    bytes.extend(positions.iter().chain(normals).flatten().flat_map(|x| x.to_le_bytes()));
    bytes.extend(mesh.triangles.iter().flatten().flat_map(|v| v.to_le_bytes()));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::samples::cube;
    use super::super::{MeshFormat, read_mesh};
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mesh = cube([0.5, -1.25, 3.0], [2.0, 4.0, 8.0]);
        let normals = vec![[1.0, 0.0, 0.0]; 8];
        for (format, kind) in [
            (ShapeFormat::Obj, MeshFormat::Obj),
            (ShapeFormat::Ply, MeshFormat::Ply),
            (ShapeFormat::Stl, MeshFormat::Stl),
        ] {
            let bytes = encode_mesh(&mesh, &normals, format).unwrap();
            assert_eq!(MeshFormat::of(&bytes, Path::new("nameless")), Some(kind));
            let (read, notes) = read_mesh(&bytes, kind, "it").unwrap();
            assert!(notes.is_empty());
            let corners = |mesh: &Mesh| mesh.triangles.iter().map(|&t| mesh.corners(t)).collect::<Vec<_>>();
            assert_eq!(corners(&read), corners(&mesh));
        }
        assert!(encode_mesh(&mesh, &normals, ShapeFormat::Npy).is_err());
    }

    #[test]
    fn glb_has_its_chunks_where_it_says() {
        let mesh = cube([0.0; 3], [1.0, 2.0, 3.0]);
        let bytes = encode_mesh(&mesh, &[[0.0, 0.0, 1.0]; 8], ShapeFormat::Glb).unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((&bytes[..4], word(4), word(8)), (&b"glTF"[..], 2, bytes.len()));
        let text = word(12);
        assert_eq!((text % 4, &bytes[16..20], &bytes[24 + text..28 + text]), (0, &b"JSON"[..], &b"BIN\0"[..]));
        let description: serde_json::Value = serde_json::from_slice(&bytes[20..20 + text]).unwrap();
        assert_eq!(description["accessors"][0]["max"], json!([1.0, 2.0, 3.0]));
        assert_eq!(word(20 + text), 8 * 24 + 12 * 12);
        assert_eq!(bytes.len(), 28 + text + 8 * 24 + 12 * 12);
    }
}
