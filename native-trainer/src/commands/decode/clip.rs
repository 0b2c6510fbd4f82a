//! Decoding a clip, some frames at a time.

use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tessera_core::eval::View;
use tessera_core::grid::SampleBox;

use super::Request;
use crate::decoding;
use crate::errors::{Fault, usage_fault};
use crate::media::clip::{ClipFormat, FrameFormat, FrameWriter, Rate};
use crate::media::picture::Layout;
use crate::report::{Reporter, duration};
use crate::signals;

#[derive(Debug, Serialize)]
struct Size {
    frames: u32,
    rows: u32,
    columns: u32,
    frames_per_second: f64,
    decoded_frames_per_second: f64,
}

pub(super) fn run(request: &Request<'_>, reporter: &Reporter) -> Result<()> {
    let (arguments, signal, field) = (request.arguments, &request.document.signal, &request.document.field);
    let format = ClipFormat::of(&arguments.output)?;
    let own = Rate::of_header(signal.rate).context("the file's frame rate makes no sense")?;
    let rate = arguments.frame_rate.unwrap_or(own);
    if let Some(note) = format.note(rate) {
        reporter.say(format_args!("note: {note}"));
    }
    let time = rate.per_second() / own.per_second();
    let view = Frames { bounds: &request.bounds, shape: request.shape(&[time, request.scale(), request.scale()])? };
    let [count, rows, columns] = view.shape[..] else { return Err(usage_fault("a clip has three axes")) };
    let absent = request.shows_absent();
    let layout = Layout::of(signal, absent, arguments.fill);
    let frame = FrameFormat { width: columns, height: rows, channels: u32::try_from(layout.channels())? };
    let samples = rows as usize * columns as usize;
    let at_a_time = u32::try_from(decoding::frames_at_a_time(samples))?;

    let stop = signals::watch()?;
    let mut writer = FrameWriter::new(&request.destination, format, frame, rate, count.into())?;
    let mut seconds = 0.0;
    for first in (0..count).step_by(at_a_time as usize) {
        let mut part = view.part(first..first.saturating_add(at_a_time).min(count))?;
        if arguments.nearest {
            part = part.nearest();
        }
        let started = Instant::now();
        let bytes = layout.bytes(field, &part)?;
        seconds += started.elapsed().as_secs_f64();
        for frame in bytes.chunks_exact(frame.bytes()) {
            if stop.load(Ordering::Relaxed) {
                return Err(Fault::Interrupted("interrupted; nothing is written".to_owned()).into());
            }
            writer.write_frame(frame)?;
        }
    }
    let bytes = writer.finish()?.unwrap_or(0);
    let size = Size {
        frames: count,
        rows,
        columns,
        frames_per_second: rate.per_second(),
        decoded_frames_per_second: f64::from(count) / seconds.max(f64::MIN_POSITIVE),
    };
    let report = request.report(size, samples as u64 * u64::from(count), absent, seconds, bytes);
    reporter.summary(&report, || {
        format!(
            "wrote {}: {} frames at {rate} per second, {} wide, {} high, decoded in {} ({:.1} frames per second){}",
            report.output,
            report.size.frames,
            report.size.columns,
            report.size.rows,
            duration(report.seconds),
            report.size.decoded_frames_per_second,
            match (absent, arguments.fill) {
                (true, None) => "; absent partitions are transparent",
                (true, Some(_)) => "; absent partitions are filled",
                _ => "",
            }
        )
    })
}

/// A clip's region at some size, which is never a view as a whole: those have a limit that clips exceed.
struct Frames<'a> {
    bounds: &'a SampleBox,
    shape: Vec<u32>,
}

impl Frames<'_> {
    /// The view of some frames.
    fn part(&self, frames: std::ops::Range<u32>) -> Result<View> {
        let lengths = self.bounds.iter().map(|range| range.end - range.start);
        if lengths.eq(self.shape.iter().copied()) {
            let mut bounds = self.bounds.clone();
            bounds[0] = bounds[0].start + frames.start..bounds[0].start + frames.end;
            return Ok(View::region(&bounds));
        }
        let mut edges: Vec<_> = self.bounds.iter().map(|r| f64::from(r.start)..f64::from(r.end)).collect();
        let mut shape = self.shape.clone();
        let cell = (edges[0].end - edges[0].start) / f64::from(shape[0]);
        let start = edges[0].start;
        edges[0] = start + f64::from(frames.start) * cell..start + f64::from(frames.end) * cell;
        shape[0] = frames.end - frames.start;
        Ok(View::resampled(&edges, &shape)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_parts_of_the_whole() {
        let bounds = vec![2..9, 0..4, 1..6];
        let stored = Frames { bounds: &bounds, shape: vec![7, 4, 5] };
        let whole = View::region(&bounds);
        assert_eq!(stored.part(0..7).unwrap(), whole);
        assert_eq!(stored.part(3..5).unwrap(), whole.along(0, 3..5));
        let denser = Frames { bounds: &bounds, shape: vec![14, 8, 10] };
        let edges: Vec<_> = bounds.iter().map(|r| f64::from(r.start)..f64::from(r.end)).collect();
        let whole = View::resampled(&edges, &[14, 8, 10]).unwrap();
        assert_eq!(denser.part(4..7).unwrap(), whole.along(0, 4..7));
    }
}
