//! Arithmetic that gives the same bits everywhere.
//!
//! IEEE 754 fixes the results of `+ - * /` and of the square root, but not of `sin`, `exp` or `powf`, which the
//! standard library takes from the platform. The samples are compared byte for byte in a test, so everything else is
//! built here from the exact operations.

/// A colour, or any triple: red, green, blue in `[0, 1]`, as stored (no linear light).
pub(crate) type Rgb = [f64; 3];

/// `0xRRGGBB` as a colour.
pub(crate) fn rgb(hex: u32) -> Rgb {
    [16, 8, 0].map(|shift| f64::from((hex >> shift) & 255) / 255.0)
}

/// Linear blend: `a` at 0, `b` at 1.
pub(crate) fn mix(a: Rgb, b: Rgb, t: f64) -> Rgb {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t)
}

/// Every channel times `factor`.
pub(crate) fn scale(a: Rgb, factor: f64) -> Rgb {
    a.map(|v| v * factor)
}

/// Channel-wise sum.
pub(crate) fn add(a: Rgb, b: Rgb) -> Rgb {
    std::array::from_fn(|i| a[i] + b[i])
}

/// 0 below `low`, 1 above `high`, an S-curve between; `low` may be above `high`, which turns it around.
pub(crate) fn smoothstep(low: f64, high: f64, x: f64) -> f64 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A bell around 0 that reaches 0 at `|x| = 1`: a stand-in for the Gaussian without an exponential.
pub(crate) fn bell(x: f64) -> f64 {
    let t = (1.0 - x * x).max(0.0);
    t * t * t
}

/// The sine of an angle given in turns (1 is a full circle), within 1e-9.
pub(crate) fn sine(turns: f64) -> f64 {
    // Folded to a quarter turn, where the Taylor series to the 13th power is enough.
    let t = turns - (turns + 0.5).floor();
    let quarter = if t.abs() > 0.25 { t.signum() * 0.5 - t } else { t };
    let x = quarter * std::f64::consts::TAU;
    let s = x * x;
    x * (1.0
        - s / 6.0
            * (1.0
                - s / 20.0
                    * (1.0 - s / 42.0 * (1.0 - s / 72.0 * (1.0 - s / 110.0 * (1.0 - s / 156.0 * (1.0 - s / 210.0)))))))
}

/// The cosine of an angle given in turns.
pub(crate) fn cosine(turns: f64) -> f64 {
    sine(turns + 0.25)
}

/// The direction of `(x, y)` in turns, `[-0.5, 0.5]`, within 1e-5.
pub(crate) fn direction(x: f64, y: f64) -> f64 {
    if x == 0.0 && y == 0.0 {
        return 0.0;
    }
    let (small, large) = (x.abs().min(y.abs()), x.abs().max(y.abs()));
    let a = small / large;
    let s = a * a;
    // Minimax polynomial of the arc tangent on [0, 1] (Abramowitz and Stegun 4.4.49).
    let arc = a * (0.999_866 + s * (-0.330_299_5 + s * (0.180_141 + s * (-0.085_133 + s * 0.020_835_1))));
    let first = if y.abs() > x.abs() { 0.25 - arc / std::f64::consts::TAU } else { arc / std::f64::consts::TAU };
    let half = if x < 0.0 { 0.5 - first } else { first };
    if y < 0.0 { -half } else { half }
}

/// The length of `(x, y)`.
pub(crate) fn length(x: f64, y: f64) -> f64 {
    (x * x + y * y).sqrt()
}

