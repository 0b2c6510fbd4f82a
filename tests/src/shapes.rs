//! Small meshes as OBJ text.

use std::fmt::Write as _;

/// A ball of triangles with outward faces.
pub fn ball(centre: [f64; 3], radius: f64) -> String {
    let (circles, around) = (24, 48);
    let mut vertices = vec![[0.0, 0.0, 1.0]];
    for ring in 1..circles {
        let polar = std::f64::consts::PI * f64::from(ring) / f64::from(circles);
        vertices.extend((0..around).map(|i| {
            let turn = std::f64::consts::TAU * f64::from(i) / f64::from(around);
            [polar.sin() * turn.cos(), polar.sin() * turn.sin(), polar.cos()]
        }));
    }
    vertices.push([0.0, 0.0, -1.0]);
    let mut text = String::new();
    for vertex in &vertices {
        let [x, y, z]: [f64; 3] = std::array::from_fn(|axis| centre[axis] + radius * vertex[axis]);
        let _ = writeln!(text, "v {x} {y} {z}");
    }
    // OBJ counts from 1.
    let at = |ring: i32, i: i32| 2 + (ring - 1) * around + i % around;
    for i in 0..around {
        let _ = writeln!(text, "f 1 {} {}", at(1, i), at(1, i + 1));
        for ring in 1..circles - 1 {
            let quad = [at(ring, i), at(ring + 1, i), at(ring + 1, i + 1), at(ring, i + 1)];
            let _ = writeln!(text, "f {} {} {} {}", quad[0], quad[1], quad[2], quad[3]);
        }
        let _ = writeln!(text, "f {} {} {}", at(circles - 1, i), vertices.len(), at(circles - 1, i + 1));
    }
    text
}
