//! Triangle meshes from OBJ, PLY and STL.

use std::io::Cursor;
use std::path::Path;

use anyhow::Result;
use ply_rs_bw::parser::{ParseError, Parser, Reader};
use ply_rs_bw::ply::{Property, PropertyAccess, PropertyAccessResult};

use crate::errors::{Fault, input_fault};

/// Triangles as a file has them: open, flipped or crossing each other, for all that is known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mesh {
    /// Corners in the coordinates of the source.
    pub vertices: Vec<[f64; 3]>,
    /// Three corners each.
    pub triangles: Vec<[u32; 3]>,
}

/// How a mesh is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeshFormat {
    /// Wavefront: text, polygons.
    Obj,
    /// Stanford: text or binary, polygons.
    Ply,
    /// Stereolithography: text or binary, triangles without neighbours.
    Stl,
}

/// Triangles of a mesh at most.
const TRIANGLES: usize = 1 << 26;

impl MeshFormat {
    /// What `bytes` are, by their signature, then by the extension of `path`.
    pub fn of(bytes: &[u8], path: &Path) -> Option<Self> {
        if bytes.starts_with(b"ply\n") || bytes.starts_with(b"ply\r") {
            return Some(Self::Ply);
        }
        let count = bytes.get(80..84).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        if count.is_some_and(|n| n > 0 && 84 + 50 * u64::from(n) == bytes.len() as u64) {
            return Some(Self::Stl);
        }
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
        if start.trim_start().starts_with("solid") && start.contains("facet") {
            return Some(Self::Stl);
        }
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("obj") => return Some(Self::Obj),
            Some("ply") => return Some(Self::Ply),
            Some("stl") => return Some(Self::Stl),
            _ => {}
        }
        let mut lines = start.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let number = |word: Option<&str>| word.is_some_and(|word| word.parse::<f64>().is_ok());
        let vertex = |line: &str| {
            let mut words = line.split_whitespace();
            matches!(words.next(), Some("v" | "vn" | "vt")) && number(words.next()) && number(words.next())
        };
        let known = |line: &&str| ["o ", "g ", "s ", "mtllib ", "usemtl "].iter().any(|word| line.starts_with(word));
        lines.find(|line| !known(line)).is_some_and(vertex).then_some(Self::Obj)
    }
}

/// Reads a mesh, and says what was left out of it. Polygons become fans of triangles; triangles with a corner that is no
/// number, or with the same corner twice, enclose nothing and are dropped.
///
/// # Errors
/// [`Fault::Input`] for what cannot be read or has no triangle, [`Fault::Limit`] above 67 million triangles.
pub fn read_mesh(bytes: &[u8], format: MeshFormat, name: &str) -> Result<(Mesh, Vec<String>)> {
    let mut mesh = match format {
        MeshFormat::Obj => read_obj(bytes),
        MeshFormat::Ply => read_ply(bytes),
        MeshFormat::Stl => read_stl(bytes),
    }
    .map_err(|reason| input_fault(format!("cannot read {name} as a mesh: {reason}")))?;
    if mesh.triangles.len() > TRIANGLES {
        return Err(Fault::Limit(format!("{name} has more than {TRIANGLES} triangles")).into());
    }
    let vertices = &mesh.vertices;
    if mesh.triangles.iter().flatten().any(|&v| v as usize >= vertices.len()) {
        return Err(input_fault(format!("cannot read {name} as a mesh: a face names a vertex that is not there")));
    }
    let all = mesh.triangles.len();
    // Beyond a single's range nothing can be said about a grid around it.
    let sound = |v: u32| vertices[v as usize].iter().all(|x| x.abs() < 1e30);
    mesh.triangles.retain(|&[a, b, c]| a != b && b != c && c != a && [a, b, c].into_iter().all(sound));
    let mut notes = Vec::new();
    if mesh.triangles.len() < all {
        notes.push(format!("{} triangles without an area were left out", all - mesh.triangles.len()));
    }
    if mesh.triangles.is_empty() {
        return Err(input_fault(format!("{name} has no triangles")));
    }
    Ok((mesh, notes))
}

impl Mesh {
    /// The corners of a triangle.
    pub fn corners(&self, triangle: [u32; 3]) -> [[f64; 3]; 3] {
        triangle.map(|v| self.vertices[v as usize])
    }

    /// The smallest box around the triangles: its low and its high corner.
    pub fn bounds(&self) -> [[f64; 3]; 2] {
        let mut bounds = [[f64::INFINITY; 3], [f64::NEG_INFINITY; 3]];
        for &v in self.triangles.iter().flatten() {
            for (axis, &x) in self.vertices[v as usize].iter().enumerate() {
                bounds[0][axis] = bounds[0][axis].min(x);
                bounds[1][axis] = bounds[1][axis].max(x);
            }
        }
        bounds
    }

