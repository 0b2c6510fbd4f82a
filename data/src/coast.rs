//! `mosaic`: an evening coast framed by tesserae, 512 x 512 RGB.
//!
//! A smooth sky and a sun, clouds and water as texture, a lighthouse and a sail as sharp edges, lettering in the frame.

use crate::canvas::Picture;
use crate::lettering::Line;
use crate::maths::{
    Rgb, add, bell, cell, cells, fractal, gradient, length, mix, random, rgb, scale, smoothstep, to_segment,
};

const SIZE: f64 = 512.0;
/// Side of a stone of the frame in pixels; the frame is two stones wide.
const STONE: f64 = 16.0;
const FRAME: f64 = 2.0 * STONE;
const HORIZON: f64 = 300.0;
const SUN: (f64, f64) = (318.0, 268.0);
const SUN_RADIUS: f64 = 30.0;

/// Draws the picture.
pub(crate) fn draw() -> Picture {
    let title = Line::centred("TESSERA", SIZE / 2.0, SIZE - 24.0, 16.0, 2.6);
    Picture::opaque(512, 512, |x, y| {
        let scene_range = FRAME..SIZE - FRAME;
        let inside = scene_range.contains(&x) && scene_range.contains(&y);
        if inside { scene(x, y) } else { frame(x, y, &title) }
    })
}

fn scene(x: f64, y: f64) -> Rgb {
    let mut colour = if y < HORIZON { sky(x, y) } else { sea(x, y) };
    colour = far_coast(x, y, colour);
    colour = boat(x, y, colour);
    colour = lighthouse(x, y, colour);
    colour = headland(x, y, colour);
    colour = gulls(x, y, colour);
    shore(x, y, colour)
}

fn sky(x: f64, y: f64) -> Rgb {
    let stops = [
        (32.0, rgb(0x16_21_4d)),
        (120.0, rgb(0x3a_37_7a)),
        (190.0, rgb(0x84_4f_86)),
        (240.0, rgb(0xd3_6f_6c)),
        (280.0, rgb(0xf4_a2_61)),
        (HORIZON, rgb(0xff_d6_8c)),
    ];
    let mut colour = gradient(&stops, y);
    let distance = length(x - SUN.0, (y - SUN.1) * 1.15);
    // Blended, not added: sums would run into white and yellow.
    colour = mix(colour, rgb(0xff_c0_78), 0.50 * bell(distance / 200.0));
    colour = mix(colour, rgb(0xff_e2_a0), 0.55 * bell(distance / 85.0));

    // Streaks: noise stretched along the horizon, thinner the lower they are.
    let stretch = 0.020 + 0.00035 * (y - 32.0);
    let streak = fractal(x * 0.007, y * stretch, 5, 11);
    let cloud = smoothstep(0.50, 0.72, streak) * smoothstep(32.0, 90.0, y) * smoothstep(HORIZON, 255.0, y);
    // Lit from below: the side towards the sun is bright, the upper one dusky.
    let lit = smoothstep(-0.02, 0.05, streak - fractal(x * 0.007, (y + 7.0) * stretch, 5, 11));
    let glow = mix(rgb(0x5b_3d_74), rgb(0xff_9c_7a), lit * (0.35 + 0.65 * bell(distance / 330.0)));
    colour = mix(colour, glow, 0.75 * cloud);

    let disc = smoothstep(SUN_RADIUS + 0.6, SUN_RADIUS - 0.6, length(x - SUN.0, y - SUN.1));
    colour = mix(colour, rgb(0xff_f4_d0), disc * (1.0 - 0.35 * cloud));
    add(colour, scale(rgb(0xdf_e6_ff), star(x, y) * (1.0 - cloud)))
}

/// Stars at jittered places of a coarse lattice, only where the sky is dark.
fn star(x: f64, y: f64) -> f64 {
    const SPACING: f64 = 26.0;
    let (near, _, (column, row)) = cells(x / SPACING, y / SPACING, 0.8, 5);
    let bright = random(column, row, 8);
    if bright < 0.45 { 0.0 } else { bright * bell(near * SPACING / 1.7) * smoothstep(165.0, 50.0, y) }
}

