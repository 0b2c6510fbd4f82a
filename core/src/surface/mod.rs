//! The surface of a shape as triangles: marching cubes, slice by slice, closed and without cracks.
//!
//! The samples are one grid whatever partition they came from, so the surface has no seams of its own. What lies beyond
//! the grid is outside, and so are absent samples ([`crate::signal::ABSENT`]): a shape that was cut off is capped, and
//! the result is always the border of a solid. The cases come from a rule instead of a published table (`table`),
//! because the tables in use leave edges with four triangles. Surface nets were the alternative; they touch themselves
//! wherever two diagonal cells of a face are filled.

mod table;

use std::collections::HashMap;

use table::{CENTRE, CORNERS, EDGES, cases};

/// Triangles around a solid.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Surface {
    /// Corners in sample units: sample `i` of an axis sits at `i`, axes in array order.
    pub positions: Vec<[f32; 3]>,
    /// Counter-clockwise as seen from outside.
    pub triangles: Vec<[u32; 3]>,
}

/// No vertex yet.
const NONE: u32 = u32::MAX;
/// A vertex keeps at least this share of its edge to either end, so that no triangle shrinks to a point.
const MARGIN: f32 = 1e-3;

/// Builds a [`Surface`] from slices of samples, of which it remembers one.
///
/// # Examples
/// ```
/// use tessera_core::surface::Extractor;
/// let mut extractor = Extractor::new(3, 3);
/// for slice in 0..3 {
///     let middle = |i: usize| if slice == 1 && i == 4 { 0.5 } else { -0.5 };
///     extractor.push(&(0..9).map(middle).collect::<Vec<f32>>());
/// }
/// let surface = extractor.finish();
/// assert_eq!((surface.positions.len(), surface.triangles.len()), (6, 8));
/// assert_eq!(surface.open_edges(), 0);
/// ```
#[derive(Debug)]
pub struct Extractor {
    rows: usize,
    columns: usize,
    /// Slices seen so far.
    slices: usize,
    before: Slice,
    surface: Surface,
}

/// One slice with a rim of outside, and the vertices on its edges along rows and columns.
#[derive(Debug, Clone)]
struct Slice {
    values: Vec<f32>,
    vertices: [Vec<u32>; 2],
}

impl Extractor {
    /// For slices of `rows` x `columns` samples.
    pub fn new(rows: usize, columns: usize) -> Self {
        let before = Slice::outside((rows + 2) * (columns + 2));
        Self { rows, columns, slices: 0, before, surface: Surface::default() }
    }

    /// The next slice along the first axis, `[rows, columns]`: positive inside, negative outside, NaN absent. A slice
    /// that is too short is filled up with outside.
    pub fn push(&mut self, slice: &[f32]) {
        let (rows, columns) = (self.rows, self.columns);
        let mut next = Slice::outside((rows + 2) * (columns + 2));
        for (row, values) in slice.chunks(columns.max(1)).take(rows).enumerate() {
            next.values[(row + 1) * (columns + 2) + 1..][..values.len()].copy_from_slice(values);
        }
        self.advance(next);
    }

    /// Closes the surface behind the last slice.
    pub fn finish(mut self) -> Surface {
        self.advance(Slice::outside(self.before.values.len()));
        self.surface
    }

    #[expect(clippy::cast_precision_loss, reason = "positions are those of a grid in memory")]
    fn advance(&mut self, mut next: Slice) {
        let width = self.columns + 2;
        // In sample units, of the corner of a cell with the smallest indices: the rim is at -1.
        let origin = |row: usize, column: usize| [self.slices as f32 - 1.0, row as f32 - 1.0, column as f32 - 1.0];
        let mut between = vec![NONE; next.values.len()];
        for row in 0..=self.rows {
            for column in 0..=self.columns {
                let at = |corner: usize| (row + (corner >> 1 & 1)) * width + column + (corner & 1);
                let mut values = [0.0; 8];
                let mut case = 0;
                for (corner, value) in values.iter_mut().enumerate() {
                    *value = if corner < 4 { self.before.values[at(corner)] } else { next.values[at(corner)] };
                    case |= usize::from(*value > 0.0) << corner;
                }
                if case == 0 || case == CORNERS {
                    continue;
                }
                let mut ids = [NONE; EDGES];
                for polygon in &cases()[case] {
                    for &edge in &polygon.edges {
                        let (axis, from) = table::edge(edge);
                        let known = match axis {
                            0 => &mut between[at(from)],
                            _ if from < 4 => &mut self.before.vertices[axis - 1][at(from)],
                            _ => &mut next.vertices[axis - 1][at(from)],
                        };
                        if *known == NONE {
                            let mut position = origin(row, column);
                            for (i, x) in position.iter_mut().enumerate() {
                                *x += (from >> (2 - i) & 1) as f32;
                            }
                            position[axis] += crossing(values[from], values[from | 4 >> axis]);
                            *known = self.surface.add(position);
                        }
                        ids[edge] = *known;
                    }
                    let centre = polygon.centred.then(|| self.surface.add_mean(polygon.edges.iter().map(|&e| ids[e])));
                    let id = |corner: usize| if corner == CENTRE { centre.unwrap_or(NONE) } else { ids[corner] };
                    self.surface.triangles.extend(polygon.triangles.iter().map(|t| t.map(id)));
                }
            }
        }
        self.before = next;
        self.slices += 1;
    }
}

