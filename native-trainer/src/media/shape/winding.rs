//! Generalised winding numbers: how many times a mesh goes round a point, also where it has holes.
//!
//! Jacobson, Kavan and Sorkine-Hornung (2013) sum the solid angles of all triangles; Barill, Dickson, Schmidt, Levin and
//! Jacobson (2018) let a far group of triangles act as one small one. The tree here is of the first order, which is
//! exact to about a hundredth at the distance of [`FAR`] radii, where only one half counts.

use super::Mesh;

/// Radii of a group from which on it acts as one.
const FAR: f64 = 2.5;
/// Triangles of a group that is not split.
const LEAF: usize = 8;

/// A mesh prepared for questions.
#[derive(Debug)]
pub(super) struct Winding {
    triangles: Vec<[[f64; 3]; 3]>,
    /// The two parts of node `i` are `i + 1` and `right`.
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    centre: [f64; 3],
    radius: f64,
    /// Sum of the triangles' normals of the length of their areas.
    area: [f64; 3],
    first: usize,
    end: usize,
    right: Option<usize>,
}

impl Winding {
    /// Sorts the triangles into groups.
    pub(super) fn of(mesh: &Mesh) -> Self {
        let mut triangles: Vec<_> = mesh.triangles.iter().map(|&t| mesh.corners(t)).collect();
        let mut nodes = Vec::new();
        let end = triangles.len();
        build(&mut triangles, 0, end, &mut nodes);
        Self { triangles, nodes }
    }

    /// The winding number at a point: 1 inside of what faces outwards, -1 inside of what faces inwards, 0 outside.
    pub(super) fn at(&self, point: [f64; 3]) -> f64 {
        let mut sum = 0.0;
        let mut waiting = vec![0];
        while let Some(index) = waiting.pop() {
            let Some(node) = self.nodes.get(index) else { continue };
            let to = minus(node.centre, point);
            let square = dot(to, to);
            if square > (FAR * node.radius).powi(2) {
                sum += dot(node.area, to) / (square * square.sqrt());
            } else if let Some(right) = node.right {
                waiting.extend([index + 1, right]);
            } else {
                sum += self.triangles[node.first..node.end].iter().map(|t| solid_angle(t, point)).sum::<f64>();
            }
        }
        sum / (4.0 * std::f64::consts::PI)
    }
}

fn build(triangles: &mut [[[f64; 3]; 3]], first: usize, end: usize, nodes: &mut Vec<Node>) {
    let own = &mut triangles[first..end];
    let (mut centre, mut area, mut weight) = ([0.0; 3], [0.0; 3], 0.0);
    for t in &*own {
        let normal = cross(minus(t[1], t[0]), minus(t[2], t[0])).map(|x| x / 2.0);
        let size = dot(normal, normal).sqrt() + f64::MIN_POSITIVE;
        weight += size;
        for axis in 0..3 {
            area[axis] += normal[axis];
            centre[axis] += size * middle(t)[axis];
        }
    }
    let centre = centre.map(|x| x / weight);
    let radius = own.iter().flatten().map(|&c| dot(minus(c, centre), minus(c, centre))).fold(0.0, f64::max).sqrt();
    let index = nodes.len();
    nodes.push(Node { centre, radius, area, first, end, right: None });
    if end - first <= LEAF {
        return;
    }
    let extent = |axis: usize| {
        let along = own.iter().map(|t| middle(t)[axis]);
        along.clone().fold(f64::NEG_INFINITY, f64::max) - along.fold(f64::INFINITY, f64::min)
    };
    let axis = (0..3).max_by(|&a, &b| extent(a).total_cmp(&extent(b))).unwrap_or(0);
    let half = own.len() / 2;
    own.select_nth_unstable_by(half, |a, b| middle(a)[axis].total_cmp(&middle(b)[axis]));
    build(triangles, first, first + half, nodes);
    nodes[index].right = Some(nodes.len());
    build(triangles, first + half, end, nodes);
}

/// Van Oosterom and Strackee (1983).
fn solid_angle(triangle: &[[f64; 3]; 3], point: [f64; 3]) -> f64 {
    let [a, b, c] = triangle.map(|corner| minus(corner, point));
    let [la, lb, lc] = [a, b, c].map(|v| dot(v, v).sqrt());
    let height = dot(a, cross(b, c));
    2.0 * height.atan2(la * lb * lc + dot(a, b) * lc + dot(b, c) * la + dot(c, a) * lb)
}

fn middle(t: &[[f64; 3]; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| (t[0][axis] + t[1][axis] + t[2][axis]) / 3.0)
}

/// Small vectors, for this folder.
pub(super) fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[cfg(test)]
mod tests {
    use super::super::samples::ball;
    use super::*;
    use tessera_core::field::SplitMix64;

    #[test]
    fn groups_agree_with_the_sum_over_all_triangles() {
        let mut mesh = ball([0.0; 3], 1.0, 40);
        mesh.triangles.truncate(mesh.triangles.len() * 3 / 4);
        let winding = Winding::of(&mesh);
        let mut random = SplitMix64(4);
        for _ in 0..300 {
            let point = [0; 3].map(|_| f64::from(random.uniform(1.5)));
            let exact: f64 = mesh.triangles.iter().map(|&t| solid_angle(&mesh.corners(t), point)).sum();
            let exact = exact / (4.0 * std::f64::consts::PI);
            assert!((winding.at(point) - exact).abs() < 0.02, "{} and {exact}", winding.at(point));
        }
    }
}
