//! Where a shape is sampled: cubic cells around it, a sample in the middle of each.

use tessera_core::signal::Placement;

use super::Mesh;

/// A grid of samples in the coordinates of a source. The axes of the array are x, y and z.
#[derive(Debug, Clone, PartialEq)]
pub struct Lattice {
    /// Samples along each axis.
    pub shape: [usize; 3],
    /// Where they lie.
    pub placement: Placement,
}

impl Lattice {
    /// Cells for a box: `resolution` of them along its longest side, of which `padding` on either end stay beyond it.
    pub fn around(bounds: [[f64; 3]; 2], resolution: u32, padding: u32) -> Self {
        let extent: [f64; 3] = std::array::from_fn(|axis| bounds[1][axis] - bounds[0][axis]);
        let longest = extent.into_iter().fold(0.0, f64::max);
        let (inner, rim) = (resolution.saturating_sub(2 * padding).max(1), 2 * padding as usize);
        let spacing = if longest > 0.0 { longest / f64::from(inner) } else { 1.0 };
        // Rounding must not add a cell to the side that sets the size.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the resolution")]
        let shape = extent.map(|e| ((e / spacing - 1e-9).ceil().max(1.0) as usize) + rim);
        #[expect(clippy::cast_precision_loss, reason = "at most the resolution")]
        let origin = std::array::from_fn(|axis| {
            (bounds[0][axis] + bounds[1][axis]) / 2.0 - spacing * (shape[axis] as f64 - 1.0) / 2.0
        });
        Self { shape, placement: Placement { origin, spacing } }
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.shape.iter().product()
    }

    /// A mesh in the sample units of this grid: sample `i` of an axis lies at `i`.
    pub fn units(&self, mesh: &Mesh) -> Mesh {
        mesh.moved(|v| self.placement.to_samples(v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_side_gets_the_resolution() {
        let lattice = Lattice::around([[-1.0, 0.0, 10.0], [1.0, 1.0, 10.1]], 24, 2);
        assert_eq!(lattice.shape, [24, 14, 5]);
        assert!((lattice.placement.spacing - 0.1).abs() < 1e-12);
        // The box begins at the edge of the third cell, half a cell before its sample.
        let low = lattice.placement.to_samples([-1.0, 0.0, 10.0]);
        assert!((low[0] - 1.5).abs() < 1e-9 && (low[1] - 1.5).abs() < 1e-9, "{low:?}");
        assert_eq!(Lattice::around([[3.0; 3]; 2], 8, 1).shape, [3, 3, 3]);
    }
}
