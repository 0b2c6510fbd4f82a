//! How near two surfaces are: points drawn on both, and for each the nearest of the other surface's.
//!
//! Definitions as they are common for learned shapes (Mescheder et al., "Occupancy Networks", 2019): the Chamfer
//! distance is the mean of both directions' mean distances, not squared; normal consistency the mean absolute cosine
//! between the normals of such pairs. Points are drawn by area from a seed, so a figure can be had again; between two
//! sets of points on the *same* surface the distance is not zero but about half their spacing, which is reported as well.

use rayon::prelude::*;
use rstar::primitives::GeomWithData;
use rstar::{RTree, RTreeParams};
use serde::Serialize;
use tessera_core::field::SplitMix64;

use super::Mesh;
use super::winding::{cross, dot, minus};

/// Points on each surface.
pub const POINTS: usize = 100_000;

/// How near two surfaces are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Closeness {
    /// Mean distance between a point of one surface and the nearest point of the other, both ways, in the source's units.
    pub chamfer_distance: f64,
    /// The same over the longest side of the second surface's box.
    pub chamfer_relative: f64,
    /// What the distance would be between two draws from the second surface: the floor of the measurement.
    pub chamfer_floor: f64,
    /// Mean absolute cosine between the normals of such pairs, 0 to 1.
    pub normal_consistency: f64,
}

/// Points with their normals.
type Drawn = Vec<([f64; 3], [f64; 3])>;
type Tree = RTree<GeomWithData<[f64; 3], [f64; 3]>, Broad>;

/// Wider nodes than the library's: the points do not change.
#[derive(Debug)]
struct Broad;

impl RTreeParams for Broad {
    const MIN_SIZE: usize = 8;
    const MAX_SIZE: usize = 16;
    const REINSERTION_COUNT: usize = 4;
    type DefaultInsertionStrategy = rstar::RStarInsertionStrategy;
}

/// Compares two meshes by `points` points on each. `None` where one has no area.
pub fn closeness(a: &Mesh, b: &Mesh, points: usize, seed: u64) -> Option<Closeness> {
    let (from_a, from_b, again) = (draw(a, points, seed)?, draw(b, points, seed ^ 1)?, draw(b, points, seed ^ 2)?);
    let (tree_a, tree_b) = (tree(&from_a), tree(&from_b));
    let (there, back, floor) = (nearest(&from_a, &tree_b), nearest(&from_b, &tree_a), nearest(&again, &tree_b));
    let [low, high] = b.bounds();
    let longest = (0..3).map(|axis| high[axis] - low[axis]).fold(f64::MIN_POSITIVE, f64::max);
    let chamfer_distance = (there.0 + back.0) / 2.0;
    Some(Closeness {
        chamfer_distance,
        chamfer_relative: chamfer_distance / longest,
        chamfer_floor: floor.0,
        normal_consistency: (there.1 + back.1) / 2.0,
    })
}

/// Points drawn uniformly from a surface, with the normals of their triangles.
fn draw(mesh: &Mesh, points: usize, seed: u64) -> Option<Drawn> {
    let normal = |t: [u32; 3]| {
        let [a, b, c] = mesh.corners(t);
        cross(minus(b, a), minus(c, a))
    };
    let mut sum = 0.0;
    let areas: Vec<f64> = mesh
        .triangles
        .iter()
        .map(|&t| {
            sum += dot(normal(t), normal(t)).sqrt();
            sum
        })
        .collect();
    if !(sum.is_finite() && sum > 0.0) {
        return None;
    }
    let mut random = SplitMix64(seed);
    let mut unit = || (f64::from(random.uniform(1.0)) + 1.0) / 2.0;
    let one = |_| {
        let at = unit() * sum;
        let place = areas.partition_point(|&a| a <= at).min(areas.len() - 1);
        let triangle = mesh.triangles[place];
        let [a, b, c] = mesh.corners(triangle);
        // The square root makes the density even.
        let (root, share) = (unit().sqrt(), unit());
        let weights = [1.0 - root, root * (1.0 - share), root * share];
        let point = std::array::from_fn(|i| weights[0] * a[i] + weights[1] * b[i] + weights[2] * c[i]);
        let normal = normal(triangle);
        let length = dot(normal, normal).sqrt();
        (point, normal.map(|x| x / length.max(f64::MIN_POSITIVE)))
    };
    Some((0..points).map(one).collect())
}

fn tree(points: &Drawn) -> Tree {
    RTree::bulk_load_with_params(points.iter().map(|&(point, normal)| GeomWithData::new(point, normal)).collect())
}

/// Mean distance to the nearest point of `tree`, and mean absolute cosine with its normal.
#[expect(clippy::cast_precision_loss, reason = "a number of points")]
fn nearest(points: &Drawn, tree: &Tree) -> (f64, f64) {
    // Parts of a fixed size keep the order of the sum, whatever the number of threads.
    let parts: Vec<(f64, f64)> = points
        .par_chunks(1024)
        .map(|part| {
            let pairs = part.iter().filter_map(|(point, normal)| {
                let found = tree.nearest_neighbor(point)?;
                let off = minus(*found.geom(), *point);
                Some((dot(off, off).sqrt(), dot(found.data, *normal).abs()))
            });
            pairs.fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1))
        })
        .collect();
    let sum = parts.iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    (sum.0 / points.len().max(1) as f64, sum.1 / points.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ball, cube};
    use super::*;

    #[test]
    fn two_balls_are_as_far_apart_as_their_radii() {
        let (inner, outer) = (ball([1.0, 2.0, 3.0], 1.0, 60), ball([1.0, 2.0, 3.0], 1.25, 60));
        let found = closeness(&inner, &outer, 20_000, 1).unwrap();
        assert!((found.chamfer_distance - 0.25).abs() < 0.005, "{found:?}");
        assert!((found.chamfer_relative - 0.1).abs() < 0.002 && found.normal_consistency > 0.995, "{found:?}");
        let same = closeness(&inner, &inner, 20_000, 1).unwrap();
        assert!(
            (same.chamfer_distance / same.chamfer_floor - 1.0).abs() < 0.05 && same.chamfer_floor < 0.02,
            "{same:?}"
        );
        assert_eq!(same, closeness(&inner, &inner, 20_000, 1).unwrap());
        assert_ne!(same, closeness(&inner, &inner, 20_000, 2).unwrap());
    }

    #[test]
    fn points_follow_the_area() {
        let points = draw(&cube([0.0; 3], [1.0, 1.0, 8.0]), 34_000, 7).unwrap();
        let ends = points.iter().filter(|(p, _)| p[2] < 1e-9 || p[2] > 8.0 - 1e-9).count();
        assert!((1800..2200).contains(&ends), "{ends} of 34,000 on 2 of 34 units of area");
        assert!(draw(&Mesh::default(), 10, 7).is_none());
    }
}