/// A random number in `[0, 1)` for a cell of the plane, the same for the same cell and seed.
pub(crate) fn random(column: i64, row: i64, seed: u64) -> f64 {
    let mut z = seed
        .wrapping_mul(0xd134_2543_de82_ef95)
        .wrapping_add(column.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(row.cast_unsigned().wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
    for _ in 0..2 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
    }
    let high = u32::try_from(z >> 32).unwrap_or(u32::MAX);
    f64::from(high) / 4_294_967_296.0
}

/// The cell of the plane in which a coordinate lies.
#[expect(clippy::cast_possible_truncation, reason = "coordinates of these pictures stay below a million")]
pub(crate) fn cell(x: f64) -> i64 {
    x.floor() as i64
}

/// Value noise in `[0, 1]` with unit cells.
pub(crate) fn noise(x: f64, y: f64, seed: u64) -> f64 {
    let (column, row) = (cell(x), cell(y));
    let ease = |t: f64| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
    let (tx, ty) = (ease(x - x.floor()), ease(y - y.floor()));
    let corner = |dx, dy| random(column + dx, row + dy, seed);
    let upper = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * tx;
    let lower = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * tx;
    upper + (lower - upper) * ty
}

/// Noise of several octaves, each twice as fine and half as strong, in `[0, 1]` with mean 0.5.
pub(crate) fn fractal(x: f64, y: f64, octaves: u32, seed: u64) -> f64 {
    let (mut sum, mut weight, mut total, mut frequency) = (0.0, 1.0, 0.0, 1.0);
    for octave in 0..octaves {
        // Shifted, so that the octaves' lattices do not coincide and show a grid.
        let shift = f64::from(octave) * 17.37;
        sum += weight * noise(x * frequency + shift, y * frequency - shift, seed + u64::from(octave));
        total += weight;
        weight *= 0.5;
        frequency *= 2.0;
    }
    sum / total
}

/// The nearest and second nearest jittered cell centre: their distances, and the cell of the nearest.
pub(crate) fn cells(x: f64, y: f64, jitter: f64, seed: u64) -> (f64, f64, (i64, i64)) {
    let (column, row) = (cell(x), cell(y));
    let (mut first, mut second, mut owner) = (f64::MAX, f64::MAX, (column, row));
    for c in column - 1..=column + 1 {
        for r in row - 1..=row + 1 {
            let offset = |which| 0.5 + jitter * (random(c, r, seed + which) - 0.5);
            #[expect(clippy::cast_precision_loss, reason = "cell numbers of these pictures stay below a million")]
            let distance = length(x - (c as f64 + offset(0)), y - (r as f64 + offset(1)));
            if distance < first {
                (second, first, owner) = (first, distance, (c, r));
            } else {
                second = second.min(distance);
            }
        }
    }
    (first, second, owner)
}

/// The distance of a point from the line between two others.
pub(crate) fn to_segment(x: f64, y: f64, from: (f64, f64), to: (f64, f64)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let along = (((x - from.0) * dx + (y - from.1) * dy) / (dx * dx + dy * dy).max(1e-12)).clamp(0.0, 1.0);
    length(x - from.0 - along * dx, y - from.1 - along * dy)
}

/// A colour from a list of `(position, colour)`, positions ascending, blended between neighbours.
pub(crate) fn gradient(stops: &[(f64, Rgb)], position: f64) -> Rgb {
    let mut colour = stops.first().map_or([0.0; 3], |stop| stop.1);
    for pair in stops.windows(2) {
        if let [(low, from), (high, to)] = *pair
            && position >= low
        {
            colour = mix(from, to, smoothstep(low, high, position));
        }
    }
    colour
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_direction_agree_with_the_platform() {
        for i in -400..400 {
            let turns = f64::from(i) * 0.013;
            let (s, c) = (turns * std::f64::consts::TAU).sin_cos();
            assert!((sine(turns) - s).abs() < 1e-8, "sine of {turns}");
            assert!((cosine(turns) - c).abs() < 1e-8, "cosine of {turns}");
            let back = direction(c, s);
            assert!((sine(back) - s).abs() < 1e-4 && (cosine(back) - c).abs() < 1e-4, "direction of {turns}");
        }
    }

    #[test]
    fn noise_is_continuous_and_in_range() {
        for i in 0..1000 {
            let x = f64::from(i) * 0.0371;
            let (here, near) = (fractal(x, -x, 4, 7), fractal(x + 1e-6, -x, 4, 7));
            assert!((0.0..=1.0).contains(&here) && (here - near).abs() < 1e-4);
        }
    }
}
