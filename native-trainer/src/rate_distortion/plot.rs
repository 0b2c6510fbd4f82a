//! PSNR against bits per pixel as an SVG: a logarithmic axis of rates, a line for every curve, a legend beside it.
//!
//! Written by hand: a plotting library brings fonts, bitmaps and a layout of its own for what are lines, dots and texts.

use std::fmt::Write as _;

use tessera_core::metrics::RatePoint;

/// A line of the plot.
#[derive(Debug, Clone)]
pub struct Line {
    /// In the legend.
    pub name: String,
    /// By rate.
    pub points: Vec<RatePoint>,
    /// Drawn thick with dots, and what the axes reach to: measured now.
    pub measured: bool,
}

/// The page's accent for the first line, then colours that people with colour-blindness tell apart (Okabe and Ito).
const COLOURS: [&str; 7] = ["#a83f0b", "#0072b2", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#3a3a3a"];
/// Told apart where the colours begin again.
const DASHES: [&str; 4] = ["", "7 3", "2 3", "9 3 2 3"];
/// The area of the lines: left, top, right, bottom.
const AREA: [f64; 4] = [64.0, 44.0, 664.0, 500.0];
/// Beside the area: a line of the legend, and what a letter of it takes at most.
const LEGEND: f64 = 64.0;
const LETTER: f64 = 8.0;
const ROW: f64 = 18.0;
/// How far the axes go beyond what was measured.
const MARGIN: f64 = 1.12;
const MARGIN_DB: f64 = 0.6;
/// Marks of the axes.
const RATES: [f64; 13] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 2.0, 5.0, 10.0, 20.0];

/// The plot; `None` where nothing was measured.
pub fn svg(title: &str, lines: &[Line]) -> Option<String> {
    let measured = || lines.iter().filter(|line| line.measured).flat_map(|line| &line.points);
    let finite = |point: &&RatePoint| point.psnr_db.is_finite() && point.bits_per_sample > 0.0;
    let fold = |of: fn(&RatePoint) -> f64| {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        measured().filter(finite).map(of).fold(ends, |(low, high), v| (low.min(v), high.max(v)))
    };
    let (rates, psnrs) = (fold(|p| p.bits_per_sample), fold(|p| p.psnr_db));
    if rates.0 > rates.1 {
        return None;
    }
    let (rates, psnrs) = ((rates.0 / MARGIN, rates.1 * MARGIN), (psnrs.0 - MARGIN_DB, psnrs.1 + MARGIN_DB));
    let [left, top, right, bottom] = AREA;
    let x = |rate: f64| left + (right - left) * (rate / rates.0).ln() / (rates.1 / rates.0).ln();
    let y = |psnr: f64| bottom - (bottom - top) * (psnr - psnrs.0) / (psnrs.1 - psnrs.0);
    let longest = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "a few lines and letters")]
    let (width, height) =
        (right + LEGEND + LETTER * longest as f64 + 16.0, (top + ROW * (lines.len() as f64 + 1.0)).max(bottom + 48.0));

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <clipPath id=\"area\"><rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\"/></clipPath>\n\
         <text x=\"{left}\" y=\"26\" font-size=\"16\" font-weight=\"600\">{}</text>\n",
        right - left,
        bottom - top,
        escaped(title)
    );
    let mut line = |x1: f64, y1: f64, x2: f64, y2: f64| {
        let _ = writeln!(out, "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"#ddd\"/>");
    };
    let rate_marks: Vec<f64> = RATES.into_iter().filter(|rate| (rates.0..=rates.1).contains(rate)).collect();
    rate_marks.iter().for_each(|&rate| line(x(rate), top, x(rate), bottom));
    let step = if psnrs.1 - psnrs.0 > 24.0 { 5.0 } else { 2.0 };
    let first = (psnrs.0 / step).ceil() * step;
    let psnr_marks: Vec<f64> =
        std::iter::successors(Some(first), |mark| Some(mark + step)).take_while(|mark| *mark <= psnrs.1).collect();
    psnr_marks.iter().for_each(|&psnr| line(left, y(psnr), right, y(psnr)));
    for rate in rate_marks {
        let _ =
            writeln!(out, "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{rate}</text>", x(rate), bottom + 18.0);
    }
    for psnr in psnr_marks {
        let _ =
            writeln!(out, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{psnr}</text>", left - 8.0, y(psnr) + 4.5);
    }
    let middle = f64::midpoint(left, right);
    let _ = writeln!(out, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">bits per pixel</text>", bottom + 38.0);
    let _ = writeln!(
        out,
        "<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">PSNR (dB)</text>",
        f64::midpoint(top, bottom)
    );

    // What was measured lies on top.
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|&index| lines[index].measured);
    let _ = writeln!(out, "<g clip-path=\"url(#area)\" fill=\"none\" stroke-linejoin=\"round\">");
    for &index in &order {
        let path: Vec<String> = lines[index]
            .points
            .iter()
            .filter(finite)
            .map(|p| format!("{:.1} {:.1}", x(p.bits_per_sample), y(p.psnr_db)))
            .collect();
        let _ = writeln!(out, "<path d=\"M{}\" {}/>", path.join("L"), stroke(index, lines[index].measured));
    }
    let _ = writeln!(out, "</g>");
    for &index in order.iter().filter(|&&index| lines[index].measured) {
        for point in lines[index].points.iter().filter(finite) {
            let (x, y, fill) = (x(point.bits_per_sample), y(point.psnr_db), COLOURS[index % COLOURS.len()]);
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{fill}\"/>");
        }
    }
    let mut row = top + 10.0;
    for (index, line) in lines.iter().enumerate() {
        let (from, weight) = (right + 24.0, if line.measured { 600 } else { 400 });
        let stroke = stroke(index, line.measured);
        let _ = writeln!(out, "<path d=\"M{from} {row}h30\" fill=\"none\" {stroke}/>");
        let (x, y) = (from + 40.0, row + 4.5);
        let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\" font-weight=\"{weight}\">{}</text>", escaped(&line.name));
        row += ROW;
    }
    out.push_str("</svg>\n");
    Some(out)
}

