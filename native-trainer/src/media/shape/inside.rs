//! Which samples of a grid lie inside a mesh that may be broken.
//!
//! Every sample lies on three lines of the grid, one along each axis. A line counts its crossings with the mesh: where
//! orientations cancel over the whole line, a sample is inside if those before it do not (overlapping parts are one
//! solid then); where they do not, by odd and even; and a line with an odd number of crossings met a hole and says
//! nothing. What two lines say without a third against them stands. The few samples that are left (holes, flipped or doubled
//! faces) are asked for their generalised winding number ([`super::winding`]).
//!
//! Lines alone are wrong where two holes face each other; the winding number alone would cost a walk through a tree for
//! every sample of the grid, and depends on consistent faces. Together they are as fast as drawing the triangles, for on
//! a sound mesh the lines always agree.

use anyhow::Result;
use rayon::prelude::*;

use super::Mesh;
use super::winding::Winding;
use crate::errors::Fault;

/// Crossings of the lines along one axis at most: 1 GiB of them.
const CROSSINGS: usize = 1 << 26;
/// Places where triangles and lines are compared, at most.
const WORK: f64 = 1e11;

/// Where a line passes through a triangle.
#[derive(Debug, Clone, Copy)]
struct Crossing {
    line: u32,
    /// Along the line, in sample units.
    at: f32,
    /// Whether the triangle faces back along the line.
    enters: bool,
}

/// For every sample of a grid of `shape`, row-major, whether it is inside of `mesh`, which is in sample units; and how
/// many samples had to be asked for their winding number.
///
/// # Errors
/// [`Fault::Limit`] for meshes that cover the grid too many times over.
pub(super) fn inside(mesh: &Mesh, shape: [usize; 3]) -> Result<(Vec<bool>, usize)> {
    let mut votes = vec![0_i8; shape.iter().product()];
    for axis in 0..3 {
        vote(mesh, shape, axis, &mut votes)?;
    }
    let doubtful: Vec<usize> = (0..votes.len()).filter(|&i| votes[i].abs() < 2).collect();
    let mut inside: Vec<bool> = votes.iter().map(|&v| v >= 2).collect();
    if !doubtful.is_empty() {
        let winding = Winding::of(mesh);
        #[expect(clippy::cast_precision_loss, reason = "indices of a grid in memory")]
        let position =
            |i: usize| [i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]].map(|place| place as f64);
        let found: Vec<bool> = doubtful.par_iter().map(|&i| winding.at(position(i)).abs() > 0.5).collect();
        doubtful.iter().zip(found).for_each(|(&i, found)| inside[i] = found);
    }
    Ok((inside, doubtful.len()))
}

/// Adds one to the samples that the lines along `axis` find inside, and takes one from those that they find outside.
fn vote(mesh: &Mesh, shape: [usize; 3], axis: usize, votes: &mut [i8]) -> Result<()> {
    let crossings = crossings(mesh, shape, axis)?;
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    let strides = [shape[1] * shape[2], shape[2], 1];
    let mut rest = crossings.as_slice();
    for line in 0..shape[u] * shape[v] {
        let count = rest.iter().take_while(|c| c.line as usize == line).count();
        let (own, others) = rest.split_at(count);
        rest = others;
        if count % 2 == 1 {
            continue;
        }
        let total: i32 = own.iter().map(Crossing::sign).sum();
        let first = line / shape[v] * strides[u] + line % shape[v] * strides[v];
        let (mut passed, mut turns) = (0, 0);
        for place in 0..shape[axis] {
            #[expect(clippy::cast_precision_loss, reason = "an index along an axis")]
            while passed < count && own[passed].at <= place as f32 {
                turns += own[passed].sign();
                passed += 1;
            }
            let inside = if total == 0 { turns != 0 } else { passed % 2 == 1 };
            votes[first + place * strides[axis]] += if inside { 1 } else { -1 };
        }
    }
    Ok(())
}

impl Crossing {
    fn sign(&self) -> i32 {
        if self.enters { 1 } else { -1 }
    }
}