fn sea(x: f64, y: f64) -> Rgb {
    let depth = y - HORIZON;
    let stops = [
        (0.0, rgb(0xf0_a8_78)),
        (22.0, rgb(0xa8_6f_86)),
        (70.0, rgb(0x46_5b_86)),
        (140.0, rgb(0x1f_4f_6e)),
        (180.0, rgb(0x17_3c_56)),
    ];
    // Waves: perspective makes them finer towards the horizon, where they fade before they alias.
    let near = 1400.0 / (depth + 26.0);
    let swell = fractal(x * 0.09 * near / 26.0, near * 1.15, 4, 23) - 0.5;
    let visible = smoothstep(2.0, 30.0, depth);
    let mut colour = gradient(&stops, depth + 60.0 * swell * visible);
    colour = add(colour, scale(rgb(0xff_d0_a0), 0.22 * visible * smoothstep(0.06, 0.20, swell)));

    // The sun's path, broken by the same waves.
    let width = 16.0 + 0.30 * depth;
    let path = bell((x - SUN.0 + 60.0 * swell * visible) / (2.2 * width));
    let glitter = smoothstep(-0.10 + 0.0012 * depth, 0.10 + 0.0012 * depth, swell + 0.06);
    mix(colour, rgb(0xff_e2_a4), path * (0.25 + 0.70 * glitter) * smoothstep(190.0, 10.0, depth))
}

/// A hazy ridge behind the water on the right.
fn far_coast(x: f64, y: f64, under: Rgb) -> Rgb {
    let ridge = HORIZON - 34.0 * smoothstep(350.0, 480.0, x) * (0.55 + 0.75 * fractal(x * 0.022, 3.0, 4, 31));
    let inside = y > ridge && y < HORIZON;
    if inside { mix(rgb(0x8a_55_80), rgb(0xc9_7f_7c), smoothstep(ridge, HORIZON + 6.0, y)) } else { under }
}

/// The line of the near cliff: its height over the water at a column.
fn cliff(x: f64) -> f64 {
    let body = smoothstep(222.0, 148.0, x) * 52.0 + smoothstep(150.0, 60.0, x) * 18.0;
    body * (0.80 + 0.40 * fractal(x * 0.035, 9.0, 4, 41))
}

fn headland(x: f64, y: f64, under: Rgb) -> Rgb {
    let top = HORIZON - cliff(x) + 8.0;
    let foot = HORIZON + 10.0 + 4.0 * fractal(x * 0.05, 2.0, 2, 44);
    if x > 226.0 || y < top || y > foot || cliff(x) < 4.0 {
        return under;
    }
    let rock = fractal(x * 0.06, y * 0.035, 5, 43);
    let stone = mix(rgb(0x27_1f_3c), rgb(0x6a_43_58), smoothstep(0.30, 0.75, rock));
    // The evening light grazes the edge that faces the sun, and grass covers the top.
    let rim = smoothstep(9.0, 0.0, y - top);
    mix(stone, mix(rgb(0x5a_5a_48), rgb(0xe8_95_68), smoothstep(90.0, 215.0, x)), 0.75 * rim)
}

