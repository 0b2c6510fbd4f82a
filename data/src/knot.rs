//! The sample shape: a trefoil knot of a fluted band that swells and twists on its way, as a closed mesh in binary PLY.
//!
//! Most of the box around it is empty, thin and thick places follow each other, and the flutes are edges: what a field of
//! a shape has to deal with.

use crate::maths::{bell, cosine, sine};

/// Rings along the knot, and corners of each ring.
const RINGS: u32 = 360;
const CORNERS: u32 = 40;

/// A point or a direction.
type Vector = [f64; 3];

/// The mesh as the bytes of a PLY file: singles, and triangles that face outwards.
pub(crate) fn draw() -> Vec<u8> {
    let mut bytes = format!(
        "ply\nformat binary_little_endian 1.0\ncomment a fluted knot, drawn by Tessera\nelement vertex {}\n\
         property float x\nproperty float y\nproperty float z\nelement face {}\n\
         property list uchar uint vertex_indices\nend_header\n",
        RINGS * CORNERS,
        2 * RINGS * CORNERS
    )
    .into_bytes();
    for ring in 0..RINGS {
        let along = f64::from(ring) / f64::from(RINGS);
        let (centre, forward) = (path(along), direction(along));
        // A frame that needs no memory of the ring before: the knot never runs along the radius from the axis.
        let side = unit(cross(forward, unit([centre[0], centre[1], 0.35])));
        let up = cross(side, forward);
        for corner in 0..CORNERS {
            let turn = f64::from(corner) / f64::from(CORNERS);
            let radius = radius(along, turn);
            let (s, c) = (sine(turn), cosine(turn));
            for axis in 0..3 {
                let place = centre[axis] + radius * (c * side[axis] + s * up[axis]);
                #[expect(clippy::cast_possible_truncation, reason = "the file holds singles")]
                bytes.extend((place as f32).to_le_bytes());
            }
        }
    }
    for ring in 0..RINGS {
        for corner in 0..CORNERS {
            let at = |r: u32, c: u32| (ring + r) % RINGS * CORNERS + (corner + c) % CORNERS;
            for triangle in [[at(0, 0), at(1, 1), at(0, 1)], [at(0, 0), at(1, 0), at(1, 1)]] {
                bytes.push(3);
                bytes.extend(triangle.iter().flat_map(|v| v.to_le_bytes()));
            }
        }
    }
    bytes
}

/// The trefoil, once around for `t` from 0 to 1.
fn path(t: f64) -> Vector {
    [sine(t) + 2.0 * sine(2.0 * t), cosine(t) - 2.0 * cosine(2.0 * t), -1.15 * sine(3.0 * t)]
}

/// Where it goes, up to its length.
fn direction(t: f64) -> Vector {
    unit([cosine(t) + 4.0 * cosine(2.0 * t), -sine(t) + 4.0 * sine(2.0 * t), -3.45 * cosine(3.0 * t)])
}

/// The band's half thickness: three swellings, six flutes that go round once, and a bead every twelfth of the way.
fn radius(along: f64, turn: f64) -> f64 {
    let swelling = 0.46 + 0.1 * cosine(3.0 * along + 0.2);
    let flutes = 0.055 * cosine(6.0 * turn + 6.0 * along);
    let phase = 12.0 * along;
    let bead = 0.08 * bell((phase - (phase + 0.5).floor()) * 6.0);
    swelling + flutes + bead
}

fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(v: Vector) -> Vector {
    let length = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    v.map(|x| x / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mesh_is_closed_and_faces_outwards() {
        let bytes = draw();
        let text = b"end_header\n";
        let start = bytes.windows(text.len()).position(|w| w == text).expect("a header") + text.len();
        let (vertices, faces) = bytes[start..].split_at((RINGS * CORNERS * 12) as usize);
        let single = |at: usize| f64::from(f32::from_le_bytes(vertices[at * 4..at * 4 + 4].try_into().expect("four")));
        let corner = |id: u32| -> Vector { std::array::from_fn(|axis| single(id as usize * 3 + axis)) };
        let mut edges = std::collections::HashMap::new();
        let mut volume = 0.0;
        assert_eq!(faces.len(), (2 * RINGS * CORNERS * 13) as usize);
        for face in faces.chunks_exact(13) {
            let id = |i: usize| u32::from_le_bytes(face[1 + 4 * i..5 + 4 * i].try_into().expect("four"));
            let ids = [id(0), id(1), id(2)];
            for i in 0..3 {
                *edges.entry((ids[i], ids[(i + 1) % 3])).or_insert(0) += 1;
            }
            let [a, b, c] = ids.map(corner);
            let normal = cross(b, c);
            volume += (a[0] * normal[0] + a[1] * normal[1] + a[2] * normal[2]) / 6.0;
        }
        assert!(edges.iter().all(|(&(a, b), &uses)| uses == 1 && edges.contains_key(&(b, a))));
        assert!(volume > 10.0 && volume < 30.0, "{volume}");
    }
}
