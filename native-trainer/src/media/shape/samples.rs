//! Meshes for tests.

use super::Mesh;

/// A ball of triangles along circles of latitude, facing outwards.
pub(crate) fn ball(centre: [f64; 3], radius: f64, circles: u32) -> Mesh {
    let around = 2 * circles;
    let mut vertices = vec![[0.0, 0.0, 1.0]];
    for ring in 1..circles {
        let polar = std::f64::consts::PI * f64::from(ring) / f64::from(circles);
        vertices.extend((0..around).map(|i| {
            let turn = std::f64::consts::TAU * f64::from(i) / f64::from(around);
            [polar.sin() * turn.cos(), polar.sin() * turn.sin(), polar.cos()]
        }));
    }
    vertices.push([0.0, 0.0, -1.0]);
    let last = u32::try_from(vertices.len() - 1).unwrap();
    let at = |ring: u32, i: u32| 1 + (ring - 1) * around + i % around;
    let mut triangles = Vec::new();
    for i in 0..around {
        triangles.push([0, at(1, i), at(1, i + 1)]);
        for ring in 1..circles - 1 {
            triangles.push([at(ring, i), at(ring + 1, i), at(ring + 1, i + 1)]);
            triangles.push([at(ring, i), at(ring + 1, i + 1), at(ring, i + 1)]);
        }
        triangles.push([at(circles - 1, i), last, at(circles - 1, i + 1)]);
    }
    Mesh { vertices, triangles }.moved(|v| std::array::from_fn(|axis| centre[axis] + radius * v[axis]))
}

/// A box of twelve triangles, facing outwards.
pub(crate) fn cube(low: [f64; 3], high: [f64; 3]) -> Mesh {
    let corner = |c: usize| std::array::from_fn(|axis| if c >> (2 - axis) & 1 == 1 { high[axis] } else { low[axis] });
    let quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]];
    let triangles = quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect();
    Mesh { vertices: (0..8).map(corner).collect(), triangles }
}

/// Several meshes in one.
pub(crate) fn joined(meshes: &[Mesh]) -> Mesh {
    let mut all = Mesh::default();
    for mesh in meshes {
        let base = u32::try_from(all.vertices.len()).unwrap();
        all.vertices.extend(&mesh.vertices);
        all.triangles.extend(mesh.triangles.iter().map(|t| t.map(|v| v + base)));
    }
    all
}