/// All crossings of the lines along `axis`, sorted by line and position.
fn crossings(mesh: &Mesh, shape: [usize; 3], axis: usize) -> Result<Vec<Crossing>> {
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    let too_many = || Fault::Limit("the mesh covers the grid too many times over; simplify it".to_owned());
    let boxes = |corners: &[[f64; 3]; 3]| [span(corners, u, shape[u]), span(corners, v, shape[v])];
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let work: f64 = mesh
        .triangles
        .par_iter()
        .map(|&t| boxes(&mesh.corners(t)).iter().map(|r| r.len() as f64).product::<f64>())
        .sum();
    if work > WORK {
        return Err(too_many().into());
    }
    let mut crossings: Vec<Crossing> = Vec::new();
    for chunk in mesh.triangles.chunks(1 << 16) {
        let found: Vec<Crossing> = chunk
            .par_iter()
            .flat_map_iter(|&t| {
                let corners = mesh.corners(t);
                let [rows, columns] = boxes(&corners);
                let flat = corners.map(|c| [c[u], c[v]]);
                rows.flat_map(move |row| columns.clone().map(move |column| (row, column))).filter_map(
                    move |(row, column)| {
                        #[expect(clippy::cast_precision_loss, reason = "indices of a grid")]
                        let (weights, enters) = cover(&flat, [row as f64, column as f64])?;
                        #[expect(clippy::cast_possible_truncation, reason = "a position is compared with integers")]
                        let at = (weights[0] * corners[0][axis]
                            + weights[1] * corners[1][axis]
                            + weights[2] * corners[2][axis]) as f32;
                        let line = u32::try_from(row * shape[v] + column).ok()?;
                        Some(Crossing { line, at, enters })
                    },
                )
            })
            .collect();
        crossings.extend(found);
        if crossings.len() > CROSSINGS {
            return Err(too_many().into());
        }
    }
    crossings.par_sort_unstable_by(|a, b| a.line.cmp(&b.line).then(a.at.total_cmp(&b.at)));
    Ok(crossings)
}

/// The samples of an axis of `n` that lie between the corners.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the axis; casts saturate")]
fn span(corners: &[[f64; 3]; 3], axis: usize, n: usize) -> std::ops::Range<usize> {
    let along = corners.map(|c| c[axis]);
    let low = along.into_iter().fold(f64::INFINITY, f64::min).ceil().max(0.0) as usize;
    let high = along.into_iter().fold(f64::NEG_INFINITY, f64::max).floor();
    if high < 0.0 { 0..0 } else { low..(high as usize + 1).min(n).max(low) }
}

