//! Distances from the samples of a grid to a mesh, up to a limit.
//!
//! Every triangle visits the samples within the limit of it: exact, and as fast as the band is narrow. (Sweeping
//! nearest triangles over the whole grid gives distances everywhere, which a truncated field does not keep.)

use anyhow::Result;
use rayon::prelude::*;

use super::Mesh;
use super::winding::{dot, minus};
use crate::errors::Fault;

/// Distances that are computed at most: minutes of work.
const WORK: f64 = 2e10;
/// Slices of a part of the grid that one thread fills.
const SLICES: usize = 8;

/// For every sample of a grid of `shape`, row-major, the distance to the nearest triangle of `mesh` (in sample units), or
/// `limit` where that is less.
///
/// # Errors
/// [`Fault::Limit`] for many triangles that each reach over much of the grid.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "places of a grid in memory")]
pub(super) fn distances(mesh: &Mesh, shape: [usize; 3], limit: f64) -> Result<Vec<f32>> {
    let visits = |&t: &[u32; 3]| -> f64 {
        let corners = mesh.corners(t);
        (0..3).map(|axis| near(&corners, axis, limit, 0..shape[axis]).len() as f64).product()
    };
    if mesh.triangles.par_iter().map(visits).sum::<f64>() > WORK {
        return Err(Fault::Limit("the mesh covers the grid too many times over; simplify it".to_owned()).into());
    }
    let slice = shape[1] * shape[2];
    let mut squares = vec![(limit * limit) as f32; shape[0] * slice];
    let parts = shape[0].div_ceil(SLICES);
    let mut by_part: Vec<Vec<[[f64; 3]; 3]>> = vec![Vec::new(); parts];
    for &t in &mesh.triangles {
        let corners = mesh.corners(t);
        let range = near(&corners, 0, limit, 0..shape[0]);
        if !range.is_empty() {
            by_part[range.start / SLICES..=(range.end - 1) / SLICES].iter_mut().for_each(|part| part.push(corners));
        }
    }
    squares.par_chunks_mut((SLICES * slice).max(1)).zip(by_part).enumerate().for_each(
        |(part, (squares, triangles))| {
            let first = part * SLICES;
            for corners in &triangles {
                let [rows, columns] = [1, 2].map(|axis| near(corners, axis, limit, 0..shape[axis]));
                for place in near(corners, 0, limit, first..first + squares.len() / slice) {
                    for row in rows.clone() {
                        for column in columns.clone() {
                            let square = square_distance(corners, [place as f64, row as f64, column as f64]) as f32;
                            let known = &mut squares[(place - first) * slice + row * shape[2] + column];
                            *known = known.min(square);
                        }
                    }
                }
            }
        },
    );
    squares.par_iter_mut().for_each(|square| *square = square.sqrt());
    Ok(squares)
}

/// The samples of `range` that are within `limit` of the triangle's extent along an axis.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped; float casts saturate")]
fn near(corners: &[[f64; 3]; 3], axis: usize, limit: f64, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let along = corners.map(|c| c[axis]);
    let low = (along.into_iter().fold(f64::INFINITY, f64::min) - limit).ceil().max(0.0) as usize;
    let high = (along.into_iter().fold(f64::NEG_INFINITY, f64::max) + limit).floor();
    let end = if high < 0.0 { 0 } else { (high as usize).saturating_add(1) };
    let start = low.clamp(range.start, range.end);
    start..end.clamp(start, range.end)
}

/// The square of the distance of a point to a triangle: the point's shadow lies in the triangle, or an edge is nearest.
pub(super) fn square_distance(triangle: &[[f64; 3]; 3], point: [f64; 3]) -> f64 {
    let [a, b, c] = *triangle;
    let (u, v, w) = (minus(b, a), minus(c, a), minus(point, a));
    let (uu, uv, vv, wu, wv) = (dot(u, u), dot(u, v), dot(v, v), dot(w, u), dot(w, v));
    let area = uu * vv - uv * uv;
    let (s, t) = (vv * wu - uv * wv, uu * wv - uv * wu);
    if area > 0.0 && s >= 0.0 && t >= 0.0 && s + t <= area {
        let (s, t) = (s / area, t / area);
        let off: [f64; 3] = std::array::from_fn(|i| w[i] - s * u[i] - t * v[i]);
        return dot(off, off);
    }
    [(a, b), (b, c), (c, a)].into_iter().map(|(from, to)| to_edge(from, to, point)).fold(f64::INFINITY, f64::min)
}

fn to_edge(from: [f64; 3], to: [f64; 3], point: [f64; 3]) -> f64 {
    let (along, off) = (minus(to, from), minus(point, from));
    let length = dot(along, along);
    let share = if length > 0.0 { (dot(off, along) / length).clamp(0.0, 1.0) } else { 0.0 };
    let rest: [f64; 3] = std::array::from_fn(|i| off[i] - share * along[i]);
    dot(rest, rest)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ball, cube};
    use super::*;

    #[test]
    fn distances_of_a_cube_are_exact() {
        let found = distances(&cube([4.0; 3], [9.0; 3]), [14, 15, 16], 3.0).unwrap();
        for (i, &distance) in found.iter().enumerate() {
            let place = [i / 240, i / 16 % 15, i % 16].map(|p| p as f64);
            let beyond = place.map(|p| (4.0 - p).max(p - 9.0).max(0.0));
            let outside = dot(beyond, beyond).sqrt();
            let depth = place.map(|p| (p - 4.0).min(9.0 - p)).into_iter().fold(f64::INFINITY, f64::min);
            let expected = if outside > 0.0 { outside } else { depth }.min(3.0);
            assert!((f64::from(distance) - expected).abs() < 1e-5, "{place:?}: {distance} and {expected}");
        }
    }

    #[test]
    fn a_ball_that_reaches_beyond_the_grid_is_no_trouble() {
        let found = distances(&ball([0.0; 3], 6.0, 64), [9; 3], 2.0).unwrap();
        assert!((found[0] - 2.0).abs() < 1e-6 && found[6 * 81] < 0.05);
    }
}