impl Slice {
    fn outside(samples: usize) -> Self {
        Self { values: vec![f32::NAN; samples], vertices: [vec![NONE; samples], vec![NONE; samples]] }
    }
}

/// Where the values pass through zero, as a share of the way; half way next to what has no value.
fn crossing(from: f32, to: f32) -> f32 {
    let share = from / (from - to);
    if share.is_finite() { share.clamp(MARGIN, 1.0 - MARGIN) } else { 0.5 }
}

impl Surface {
    fn add(&mut self, position: [f32; 3]) -> u32 {
        self.positions.push(position);
        u32::try_from(self.positions.len() - 1).unwrap_or(NONE)
    }

    #[expect(clippy::cast_precision_loss, reason = "a polygon of a cell has at most twelve corners")]
    fn add_mean(&mut self, ids: impl ExactSizeIterator<Item = u32>) -> u32 {
        let count = ids.len() as f32;
        let mut mean = [0.0; 3];
        for id in ids {
            let position = self.positions[id as usize];
            mean.iter_mut().zip(position).for_each(|(m, x)| *m += x / count);
        }
        self.add(mean)
    }

    /// Edges that do not have exactly two triangles, one in each direction. A watertight surface has none.
    pub fn open_edges(&self) -> usize {
        let mut balance: HashMap<(u32, u32), [u32; 2]> = HashMap::new();
        for &[a, b, c] in &self.triangles {
            for (from, to) in [(a, b), (b, c), (c, a)] {
                balance.entry((from.min(to), from.max(to))).or_default()[usize::from(from < to)] += 1;
            }
        }
        balance.values().filter(|&&uses| uses != [1, 1]).count()
    }

    /// The enclosed volume, positive where triangles face outwards.
    pub fn volume(&self) -> f64 {
        let corner = |id: u32| self.positions[id as usize].map(f64::from);
        let six_volumes = self.triangles.iter().map(|t| {
            let [a, b, c] = t.map(corner);
            a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])
        });
        six_volumes.sum::<f64>() / 6.0
    }

    /// Normals of length one at the vertices: the mean of their triangles' normals by area.
    pub fn normals(&self) -> Vec<[f32; 3]> {
        let mut normals = vec![[0.0_f32; 3]; self.positions.len()];
        for t in &self.triangles {
            let [a, b, c] = t.map(|id| self.positions[id as usize]);
            let (u, v) = (subtract(b, a), subtract(c, a));
            let normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
            for &id in t {
                normals[id as usize].iter_mut().zip(normal).for_each(|(sum, x)| *sum += x);
            }
        }
        for normal in &mut normals {
            let length = normal.iter().map(|x| x * x).sum::<f32>().sqrt();
            *normal = if length > 0.0 { normal.map(|x| x / length) } else { [1.0, 0.0, 0.0] };
        }
        normals
    }
}

fn subtract(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::SplitMix64;

    fn extract(shape: [usize; 3], value: impl Fn([usize; 3]) -> f32) -> Surface {
        let mut extractor = Extractor::new(shape[1], shape[2]);
        for i in 0..shape[0] {
            let slice: Vec<f32> = (0..shape[1] * shape[2]).map(|n| value([i, n / shape[2], n % shape[2]])).collect();
            extractor.push(&slice);
        }
        extractor.finish()
    }

    #[test]
    fn a_ball_is_closed_and_faces_outwards() {
        let distance = |p: [usize; 3]| {
            let square: f32 = p.iter().zip([11.2, 12.1, 10.7]).map(|(&x, c)| (x as f32 - c).powi(2)).sum();
            8.0 - square.sqrt()
        };
        let surface = extract([24, 25, 22], distance);
        assert_eq!(surface.open_edges(), 0);
        let volume = 4.0 / 3.0 * std::f64::consts::PI * 512.0;
        assert!((surface.volume() / volume - 1.0).abs() < 0.01, "{} instead of {volume}", surface.volume());
        // One piece without handles: V - E + F = 2, and three edges belong to two triangles.
        assert_eq!(surface.positions.len(), 2 + surface.triangles.len() / 2);
        for (position, normal) in surface.positions.iter().zip(surface.normals()) {
            let out = subtract(*position, [11.2, 12.1, 10.7]);
            let along: f32 = out.iter().zip(normal).map(|(a, b)| a * b).sum();
            assert!(along > 0.95 * out.iter().map(|x| x * x).sum::<f32>().sqrt());
        }
    }

    /// Noise meets all 256 cases, beside absent samples, and up to the border of the grid.
    #[test]
    fn noise_is_closed_as_well() {
        for seed in 0..20 {
            let mut random = SplitMix64(seed);
            let noise: Vec<f32> = (0..13 * 14 * 15)
                .map(|i| match random.uniform(1.0) {
                    _ if i % 97 == 0 => f32::NAN,
                    x if i % 7 == 0 => x.signum() * 1e-30,
                    x => x,
                })
                .collect();
            let surface = extract([13, 14, 15], |[i, j, k]| noise[(i * 14 + j) * 15 + k]);
            assert!(surface.triangles.len() > 1000);
            assert_eq!(surface.open_edges(), 0);
            assert!(surface.volume() > 0.0);
        }
    }

    #[test]
    fn an_open_edge_is_found() {
        let mut surface = extract([3, 3, 3], |p| if p == [1, 1, 1] { 1.0 } else { -1.0 });
        surface.triangles.pop();
        assert_eq!(surface.open_edges(), 3);
        assert_eq!(extract([3, 3, 3], |_| -1.0), Surface::default());
    }
}