/// The weights of the corners of a flat triangle at `point`, and whether it runs clockwise; `None` where it does not
/// cover the point. A point on an edge belongs to one of its two triangles, as if it had been moved by less than
/// anything.
fn cover(corners: &[[f64; 2]; 3], point: [f64; 2]) -> Option<([f64; 3], bool)> {
    let mut areas = [0.0; 3];
    let mut left = 0;
    for (i, area) in areas.iter_mut().enumerate() {
        let (from, to) = (corners[(i + 1) % 3], corners[(i + 2) % 3]);
        // Both triangles of an edge compute the same number for it.
        let swapped = from > to;
        let (a, b) = if swapped { (to, from) } else { (from, to) };
        let value = (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]);
        let side = if value != 0.0 {
            value
        } else if b[1] == a[1] {
            b[0] - a[0]
        } else {
            a[1] - b[1]
        };
        if side == 0.0 {
            return None;
        }
        left += usize::from((side > 0.0) != swapped);
        *area = value.abs();
    }
    let sum: f64 = areas.iter().sum();
    match left {
        0 | 3 if sum > 0.0 => Some((areas.map(|a| a / sum), left == 0)),
        0 | 3 => Some(([1.0 / 3.0; 3], left == 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ball, cube, joined};
    use super::*;
    use tessera_core::field::SplitMix64;

    const SHAPE: [usize; 3] = [40, 42, 44];
    const CENTRE: [f64; 3] = [19.5, 20.25, 21.0];
    const RADIUS: f64 = 15.3;

    /// Samples that differ from a ball of [`RADIUS`], those within `margin` of its surface aside.
    fn wrong(mesh: &Mesh, margin: f64) -> (usize, usize) {
        let (found, doubtful) = inside(mesh, SHAPE).unwrap();
        let mut wrong = 0;
        for (i, &found) in found.iter().enumerate() {
            let place = [i / (SHAPE[1] * SHAPE[2]), i / SHAPE[2] % SHAPE[1], i % SHAPE[2]];
            let square: f64 = place.iter().zip(CENTRE).map(|(&p, c)| (p as f64 - c).powi(2)).sum();
            let depth = RADIUS - square.sqrt();
            wrong += usize::from(depth.abs() > margin && found != (depth > 0.0));
        }
        (wrong, doubtful)
    }

    #[test]
    fn a_sound_mesh_needs_no_second_opinion_whatever_its_winding() {
        let mesh = ball(CENTRE, RADIUS, 48);
        assert_eq!(wrong(&mesh, 0.2), (0, 0));
        let mut turned = mesh;
        turned.triangles.iter_mut().for_each(|t| t.swap(0, 1));
        assert_eq!(wrong(&turned, 0.2), (0, 0));
    }

    /// Corners, edges and faces that pass exactly through samples.
    #[test]
    fn a_cube_on_the_grid_has_its_exact_number_of_samples() {
        for offset in [0.0, 0.5] {
            let mesh = cube([3.0 + offset; 3], [9.0 + offset; 3]);
            let (found, doubtful) = inside(&mesh, [14, 13, 15]).unwrap();
            assert_eq!((found.iter().filter(|&&f| f).count(), doubtful), (216, 0));
        }
    }

    #[test]
    fn a_ball_with_holes_stays_a_ball() {
        let mut random = SplitMix64(5);
        let mut mesh = ball(CENTRE, RADIUS, 48);
        let all = mesh.triangles.len();
        mesh.triangles.retain(|_| random.below(20) > 0);
        assert!(mesh.triangles.len() < all - 100);
        let (wrong, doubtful) = wrong(&mesh, 1.5);
        assert!(wrong <= 3 && doubtful > 0, "{wrong} wrong of {doubtful}");
    }

    #[test]
    fn a_large_opening_is_closed_by_the_winding_number() {
        let mut mesh = ball(CENTRE, RADIUS, 48);
        let vertices = mesh.vertices.clone();
        // A cap of a fifth of the diameter is missing.
        mesh.triangles.retain(|t| t.iter().all(|&v| vertices[v as usize][2] < CENTRE[2] + 0.6 * RADIUS));
        let (found, _) = inside(&mesh, SHAPE).unwrap();
        let volume = found.iter().filter(|&&f| f).count() as f64;
        let whole = 4.0 / 3.0 * std::f64::consts::PI * RADIUS.powi(3);
        assert!(volume > 0.85 * whole && volume < whole, "{volume} of {whole}");
    }

    #[test]
    fn flipped_and_doubled_faces_do_not_matter() {
        let mut random = SplitMix64(6);
        let mut mesh = ball(CENTRE, RADIUS, 48);
        for t in &mut mesh.triangles {
            if random.below(12) == 0 {
                t.swap(1, 2);
            }
        }
        let (flipped, _) = wrong(&mesh, 0.2);
        assert!(flipped <= 10, "{flipped}");
        let mut doubled = ball(CENTRE, RADIUS, 48);
        let extra: Vec<_> = doubled.triangles.iter().copied().filter(|_| random.below(30) == 0).collect();
        doubled.triangles.extend(extra);
        let (wrong, _) = wrong(&doubled, 0.2);
        assert!(wrong <= 3, "{wrong}");
    }

    #[test]
    fn overlapping_parts_are_one_solid_and_cavities_stay() {
        let two = joined(&[cube([2.3; 3], [9.3; 3]), cube([6.3; 3], [12.3; 3])]);
        let count = |mesh: &Mesh| inside(mesh, [16; 3]).unwrap().0.iter().filter(|&&f| f).count();
        assert_eq!(count(&two), 343 + 216 - 27);
        let mut hollow = cube([5.3; 3], [8.3; 3]);
        hollow.triangles.iter_mut().for_each(|t| t.swap(0, 1));
        assert_eq!(count(&joined(&[cube([2.3; 3], [12.3; 3]), hollow])), 1000 - 27);
    }

    /// Two cubes that share an edge, of which four triangles make use.
    #[test]
    fn an_edge_of_four_triangles_is_no_obstacle() {
        let mesh = joined(&[cube([2.5, 2.5, 2.5], [5.5, 5.5, 6.5]), cube([5.5, 5.5, 2.5], [8.5, 8.5, 6.5])]);
        let (found, doubtful) = inside(&mesh, [11; 3]).unwrap();
        assert_eq!((found.iter().filter(|&&f| f).count(), doubtful), (72, 0));
    }

    #[test]
    fn a_sheet_encloses_nothing() {
        let mut sheet = cube([2.3; 3], [9.3; 3]);
        sheet.triangles.truncate(1);
        let (found, _) = inside(&sheet, [12; 3]).unwrap();
        assert!(!found.contains(&true));
    }
}