fn lighthouse(x: f64, y: f64, under: Rgb) -> Rgb {
    const AXIS: f64 = 122.0;
    const TOP: f64 = 166.0;
    const FOOT: f64 = 264.0;
    let mut colour = under;
    // Two beams, faint, that widen with the distance from the lamp.
    let reach = (x - AXIS).abs();
    let beam = bell((y - (TOP - 9.0)) / (3.0 + 0.16 * reach)) * smoothstep(230.0, 8.0, reach);
    if y < HORIZON {
        colour = add(colour, scale(rgb(0xff_e9_b0), 0.36 * beam));
    }
    let half = 8.0 + 6.0 * smoothstep(TOP, FOOT + 20.0, y) * (y - TOP) / (FOOT - TOP);
    let side = (x - AXIS) / half;
    if (TOP..FOOT).contains(&y) && side.abs() < 1.0 {
        let red = cell((y - TOP) / 17.6).rem_euclid(2) == 1;
        let paint = if red { rgb(0xc4_3e_3a) } else { rgb(0xf3_ea_dc) };
        let window = (x - AXIS).abs() < 2.0 && ((y - TOP) / 35.2).fract() > 0.18 && ((y - TOP) / 35.2).fract() < 0.36;
        let shade = 0.50 + 0.50 * smoothstep(-1.1, 0.9, side);
        colour = if window { rgb(0x3b_2a_3c) } else { scale(paint, shade) };
    }
    if (TOP - 3.0..TOP).contains(&y) && (x - AXIS).abs() < 11.0 {
        colour = rgb(0x2c_22_38);
    }
    if (TOP - 15.0..TOP - 3.0).contains(&y) && (x - AXIS).abs() < 6.0 {
        let bar = ((x - AXIS) / 4.0).fract().abs() < 0.16;
        colour = if bar { rgb(0x3a_2c_3e) } else { mix(rgb(0xff_f8_d8), rgb(0xff_c9_60), (x - AXIS).abs() / 9.0) };
    }
    let roof = y - (TOP - 25.0);
    if (0.0..10.0).contains(&roof) && (x - AXIS).abs() < 0.8 * roof + 0.6 {
        colour = mix(rgb(0x8c_2c_34), rgb(0x54_1c_30), smoothstep(3.0, -3.0, x - AXIS));
    }
    colour
}

fn boat(x: f64, y: f64, under: Rgb) -> Rgb {
    const MAST: f64 = 396.0;
    const DECK: f64 = 334.0;
    let mut colour = under;
    // Its mirror image first, torn by the waves.
    let mirrored = DECK + 10.0 + (DECK + 10.0 - y) + 3.0 * (fractal(x * 0.15, y * 0.5, 2, 51) - 0.5);
    if y > DECK + 8.0 && y < DECK + 64.0 && sail(x, mirrored, MAST, DECK).is_some() {
        colour = mix(colour, rgb(0xf0_c8_a8), 0.34 * smoothstep(DECK + 64.0, DECK + 12.0, y));
    }
    if (8.0..17.0).contains(&(y - DECK)) && (x - MAST).abs() < 27.0 - 0.8 * (17.0 - y + DECK) {
        colour = mix(colour, rgb(0x4a_24_38), 0.55 * smoothstep(DECK + 18.0, DECK + 8.0, y));
    }
    if let Some(cloth) = sail(x, y, MAST, DECK) {
        colour = cloth;
    }
    let (depth, across) = (y - DECK, x - MAST - 1.0);
    if (0.0..8.0).contains(&depth) && across > -25.0 + 1.1 * depth && across < 28.0 - 1.7 * depth {
        colour = if depth < 2.0 { rgb(0xf2_e6_d8) } else { rgb(0x5a_25_30) };
    }
    if to_segment(x, y, (MAST, DECK - 62.0), (MAST, DECK)) < 0.9 {
        colour = rgb(0x40_28_30);
    }
    colour
}

/// The colour of the main sail or the jib at a point, if one is there.
fn sail(x: f64, y: f64, mast: f64, deck: f64) -> Option<Rgb> {
    let up = (deck - 4.0 - y) / 54.0;
    if !(0.0..1.0).contains(&up) {
        return None;
    }
    let (main, jib) = (x - mast - 1.6, mast - 1.6 - x);
    if main > 0.0 && main < 24.0 * (1.0 - up) * (1.0 + 0.35 * up) {
        return Some(mix(rgb(0xff_f1_dc), rgb(0xe0_a0_88), main / 30.0 + 0.25 * up));
    }
    (jib > 0.0 && up < 0.86 && jib < 20.0 * (0.86 - up)).then(|| mix(rgb(0xd6_5a_4a), rgb(0x9c_38_46), jib / 18.0))
}

fn gulls(x: f64, y: f64, under: Rgb) -> Rgb {
    let gull = |cx: f64, cy: f64, span: f64| {
        let across = (x - cx) / span;
        let wing = cy - span * (0.42 * across.abs() - 0.55 * across * across);
        across.abs() < 1.0 && (y - wing).abs() < 1.3 * (1.15 - across.abs())
    };
    let any = gull(236.0, 176.0, 13.0) || gull(262.0, 196.0, 9.0) || gull(214.0, 206.0, 8.0);
    if any { mix(under, rgb(0x24_1c_38), 0.85) } else { under }
}

