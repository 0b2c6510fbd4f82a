//! The sample clip: a small boat rides the swell for two seconds, which join without a seam.
//!
//! Slow gradients, sharp edges that move, and a fixed background: what a clip's partitions have to tell apart.

use crate::canvas::Picture;
use crate::maths::{add, bell, cosine, gradient, mix, noise, rgb, scale, sine, smoothstep, to_segment};

/// Pixels in a row.
const WIDTH: u32 = 128;
/// Rows.
const HEIGHT: u32 = 96;
/// Frames of one swell.
const FRAMES: u32 = 48;
/// Frames per second.
pub(crate) const RATE: u16 = 24;

/// All frames.
pub(crate) fn draw() -> Vec<Picture> {
    (0..FRAMES)
        .map(|frame| Picture::opaque(WIDTH, HEIGHT, |x, y| colour(x, y, f64::from(frame) / f64::from(FRAMES))))
        .collect()
}

/// Row of the water's surface in column `x` at `time`, in swells.
fn surface(x: f64, time: f64) -> f64 {
    58.0 + 4.0 * sine(x / 96.0 - time) + 1.6 * sine(x / 37.0 + 2.0 * time)
}

/// The colour at a point, in pixels, at `time`, in swells.
fn colour(x: f64, y: f64, time: f64) -> [f64; 3] {
    let sky = gradient(&[(0.0, rgb(0x24_3b_6b)), (0.55, rgb(0xc9_6f_5a)), (1.0, rgb(0xf6_c8_7a))], y / 62.0);
    let sun = bell(((x - 96.0) * (x - 96.0) + (y - 40.0) * (y - 40.0)).sqrt() / 13.0);
    let mut out = add(sky, scale(rgb(0xff_e2_a0), 0.8 * sun));
    let hill = 44.0 - 9.0 * noise(x / 22.0, 0.0, 5) + 6.0 * smoothstep(20.0, 80.0, x);
    out = mix(out, rgb(0x2c_2f_4f), smoothstep(hill - 0.5, hill + 0.5, y));
    if let Some(boat) = boat(x, y, time) {
        out = boat;
    }
    let top = surface(x, time);
    let depth = y - top;
    if depth > 0.0 {
        let far = gradient(&[(0.0, rgb(0x4f_8f_a8)), (0.4, rgb(0x1f_4f_78)), (1.0, rgb(0x0b_1f_3d))], depth / 38.0);
        let glitter = smoothstep(0.35, 0.7, noise(x / 7.0 + 2.0 * sine(time), y / 2.5 + 3.0 * cosine(time), 9));
        let under_sun = bell((x - 96.0) / 26.0) * bell(depth / 34.0);
        out = add(far, scale(rgb(0xff_d0_88), 0.6 * glitter * under_sun));
        out = mix(out, rgb(0xdf_f0_ee), 0.7 * smoothstep(1.4, 0.2, depth));
    }
    out
}

/// The boat rides where the surface carries it, and leans with its slope.
fn boat(x: f64, y: f64, time: f64) -> Option<[f64; 3]> {
    let place = 44.0 + 10.0 * sine(time);
    let (height, slope) = (surface(place, time), (surface(place + 6.0, time) - surface(place - 6.0, time)) / 12.0);
    let (dx, dy) = (x - place, y - height);
    let (along, up) = (dx + slope * dy, slope * dx - dy);
    let hull = up < 3.0 && up > -4.0 && along.abs() < 11.0 + 0.9 * up;
    if hull {
        return Some(mix(rgb(0x8a_2f_2a), rgb(0xd8_5a_3c), smoothstep(-4.0, 3.0, up)));
    }
    if to_segment(along, up, (0.0, 2.0), (0.0, 30.0)) < 0.7 {
        return Some(rgb(0x4a_30_20));
    }
    let sail = |side: f64, foot: f64| {
        let reach = (29.0 - up) / 24.0 * foot;
        up > 5.0 && up < 29.0 && along * side > 0.9 && along * side < reach
    };
    if sail(1.0, 11.0) {
        return Some(mix(rgb(0xf7_ee_da), rgb(0xd6_c3_a0), smoothstep(0.0, 11.0, along)));
    }
    sail(-1.0, 7.5).then(|| mix(rgb(0xe9_dc_c0), rgb(0xc2_ac_88), smoothstep(0.0, -8.0, along)))
}