    /// The same mesh with every corner moved.
    #[must_use]
    pub fn moved(&self, place: impl Fn([f64; 3]) -> [f64; 3]) -> Self {
        Self { vertices: self.vertices.iter().map(|&v| place(v)).collect(), triangles: self.triangles.clone() }
    }
}

fn read_obj(bytes: &[u8]) -> Result<Mesh, String> {
    let options = tobj::LoadOptions {
        triangulate: true,
        ignore_points: true,
        ignore_lines: true,
        ..tobj::LoadOptions::default()
    };
    // Materials lie in other files, which are of no use here.
    let materials = |_: &Path| Ok((Vec::new(), Default::default()));
    let (models, _) = tobj::load_obj_buf(&mut Cursor::new(bytes), &options, materials).map_err(|e| e.to_string())?;
    let mut mesh = Mesh::default();
    for model in models {
        let base = u32::try_from(mesh.vertices.len()).map_err(|_| "it has too many vertices".to_owned())?;
        mesh.vertices.extend(model.mesh.positions.as_chunks::<3>().0.iter().map(|p| p.map(f64::from)));
        let corners = model.mesh.indices.as_chunks::<3>().0;
        mesh.triangles.extend(corners.iter().map(|t| t.map(|v| v.saturating_add(base))));
    }
    Ok(mesh)
}

