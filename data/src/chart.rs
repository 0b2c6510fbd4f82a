//! `chart`: a test chart, 384 x 256 RGB: what a field resolves, smears and shifts can be read off it.

use crate::canvas::Picture;
use crate::lettering::Line;
use crate::maths::{Rgb, cell, cosine, direction, length, mix, rgb, smoothstep};

const INK: u32 = 0x20_24_2c;
const PAPER: u32 = 0xe9_e7_e1;

/// The patches: eight hues of equal lightness, and eight natural colours, as in printed charts.
const PATCHES: [[u32; 8]; 2] = [
    [0xd3_51_4e, 0xd8_85_36, 0xcf_b4_2d, 0x6f_a9_4a, 0x2f_a3_93, 0x3a_7f_c4, 0x6b_62_c0, 0xb0_55_9c],
    [0x73_52_44, 0xc2_96_82, 0x62_7a_9d, 0x57_6c_43, 0x85_80_b1, 0x67_bd_aa, 0xf3_f3_f2, 0x34_34_34],
];

/// Draws the picture.
pub(crate) fn draw() -> Picture {
    let text = [
        Line::new("TESSERA", 16.0, 14.0, 22.0, 3.4),
        Line::new("TEST CHART 1", 190.0, 15.0, 9.0, 1.5),
        Line::new("384 X 256", 190.0, 28.0, 8.0, 1.2),
        Line::new("HAMBURGEFONTS", 262.0, 140.0, 7.5, 1.2),
        Line::new("0123456789", 262.0, 153.0, 9.0, 1.4),
        Line::new("PIXEL 6", 262.0, 168.0, 6.0, 1.0),
        Line::new("12", 336.0, 170.0, 12.0, 1.8),
    ];
    Picture::opaque(384, 256, |x, y| {
        if text.iter().any(|line| line.covers(x, y)) {
            return rgb(INK);
        }
        let grey = |value: f64| mix(rgb(INK), rgb(0xfa_fa_f8), value);
        zone_plate(x - 82.0, y - 118.0)
            .or_else(|| star(x - 204.0, y - 92.0))
            .map(grey)
            .or_else(|| bars(x - 262.0, y - 50.0).map(grey))
            .or_else(|| edge(x - 158.0, y - 146.0).map(grey))
            .or_else(|| patches(x - 16.0, y - 196.0))
            .or_else(|| wedge(x - 222.0, y - 196.0))
            .unwrap_or_else(|| paper(x, y))
    })
}

/// The sheet with a thin frame and register marks.
fn paper(x: f64, y: f64) -> Rgb {
    let inset = x.min(384.0 - x).min(y).min(256.0 - y);
    let line = (5.0..6.5).contains(&inset) || ((x - 192.0).abs() < 0.75 || (y - 128.0).abs() < 0.75) && inset < 5.0;
    if line { mix(rgb(PAPER), rgb(INK), 0.7) } else { rgb(PAPER) }
}

/// Rings whose frequency grows with the radius, up to a period of three pixels at the rim.
fn zone_plate(x: f64, y: f64) -> Option<f64> {
    const RADIUS: f64 = 64.0;
    let r = length(x, y);
    let wave = 0.5 + 0.5 * cosine(r * r / (2.0 * RADIUS * 3.0));
    (r < RADIUS).then_some(if r > RADIUS - 1.2 { 0.0 } else { wave })
}

/// A Siemens star of 24 spokes.
fn star(x: f64, y: f64) -> Option<f64> {
    let r = length(x, y);
    if r >= 42.0 {
        return None;
    }
    let dark = cell(direction(x, y) * 48.0).rem_euclid(2) == 0;
    Some(if dark || !(3.0..=40.8).contains(&r) { 0.0 } else { 1.0 })
}

/// Groups of bars, upright and lying, with periods of 16 down to 2 pixels.
fn bars(x: f64, y: f64) -> Option<f64> {
    let groups = [(0.0, 16.0), (36.0, 8.0), (60.0, 5.0), (80.0, 3.0), (96.0, 2.0)];
    let (start, period) = groups.into_iter().rev().find(|group| x >= group.0)?;
    let (u, span) = (x - start, if period > 10.0 { 24.0 } else { f64::max(2.5 * period, 8.0) });
    let dark = |t: f64| f64::from(u8::from((t / period).fract() >= 0.5));
    if u < span && (0.0..36.0).contains(&y) {
        Some(dark(u))
    } else if u < span && (44.0..44.0 + span).contains(&y) {
        Some(dark(y - 44.0))
    } else {
        None
    }
}

/// An edge five degrees off the vertical, from which sharpness is measured, and a smooth ball beside it.
fn edge(x: f64, y: f64) -> Option<f64> {
    if (0.0..40.0).contains(&x) && (0.0..36.0).contains(&y) {
        return Some(if x - 20.0 > (y - 18.0) * 0.0875 { 0.92 } else { 0.12 });
    }
    let (u, v) = ((x - 69.0) / 19.0, (y - 18.0) / 19.0);
    let height = 1.0 - u * u - v * v;
    (height > 0.0).then(|| 0.10 + 0.85 * (0.75 * height.sqrt() - 0.42 * u - 0.42 * v).clamp(0.0, 1.0))
}

fn patches(x: f64, y: f64) -> Option<Rgb> {
    if !(0.0..192.0).contains(&x) || !(0.0..44.0).contains(&y) {
        return None;
    }
    let (column, row) = (cell(x / 24.0), cell(y / 22.0));
    let patch = PATCHES.get(usize::try_from(row).ok()?)?.get(usize::try_from(column).ok()?)?;
    let (u, v) = (x / 24.0, y / 22.0);
    let gap = (u - u.floor()) * 24.0 > 22.0 || (v - v.floor()) * 22.0 > 20.0;
    (!gap).then(|| rgb(*patch))
}

/// A grey ramp in eleven steps over a smooth one, and a smooth run through the hues.
fn wedge(x: f64, y: f64) -> Option<Rgb> {
    if !(0.0..146.0).contains(&x) {
        return None;
    }
    let across = x / 146.0;
    let grey = |value: f64| Some([value; 3]);
    match y {
        _ if (0.0..14.0).contains(&y) => grey((across * 11.0).floor() / 10.0),
        _ if (14.0..28.0).contains(&y) => grey(across),
        _ if (30.0..42.0).contains(&y) => Some(std::array::from_fn(|channel| {
            let turn = [0.0, 1.0 / 3.0, 2.0 / 3.0][channel];
            smoothstep(-0.6, 0.9, cosine(across - turn))
        })),
        _ => None,
    }
}