fn stroke(index: usize, measured: bool) -> String {
    let (colour, dash) = (COLOURS[index % COLOURS.len()], DASHES[index / COLOURS.len() % DASHES.len()]);
    let width = if measured { 2.4 } else { 1.3 };
    let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
    format!("stroke=\"{colour}\" stroke-width=\"{width}\"{dash}")
}

fn escaped(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, measured: bool, points: &[(f64, f64)]) -> Line {
        let point = |&(bits_per_sample, psnr_db): &(f64, f64)| RatePoint { bits_per_sample, psnr_db };
        Line { name: name.to_owned(), measured, points: points.iter().map(point).collect() }
    }

    #[test]
    fn lines_lie_where_their_points_are() {
        let lines = [line("a<b", true, &[(0.1, 25.0), (1.0, 35.0)]), line("far", false, &[(0.001, 3.0), (90.0, 70.0)])];
        let text = svg("x & y", &lines).unwrap();
        assert!(text.contains("a&lt;b") && text.contains("x &amp; y") && text.contains(">0.5</text>"));
        assert_eq!(text.matches("<circle").count(), 2);
        // The middle of a logarithmic axis: 0.1 and 1 lie at the same distance from the ends.
        let centres: Vec<f64> =
            text.split("cx=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
        assert!((centres[0] - AREA[0] - (AREA[2] - centres[1])).abs() < 0.2, "{centres:?}");
        assert_eq!(svg("nothing", &[line("only", false, &[(0.1, 20.0)])]), None);
        assert!(svg("one", &[line("point", true, &[(0.1, 20.0)])]).is_some());
        assert!(svg("lossless", &[line("point", true, &[(0.1, 20.0), (9.0, f64::INFINITY)])]).is_some());
    }
}
