//! A stroke font of our own: capitals, digits and some signs, drawn as lines of any thickness at any size.
//!
//! A glyph is a few polylines on a grid 4 wide and 6 high; distances to its strokes give smooth edges at every size,
//! which a bitmap font would not, and no font file has to be licensed.

use crate::maths::to_segment;

/// Polylines of a character: two digits a point (column 0 to 4, row 0 to 6 from the top), a space between polylines.
fn glyph(character: char) -> &'static str {
    match character {
        'A' => "062046 1434",
        'B' => "00063645443303 0030414233",
        'C' => "4130100105163645",
        'D' => "00062644422000",
        'E' => "40000646 0333",
        'F' => "400006 0333",
        'G' => "41301001051636454323",
        'H' => "0006 4046 0343",
        'I' => "2026",
        'J' => "4045361605",
        'K' => "0006 400346",
        'L' => "000646",
        'M' => "0600244046",
        'N' => "06004640",
        'O' => "1030414536160501 0110",
        'P' => "06003041423303",
        'Q' => "1030414536160501 0110 2446",
        'R' => "06003041423303 2346",
        'S' => "413010010213334445361605",
        'T' => "0040 2026",
        'U' => "000516364540",
        'V' => "002640",
        'W' => "0016233640",
        'X' => "0046 4006",
        'Y' => "002340 2326",
        'Z' => "00400646",
        '0' => "1030414536160501 0110 1432",
        '1' => "112026 1636",
        '2' => "01103041420646",
        '3' => "0110304142334445361605 2333",
        '4' => "36300444",
        '5' => "400003334445361605",
        '6' => "413010010516364544331304",
        '7' => "004016",
        '8' => "13020110304142331304051636454433",
        '9' => "051636454130100102133342",
        '-' => "1333",
        '.' => "2526",
        '/' => "0640",
        '+' => "1333 2224",
        ':' => "2122 2526",
        _ => "",
    }
}

/// Words set in one line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    segments: Vec<((f64, f64), (f64, f64))>,
    bounds: (f64, f64, f64, f64),
    half_stroke: f64,
}

impl Line {
    /// `text` with its upper left corner at `(left, top)`, `height` pixels high, strokes `stroke` pixels thick.
    pub(crate) fn new(text: &str, left: f64, top: f64, height: f64, stroke: f64) -> Self {
        let unit = height / 6.0;
        let mut segments = Vec::new();
        for (index, character) in text.chars().enumerate() {
            let start = left + Self::advance(index) * unit;
            for polyline in glyph(character).split(' ') {
                let points: Vec<(f64, f64)> = polyline
                    .as_bytes()
                    .chunks_exact(2)
                    .map(|p| (start + f64::from(p[0] - b'0') * unit, top + f64::from(p[1] - b'0') * unit))
                    .collect();
                segments.extend(points.windows(2).map(|pair| (pair[0], pair[1])));
            }
        }
        let right = left + Self::advance(text.chars().count()) * unit;
        Self {
            segments,
            bounds: (left - stroke, top - stroke, right + stroke, top + height + stroke),
            half_stroke: stroke / 2.0,
        }
    }

    /// Like [`Line::new`], with the middle of the words at `centre`.
    pub(crate) fn centred(text: &str, centre: f64, top: f64, height: f64, stroke: f64) -> Self {
        Self::new(text, centre - Self::width(text, height) / 2.0, top, height, stroke)
    }

    /// The width in pixels of `text` at a height in pixels.
    pub(crate) fn width(text: &str, height: f64) -> f64 {
        // The last character needs no gap behind it.
        (Self::advance(text.chars().count()) - 2.0).max(0.0) * height / 6.0
    }

    #[expect(clippy::cast_precision_loss, reason = "a line has a few dozen characters")]
    fn advance(characters: usize) -> f64 {
        characters as f64 * 6.0
    }

    /// Whether a point is on a stroke.
    pub(crate) fn covers(&self, x: f64, y: f64) -> bool {
        let (left, top, right, bottom) = self.bounds;
        x >= left
            && x <= right
            && y >= top
            && y <= bottom
            && self.segments.iter().any(|&(from, to)| to_segment(x, y, from, to) <= self.half_stroke)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_glyph_lies_on_its_grid() {
        for character in ('A'..='Z').chain('0'..='9').chain("-./+:".chars()) {
            let strokes = glyph(character);
            assert!(!strokes.is_empty(), "{character} is missing");
            for polyline in strokes.split(' ') {
                assert!(polyline.len() >= 4 && polyline.len() % 2 == 0, "{character}: {polyline}");
                for point in polyline.as_bytes().chunks_exact(2) {
                    assert!(
                        (b'0'..=b'4').contains(&point[0]) && (b'0'..=b'6').contains(&point[1]),
                        "{character}: {polyline}"
                    );
                }
            }
        }
    }

    #[test]
    fn strokes_are_where_they_should_be() {
        let line = Line::new("TI", 10.0, 10.0, 12.0, 2.0);
        assert!(line.covers(14.0, 16.0), "the stem of the T");
        assert!(!line.covers(11.0, 16.0), "left of the stem");
        assert!(line.covers(26.0, 16.0), "the I");
    }
}
