//! `leaf`: a sprig of autumn leaves on nothing, 256 x 256 RGBA.
//!
//! Alpha takes every value: opaque leaves, smooth edges, a soft shadow, and clear ground in which whole partitions
//! hold nothing at all.

use crate::canvas::Picture;
use crate::maths::{Rgb, bell, cells, cosine, fractal, length, mix, rgb, scale, sine, smoothstep};

/// A leaf: where its stalk begins, where it points (in turns, 0.25 is up), its length in pixels and its autumn, 0 to 1.
struct Leaf {
    foot: (f64, f64),
    turn: f64,
    length: f64,
    autumn: f64,
    seed: u64,
}

const LEAVES: [Leaf; 9] = [
    Leaf { foot: (116.0, 219.0), turn: 0.460, length: 66.0, autumn: 0.95, seed: 1 },
    Leaf { foot: (121.0, 206.0), turn: 0.030, length: 76.0, autumn: 0.80, seed: 2 },
    Leaf { foot: (124.0, 180.0), turn: 0.425, length: 84.0, autumn: 0.72, seed: 3 },
    Leaf { foot: (127.0, 165.0), turn: 0.065, length: 88.0, autumn: 0.55, seed: 4 },
    Leaf { foot: (129.0, 138.0), turn: 0.390, length: 84.0, autumn: 0.42, seed: 5 },
    Leaf { foot: (131.0, 124.0), turn: 0.100, length: 84.0, autumn: 0.30, seed: 6 },
    Leaf { foot: (132.0, 102.0), turn: 0.345, length: 72.0, autumn: 0.18, seed: 7 },
    Leaf { foot: (133.0, 90.0), turn: 0.140, length: 70.0, autumn: 0.08, seed: 8 },
    Leaf { foot: (133.0, 82.0), turn: 0.240, length: 68.0, autumn: 0.0, seed: 9 },
];

/// Draws the picture.
pub(crate) fn draw() -> Picture {
    Picture::transparent(256, 256, |x, y| {
        let shadow = 0.34 * LEAVES.iter().map(|leaf| leaf.shadow(x - 5.0, y - 7.0)).fold(0.0, f64::max);
        let mut colour = [0.10, 0.08, 0.14, shadow];
        for (index, leaf) in LEAVES.iter().enumerate() {
            if let Some([red, green, blue]) = leaf.colour(x, y) {
                // The leaves above cast a little shade on those below.
                let above = LEAVES[index + 1..].iter().map(|other| other.shadow(x - 2.0, y - 3.0)).fold(0.0, f64::max);
                let [red, green, blue] = scale([red, green, blue], 1.0 - 0.38 * above);
                colour = [red, green, blue, 1.0];
            }
        }
        stem(x, y).map_or(colour, |[red, green, blue]| [red, green, blue, 1.0])
    })
}

/// The stem: a slow curve from the lower edge to the foot of the last leaf.
fn stem(x: f64, y: f64) -> Option<Rgb> {
    if !(80.0..246.0).contains(&y) {
        return None;
    }
    let along = (y - 80.0) / 166.0;
    let across = x - (133.0 - 27.0 * along * along);
    let half = 0.9 + 1.9 * along;
    (across.abs() < half).then(|| mix(rgb(0x9a_6b_3c), rgb(0x4a_2c_24), smoothstep(-half, half, across)))
}

impl Leaf {
    /// Along the midrib, 0 at the foot to 1 at the tip, and across it, in lengths.
    fn local(&self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = ((x - self.foot.0) / self.length, (self.foot.1 - y) / self.length);
        let (c, s) = (cosine(self.turn), sine(self.turn));
        let along = dx * c + dy * s;
        // The blade bends a little, more towards its tip.
        let bend = if (0.25..0.75).contains(&self.turn.rem_euclid(1.0)) { 0.10 } else { -0.10 };
        (along, dy * c - dx * s + bend * along * along - 0.02)
    }

    /// Half the width of the blade at a place along the midrib, in lengths.
    fn half_width(along: f64) -> f64 {
        let t = ((along - 0.10) / 0.90).clamp(0.0, 1.0);
        0.70 * t.sqrt() * (1.0 - t) * (1.0 - 0.25 * t)
    }

    /// How far inside the blade a point is, in lengths; negative outside. The rim is toothed.
    fn depth(along: f64, across: f64) -> f64 {
        if !(0.10..1.0).contains(&along) {
            return -1.0;
        }
        let tooth = (along * 17.0 - across.abs() * 9.0).rem_euclid(1.0);
        Self::half_width(along) * (1.0 - 0.10 * tooth) - across.abs()
    }

    fn shadow(&self, x: f64, y: f64) -> f64 {
        let (along, across) = self.local(x, y);
        let beside = (across.abs() - Self::half_width(along)).max(0.0);
        let outside = length(beside, (0.10 - along).max(along - 1.0).max(0.0));
        bell(outside * self.length / 10.0) * smoothstep(0.0, 0.12, along + 0.06)
    }

    fn colour(&self, x: f64, y: f64) -> Option<Rgb> {
        let (along, across) = self.local(x, y);
        let side = across.abs();
        if (0.0..0.14).contains(&along) && side * self.length < 1.4 {
            return Some(rgb(0x8a_5a_34));
        }
        let depth = Self::depth(along, across);
        if depth < 0.0 {
            return None;
        }
        let green = mix(rgb(0x2f_6b_3a), rgb(0x74_a8_44), smoothstep(0.0, 0.16, depth));
        let gold = mix(rgb(0xc2_4a_2a), rgb(0xf0_b4_3c), smoothstep(0.0, 0.17, depth));
        // Autumn comes from the rim and the tip, in patches.
        let patch = fractal(along * 5.0, across * 5.0, 3, self.seed) - 0.5;
        let turned = smoothstep(-0.25, 0.45, self.autumn - 0.45 + 0.9 * patch + 0.35 * along - 2.0 * depth + 0.15);
        let mut colour = mix(green, gold, turned);

        // Fine cells between the veins, then the veins themselves: side veins run forward and curve to the rim.
        let (near, second, _) = cells(along * 26.0, across * 26.0, 0.9, self.seed + 20);
        colour = scale(colour, 0.90 + 0.12 * smoothstep(0.0, 0.25, second - near));
        let wave = (along - 0.75 * side - 0.8 * side * side) * 9.0;
        let vein = ((wave - wave.floor()) - 0.5).abs();
        let ridge = bell(vein / 0.16) * smoothstep(0.0, 0.03, depth);
        let rib = bell(across * self.length / 2.0);
        let line = (0.55 * ridge).max(0.9 * rib * smoothstep(1.0, 0.85, along));
        // Between two side veins the blade is arched; the half that faces the light is brighter.
        let arch = 1.0 + 0.13 * (wave - wave.floor() - 0.5) * if across > 0.0 { 1.0 } else { -1.0 };
        let light = arch * (1.0 + 0.35 * across) * (1.0 - 0.12 * bell(length(along - 0.1, across) / 0.3));
        Some(mix(scale(colour, light), mix(rgb(0xd9_d8_8c), rgb(0xff_e0_9a), turned), line * 0.75))
    }
}