/// Wet sand and pebbles along the lower edge, with a line of foam.
fn shore(x: f64, y: f64, under: Rgb) -> Rgb {
    let edge = 436.0 + 0.00045 * (x - 170.0) * (x - 170.0) * smoothstep(520.0, 120.0, x)
        - 30.0 * smoothstep(250.0, 480.0, x)
        + 10.0 * (fractal(x * 0.018, 4.0, 3, 61) - 0.5);
    let depth = y - edge;
    if depth < -8.0 {
        return under;
    }
    let sand = mix(
        rgb(0x6e_4f_58),
        rgb(0xb0_86_72),
        smoothstep(0.0, 46.0, depth) + 0.25 * (fractal(x * 0.05, y * 0.09, 4, 63) - 0.5),
    );
    let (near, second, (column, row)) = cells(x / 17.0, y / 13.0, 0.75, 67);
    let tint = random(column, row, 71);
    let stone = mix(
        rgb(0x47_41_55),
        mix(rgb(0xd8_c2_a8), rgb(0x96_5c_54), smoothstep(0.4, 0.9, tint)),
        random(column, row, 73),
    );
    let lit = 1.06 - 0.55 * near;
    let pebble = smoothstep(0.04, 0.16, second - near) * smoothstep(6.0, 22.0, depth + 16.0 * (tint - 0.5));
    let ground = mix(scale(sand, 0.92), scale(stone, lit), pebble);
    let foam = bell((depth + 1.0 + 3.0 * (fractal(x * 0.07, y * 0.12, 3, 79) - 0.5)) / 5.0);
    let wet = mix(under, ground, smoothstep(-2.0, 3.0, depth));
    mix(wet, rgb(0xff_ee_e0), 0.85 * foam)
}

/// The frame: two rings of stones, and a slab with the name below the scene.
fn frame(x: f64, y: f64, title: &Line) -> Rgb {
    let grout = rgb(0x2a_24_30);
    let (left, right, top) = (SIZE / 2.0 - 80.0, SIZE / 2.0 + 80.0, SIZE - FRAME);
    if x > left && x < right && y > top {
        if x < left + 2.0 || x > right - 2.0 || y < top + 2.0 || y > SIZE - 2.0 {
            return grout;
        }
        if title.covers(x, y) {
            return rgb(0x23_2c_52);
        }
        let vein = fractal(x * 0.03 + 0.6 * fractal(x * 0.02, y * 0.02, 2, 97), y * 0.05, 4, 93);
        return mix(rgb(0xf0_e6_d4), rgb(0xd2_bf_a8), smoothstep(0.42, 0.70, vein));
    }
    let (column, row) = (cell(x / STONE), cell(y / STONE));
    let ring = column.min(row).min(31 - column).min(31 - row);
    let chance = random(column, row, 83);
    let base = if ring == 0 {
        mix(rgb(0x1f_5a_6e), rgb(0x2f_7f_8a), chance)
    } else if (column + row).rem_euclid(2) == 0 {
        mix(rgb(0xd8_94_3c), rgb(0xe8_b4_5a), chance)
    } else {
        mix(rgb(0xe6_d6_b8), rgb(0xf4_ea_d6), chance)
    };
    // Each stone is cut a little differently and catches the light on its upper left.
    let tilt = |which: u64| 1.4 * (random(column, row, 85 + which) - 0.5);
    let (u, v) =
        (x - STONE * (x / STONE).floor() - 8.0 + tilt(0) * 0.4, y - STONE * (y / STONE).floor() - 8.0 + tilt(1) * 0.4);
    let (across, along) = (u.abs() - 4.6 - 0.4 * tilt(2), v.abs() - 4.6 - 0.4 * tilt(3));
    let distance = length(across.max(0.0), along.max(0.0)) - 2.3;
    let light = 1.0 - 0.012 * (u + v) + 0.06 * (fractal(x * 0.11, y * 0.11, 2, 89) - 0.5);
    mix(grout, scale(base, light), smoothstep(0.5, -0.7, distance))
}