fn read_stl(bytes: &[u8]) -> Result<Mesh, String> {
    let indexed = stl_io::read_stl(&mut Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let corner = |v: &stl_io::Vertex| v.0.map(f64::from);
    let index = |v: usize| u32::try_from(v).map_err(|_| "it has too many vertices".to_owned());
    let triangle = |t: &stl_io::IndexedTriangle| -> Result<[u32; 3], String> {
        Ok([index(t.vertices[0])?, index(t.vertices[1])?, index(t.vertices[2])?])
    };
    let triangles = indexed.faces.iter().map(triangle).collect::<Result<_, _>>()?;
    Ok(Mesh { vertices: indexed.vertices.iter().map(corner).collect(), triangles })
}

#[derive(Debug)]
struct PlyVertex([f64; 3]);

#[derive(Debug)]
struct PlyFace(Vec<i64>);

/// Elements of other kinds: read over.
#[derive(Debug)]
struct PlyOther;

impl PropertyAccess for PlyVertex {
    fn new() -> Self {
        Self([f64::NAN; 3])
    }

    fn set_property(&mut self, name: &str, property: Property) -> PropertyAccessResult {
        let Some(axis) = ["x", "y", "z"].iter().position(|n| *n == name) else {
            return PropertyAccessResult::Ignored;
        };
        self.0[axis] = match property {
            Property::Char(v) => v.into(),
            Property::UChar(v) => v.into(),
            Property::Short(v) => v.into(),
            Property::UShort(v) => v.into(),
            Property::Int(v) => v.into(),
            Property::UInt(v) => v.into(),
            Property::Float(v) => v.into(),
            Property::Double(v) => v,
            _ => return PropertyAccessResult::Ignored,
        };
        PropertyAccessResult::Set
    }
}

impl PropertyAccess for PlyFace {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn set_property(&mut self, name: &str, property: Property) -> PropertyAccessResult {
        if !matches!(name, "vertex_indices" | "vertex_index") {
            return PropertyAccessResult::Ignored;
        }
        self.0 = match property {
            Property::ListChar(v) => v.into_iter().map(i64::from).collect(),
            Property::ListUChar(v) => v.into_iter().map(i64::from).collect(),
            Property::ListShort(v) => v.into_iter().map(i64::from).collect(),
            Property::ListUShort(v) => v.into_iter().map(i64::from).collect(),
            Property::ListInt(v) => v.into_iter().map(i64::from).collect(),
            Property::ListUInt(v) => v.into_iter().map(i64::from).collect(),
            _ => return PropertyAccessResult::Ignored,
        };
        PropertyAccessResult::Set
    }
}

impl PropertyAccess for PlyOther {
    fn new() -> Self {
        Self
    }
}

fn read_ply(bytes: &[u8]) -> Result<Mesh, String> {
    let plain = |e: ParseError| e.to_string();
    let mut reader = Reader::new(Cursor::new(bytes));
    let header = Parser::<PlyOther>::new().read_header(&mut reader).map_err(plain)?;
    let mut mesh = Mesh::default();
    let mut faces = Vec::new();
    for (name, element) in &header.elements {
        // Every property of every element takes a byte at least; an element without any would take none for ever.
        if element.count > bytes.len() || (element.count > 0 && element.properties.is_empty()) {
            return Err(format!("it claims {} elements `{name}` in {} bytes", element.count, bytes.len()));
        }
        match name.as_str() {
            "vertex" => {
                let read = Parser::<PlyVertex>::new().read_payload_for_element(&mut reader, element, &header);
                mesh.vertices = read.map_err(plain)?.into_iter().map(|v| v.0).collect();
            }
            "face" => {
                let read = Parser::<PlyFace>::new().read_payload_for_element(&mut reader, element, &header);
                faces = read.map_err(plain)?;
            }
            _ => {
                Parser::<PlyOther>::new().read_payload_for_element(&mut reader, element, &header).map_err(plain)?;
            }
        }
    }
    let missing = || "a face names a vertex that is not there".to_owned();
    for PlyFace(corners) in faces {
        let corners: Vec<u32> =
            corners.into_iter().map(u32::try_from).collect::<Result<_, _>>().map_err(|_| missing())?;
        let fan = corners.windows(2).skip(1).map(|pair| [corners[0], pair[0], pair[1]]);
        mesh.triangles.extend(fan);
    }
    Ok(mesh)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJ: &str = "# a pyramid\no it\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0.5 0.5 1\nl 1 2\nf 4 3 2 1\nf 1 2 5\nf 2//1 3//1 5//1\nf -3 -2 -1\nf 4 1 5\nvn 0 0 1\n";
    const PLY: &str = "ply\nformat ascii 1.0\ncomment a pyramid\nelement vertex 5\nproperty float x\nproperty double y\nproperty short z\nproperty uchar red\nelement face 5\nproperty list uchar int vertex_indices\nelement edge 1\nproperty int vertex1\nend_header\n0 0 0 9\n1 0 0 9\n1 1 0 9\n0 1 0 9\n0.5 0.5 1 9\n4 3 2 1 0\n3 0 1 4\n3 1 2 4\n3 2 3 4\n3 3 0 4\n7\n";

    fn read(bytes: &[u8], name: &str) -> Result<(Mesh, Vec<String>)> {
        let format = MeshFormat::of(bytes, Path::new(name)).unwrap();
        read_mesh(bytes, format, name)
    }

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "STL holds singles")]
    fn the_three_formats_hold_the_same_pyramid() {
        let (obj, notes) = read(OBJ.as_bytes(), "nameless").unwrap();
        assert_eq!((obj.triangles.len(), notes.len()), (6, 0));
        assert_eq!(obj.bounds(), [[0.0; 3], [1.0; 3]]);
        let (ply, _) = read(PLY.as_bytes(), "nameless").unwrap();
        // OBJ's vertices are numbered as its faces name them.
        let corners = |mesh: &Mesh| mesh.triangles.iter().map(|&t| mesh.corners(t)).collect::<Vec<_>>();
        assert_eq!(corners(&ply), corners(&obj));
        let triangles: Vec<_> = obj
            .triangles
            .iter()
            .map(|&t| stl_io::Triangle {
                normal: stl_io::Normal::new([0.0; 3]),
                vertices: obj.corners(t).map(|c| stl_io::Vertex::new(c.map(|x| x as f32))),
            })
            .collect();
        let mut binary = Cursor::new(Vec::new());
        stl_io::write_stl(&mut binary, triangles.iter()).unwrap();
        let (stl, _) = read(&binary.into_inner(), "nameless").unwrap();
        assert_eq!((stl.triangles.len(), stl.vertices.len()), (6, 5));
        let text = "solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\nendsolid a\n";
        assert_eq!(read(text.as_bytes(), "nameless").unwrap().0.triangles.len(), 1);
    }

    #[test]
    fn hostile_meshes_are_refused_or_cleaned() {
        assert!(read(b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "a.obj").unwrap_err().to_string().contains("no triangles"));
        assert!(read(b"v 0 0 0\nv 1 0 0\nf 1 2 9\n", "a.obj").is_err());
        assert!(read(b"v 0 0\nf 1 2 9\n", "a.obj").is_err());
        assert!(read(b"", "a.obj").is_err() && read(b"", "a.ply").is_err() && read(b"", "a.stl").is_err());
        let (cleaned, notes) =
            read(b"v nan 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 2 3 4\nf 2 2 4\n", "a.obj").unwrap();
        assert_eq!((cleaned.triangles.len(), notes.len()), (1, 1));
        for (from, to) in [("vertex 5", "vertex 99999999999"), ("face 5", "face 4000000"), ("4 3 2 1 0", "4 3 2 1 -7")]
        {
            assert!(read(PLY.replace(from, to).as_bytes(), "a.ply").is_err(), "{to}");
        }
        let bare = "ply\nformat binary_little_endian 1.0\nelement nothing 9000000000000000000\nend_header\n";
        assert!(read(bare.as_bytes(), "a.ply").is_err());
    }

    #[test]
    fn every_truncation_ends_in_a_result() {
        for text in [OBJ, PLY] {
            for end in 0..text.len() {
                let format = if text == OBJ { MeshFormat::Obj } else { MeshFormat::Ply };
                let _ = read_mesh(&text.as_bytes()[..end], format, "cut");
            }
        }
        let mut stl = vec![0; 84 + 50];
        stl[80] = 1;
        for end in 0..stl.len() {
            assert!(read_mesh(&stl[..end], MeshFormat::Stl, "cut").is_err());
        }
        stl[80..84].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read_mesh(&stl, MeshFormat::Stl, "huge").is_err());
    }
}
