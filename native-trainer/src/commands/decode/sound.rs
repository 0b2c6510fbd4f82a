//! Decoding a sound.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::Request;
use crate::commands::describe::seconds_text;
use crate::errors::usage_fault;
use crate::media::sound::{SoundFormat, encode_sound, render};
use crate::output::is_stream;
use crate::report::{Reporter, duration, grouped};

#[derive(Debug, Serialize)]
struct Size {
    length_seconds: f64,
    rate_hz: u32,
    channels: u32,
}

#[expect(clippy::cast_precision_loss, reason = "at most 2^30 samples")]
pub(super) fn run(request: &Request<'_>, reporter: &Reporter) -> Result<()> {
    let arguments = request.arguments;
    let format = if is_stream(&arguments.output) { SoundFormat::Wav } else { SoundFormat::of(&arguments.output)? };
    if arguments.fill.is_some() {
        return Err(usage_fault("--fill is a colour, and this file holds a sound: what is absent is silent"));
    }
    let view = request.view(0..1)?;
    let info = &request.document.signal;
    let rate = scaled_rate(info.rate_hz().unwrap_or(1.0), request.scale())?;
    let started = Instant::now();
    let samples = render(&request.document.field, info, &view)?;
    let seconds = started.elapsed().as_secs_f64();
    let size = Size { length_seconds: view.samples() as f64 / f64::from(rate), rate_hz: rate, channels: info.channels };
    let report = request.finish(size, &view, seconds, &encode_sound(&samples, info, rate, format)?)?;
    reporter.summary(&report, || {
        format!(
            "wrote {}: {} samples at {} Hz, {}, decoded in {} ({:.0} times as fast as it plays){}",
            report.output,
            grouped(report.samples as u64),
            grouped(report.size.rate_hz.into()),
            seconds_text(info, &request.bounds).unwrap_or_default(),
            duration(report.seconds),
            report.size.length_seconds / report.seconds.max(f64::MIN_POSITIVE),
            if report.absent_partitions_shown { "; absent partitions are silent" } else { "" }
        )
    })
}

/// The rate that goes with a view of `scale` times as many samples.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against the range before")]
fn scaled_rate(rate: f64, scale: f64) -> Result<u32> {
    let scaled = (rate * scale).round();
    if !(1.0..=f64::from(u32::MAX)).contains(&scaled) {
        return Err(usage_fault(format!("{scale} times as many samples are {scaled} a second, which no file can say")));
    }
    Ok(scaled as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_whole() {
        assert_eq!(scaled_rate(44_100.0, 0.5).unwrap(), 22_050);
        assert_eq!(scaled_rate(8_000.0, 1.0 / 3.0).unwrap(), 2_667);
        assert!(scaled_rate(8_000.0, 1e-9).is_err() && scaled_rate(8_000.0, 1e9).is_err());
    }
}
