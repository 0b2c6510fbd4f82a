//! Decoding a picture.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::Request;
use crate::media::picture::{PictureFormat, encode_picture, render};
use crate::output::is_stream;
use crate::report::{Reporter, duration};

#[derive(Debug, Serialize)]
struct Size {
    rows: usize,
    columns: usize,
}

pub(super) fn run(request: &Request<'_>, reporter: &Reporter) -> Result<()> {
    let arguments = request.arguments;
    let format = if is_stream(&arguments.output) { PictureFormat::Png } else { PictureFormat::of(&arguments.output)? };
    let view = request.view(0..2)?;
    let started = Instant::now();
    let picture = render(&request.document.field, &request.document.signal, &view, arguments.fill)?;
    let seconds = started.elapsed().as_secs_f64();
    let size = Size { rows: view.shape()[0], columns: view.shape()[1] };
    let report = request.finish(size, &view, seconds, &encode_picture(&picture, format)?)?;
    reporter.summary(&report, || {
        format!(
            "wrote {}: {} wide, {} high, decoded in {}{}",
            report.output,
            report.size.columns,
            report.size.rows,
            duration(report.seconds),
            match (report.absent_partitions_shown, arguments.fill) {
                (true, None) => "; absent partitions are transparent",
                (true, Some(_)) => "; absent partitions are filled",
                _ => "",
            }
        )
    })
}
