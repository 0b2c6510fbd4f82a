//! Which polygons cut a cell, for each of the 256 ways in which its corners are inside or outside.
//!
//! On every face of a cell, each run of inside corners is cut off by one segment from where the outline of the face
//! enters it to where it leaves. That depends on the four corners of the face alone, so the two cells of a face agree,
//! and every segment has one polygon on either side. Polygons are cut into triangles by diagonals that run through the
//! cell, never along a face, where the neighbour might draw the same one; where there is no such diagonal, they meet in
//! a new vertex in the middle.

use std::sync::LazyLock;

/// The case of a cell that is all inside.
pub(super) const CORNERS: usize = 255;
/// Edges of a cell.
pub(super) const EDGES: usize = 12;
/// In a triangle: the vertex in the middle of the polygon.
pub(super) const CENTRE: usize = EDGES;

/// One closed line over the faces of a cell.
#[derive(Debug, Clone, Default)]
pub(super) struct Polygon {
    pub(super) edges: Vec<usize>,
    /// Whether it needs a vertex in its middle.
    pub(super) centred: bool,
    /// Corners are edges of the cell, or [`CENTRE`].
    pub(super) triangles: Vec<[usize; 3]>,
}

/// Corner `c` has the offsets (c >> 2 & 1, c >> 1 & 1, c & 1) along the axes; bit `c` of a case is set where it is
/// inside.
pub(super) fn cases() -> &'static [Vec<Polygon>] {
    static CASES: LazyLock<Vec<Vec<Polygon>>> = LazyLock::new(|| (0..=CORNERS).map(polygons).collect());
    &CASES
}

/// The axis of an edge and the corner that it starts from.
pub(super) fn edge(edge: usize) -> (usize, usize) {
    let (axis, rest) = (edge / 4, edge % 4);
    // The two bits of `rest` are those of the other axes.
    let from = match axis {
        0 => rest,
        1 => (rest & 2) << 1 | rest & 1,
        _ => rest << 1,
    };
    (axis, from)
}

fn edge_between(a: usize, b: usize) -> usize {
    (0..EDGES).find(|&e| edge(e).1 == a & b && 4 >> edge(e).0 == a ^ b).unwrap_or(0)
}

/// The corners of the six faces in the order of their outlines as seen from outside the cell.
fn faces() -> impl Iterator<Item = [usize; 4]> {
    (0..3).flat_map(|axis| {
        let [u, v] = [4 >> ((axis + 1) % 3), 4 >> ((axis + 2) % 3)];
        let far = 4 >> axis;
        [[0, v, u | v, u], [far, far | u, far | u | v, far | v]]
    })
}

fn polygons(case: usize) -> Vec<Polygon> {
    let inside = |corner: usize| case >> corner & 1 == 1;
    let mut next = [None; EDGES];
    for face in faces() {
        let corner = |i: usize| face[i % 4];
        for i in (0..4).filter(|&i| !inside(corner(i)) && inside(corner(i + 1))) {
            // The run of inside corners begins at i + 1; find where it ends.
            let end = (i + 1..i + 4).find(|&j| !inside(corner(j + 1))).unwrap_or(i + 3);
            let (enter, leave) = (edge_between(corner(i), corner(i + 1)), edge_between(corner(end), corner(end + 1)));
            next[enter] = Some(leave);
        }
    }
    let mut found = Vec::new();
    while let Some(start) = next.iter().position(Option::is_some) {
        let mut edges = Vec::new();
        let mut at = start;
        while let Some(following) = next[at].take() {
            edges.push(at);
            at = following;
        }
        let (centred, triangles) = match cut(&edges) {
            Some(triangles) => (false, triangles),
            None => (true, (0..edges.len()).map(|i| [edges[i], edges[(i + 1) % edges.len()], CENTRE]).collect()),
        };
        found.push(Polygon { edges, centred, triangles });
    }
    found
}

/// Triangles of a polygon, by diagonals that do not run along a face.
fn cut(polygon: &[usize]) -> Option<Vec<[usize; 3]>> {
    let (&first, &last) = (polygon.first()?, polygon.last()?);
    if polygon.len() < 3 {
        return Some(Vec::new());
    }
    (1..polygon.len() - 1).find_map(|middle| {
        let apex = polygon[middle];
        let allowed =
            (middle == 1 || !share_face(first, apex)) && (middle == polygon.len() - 2 || !share_face(apex, last));
        if !allowed {
            return None;
        }
        let mut triangles = cut(&polygon[..=middle])?;
        triangles.extend(cut(&polygon[middle..])?);
        triangles.push([first, apex, last]);
        Some(triangles)
    })
}

fn share_face(a: usize, b: usize) -> bool {
    let ends = |e: usize| {
        let (axis, from) = edge(e);
        [from, from | 4 >> axis]
    };
    let corners = [ends(a), ends(b)].concat();
    faces().any(|face| corners.iter().all(|corner| face.contains(corner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crossed_edge_has_one_polygon() {
        for (case, polygons) in cases().iter().enumerate() {
            let mut crossed: Vec<usize> = polygons.iter().flat_map(|p| p.edges.iter().copied()).collect();
            crossed.sort_unstable();
            let expected: Vec<usize> = (0..EDGES)
                .filter(|&e| {
                    let (axis, from) = edge(e);
                    (case >> from ^ case >> (from | 4 >> axis)) & 1 == 1
                })
                .collect();
            assert_eq!(crossed, expected, "case {case}");
            for polygon in polygons {
                let sides = polygon.edges.len();
                let expected = if polygon.centred { sides } else { sides - 2 };
                assert!(sides >= 3 && polygon.triangles.len() == expected, "case {case}");
            }
        }
    }
}
