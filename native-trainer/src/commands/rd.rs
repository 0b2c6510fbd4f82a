//! `tessera rd`: a set of pictures through several codecs, and how they compare.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tessera_core::eval::View;
use tessera_core::format::Reader;
use tessera_core::metrics;

use crate::arguments::RdArguments;
use crate::decoding;
use crate::errors::{Fault, exit_code, input_fault, usage_fault};
use crate::output::Destination;
use crate::rate_distortion::codecs::{self, Absent, Codec, CodecName};
use crate::rate_distortion::comparison::{Comparison, compare};
use crate::rate_distortion::curves::{Curve, of_points, read_curves};
use crate::rate_distortion::ours::{Effort, encode_to_rate};
use crate::rate_distortion::picture::{Picture, of_folder};
use crate::rate_distortion::plot::{Line, svg};
use crate::rate_distortion::records::{FILES, Origin, Records};
use crate::rate_distortion::{OURS, Point};
use crate::report::{Reporter, Table, decibels};
use crate::signals;

/// What is written into the folder of the results, beside [`FILES`].
const POINTS: &str = "points.csv";
const BD_RATES: &str = "bd-rates.csv";
const PLOT: &str = "rd.svg";

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct RdReport {
    out: String,
    pictures: usize,
    points: Vec<Point>,
    /// Points that were there already.
    kept: usize,
    comparisons: Vec<Comparison>,
    skipped: Vec<Skipped>,
    failed: Vec<Failed>,
    interrupted: bool,
    /// How PSNR is taken.
    psnr: &'static str,
}

/// A codec that is not there.
#[derive(Debug, Serialize)]
struct Skipped {
    codec: &'static str,
    reason: String,
}

/// A picture, or a point of one, that could not be made.
#[derive(Debug, Serialize)]
struct Failed {
    what: String,
    error: String,
}

struct Run<'a> {
    arguments: &'a RdArguments,
    effort: Effort,
    codecs: Vec<Codec>,
    ours: bool,
    records: Records,
    /// For what programs read and write in between.
    scratch: tempfile::TempDir,
    stop: &'static AtomicBool,
    reporter: &'a Reporter,
    report: RdReport,
    first_fault: Option<anyhow::Error>,
}

pub(super) fn run(arguments: &RdArguments, reporter: &Reporter) -> Result<()> {
    decoding::use_threads(arguments.threads)?;
    let paths = of_folder(&arguments.folder)?;
    check_out(&arguments.out)?;
    let references = references(arguments)?;
    let (codecs, absent) = available(arguments)?;
    let effort =
        Effort { steps: arguments.steps.map(|count| count.0), seed: arguments.seed, threads: arguments.threads };
    let mut run = Run {
        arguments,
        effort,
        codecs,
        ours: arguments.codec.is_empty() || arguments.codec.contains(&CodecName::Tessera),
        records: Records::open(&arguments.out)?,
        scratch: tempfile::tempdir().context("cannot make a temporary folder")?,
        stop: signals::watch()?,
        reporter,
        report: RdReport {
            out: arguments.out.display().to_string(),
            pictures: paths.len(),
            psnr: "over all samples, clamped; psnr_db of fields not rounded, psnr_8bit_db rounded to 8 bits; means of dB",
            ..RdReport::default()
        },
        first_fault: None,
    };
    for Absent { name, reason } in absent {
        reporter.say(format_args!("SKIPPED {}: {reason}", name.text()));
        run.report.skipped.push(Skipped { codec: name.text(), reason });
    }
    for (index, path) in paths.iter().enumerate() {
        if run.stop.load(Ordering::Relaxed) {
            break;
        }
        reporter.say(format_args!("[{} of {}] {}", index + 1, paths.len(), path.display()));
        match Picture::read(path) {
            Ok(picture) => run.picture(&picture)?,
            Err(error) => run.failed(path.display().to_string(), error),
        }
        // After every picture, so that whatever ends the program leaves tables behind.
        run.write(&references)?;
    }
    run.finish()
}

/// Tables are made anew by every call; those that no call has made are not replaced.
fn check_out(out: &Path) -> Result<()> {
    let foreign = [POINTS, BD_RATES, PLOT].map(|name| out.join(name)).into_iter().find(|path| path.exists());
    match foreign {
        Some(path) if !out.join(FILES).is_dir() => {
            Err(usage_fault(format!("{} is not of an earlier run: name another folder with --out", path.display())))
        }
        _ => Ok(()),
    }
}

fn references(arguments: &RdArguments) -> Result<Vec<Curve>> {
    let mut curves = Vec::new();
    for path in &arguments.curves {
        curves.extend(read_curves(path)?);
    }
    if let Some(unknown) = arguments.against.iter().find(|name| curves.iter().all(|curve| curve.codec != **name)) {
        let known: BTreeSet<&str> = curves.iter().map(|curve| curve.codec.as_str()).collect();
        let known: Vec<&str> = known.into_iter().collect();
        return Err(usage_fault(format!("--against {unknown}: the curves are {}", known.join(", "))));
    }
    curves.retain(|curve| arguments.against.is_empty() || arguments.against.contains(&curve.codec));
    Ok(curves)
}

/// The other codecs that were asked for, or all; those that are absent are a fault only where they were named.
fn available(arguments: &RdArguments) -> Result<(Vec<Codec>, Vec<Absent>)> {
    let (mut there, mut absent) = (Vec::new(), Vec::new());
    let asked = |name: &CodecName| arguments.codec.is_empty() || arguments.codec.contains(name);
    for name in CodecName::OTHERS.into_iter().filter(asked) {
        match codecs::find(name) {
            Ok(codec) => there.push(codec),
            Err(Absent { reason, .. }) if !arguments.codec.is_empty() => {
                return Err(input_fault(format!("--codec {}: {reason}", name.text())));
            }
            Err(missing) => absent.push(missing),
        }
    }
    Ok((there, absent))
}

impl Run<'_> {
    /// All points of a picture, those of programs first: they take seconds.
    fn picture(&mut self, picture: &Picture) -> Result<()> {
        let png = self.scratch.path().join("source.png");
        picture.image.save(&png).context("cannot write a temporary file")?;
        for codec in std::mem::take(&mut self.codecs) {
            for setting in codec.settings {
                let (name, extension) = (codec.name.text(), codec.extension());
                let scratch = self.scratch.path().to_owned();
                let make = |_: &Self, file: &Path| {
                    let clock = Instant::now();
                    codec.encode(&picture.image, &png, setting, file)?;
                    let seconds = clock.elapsed().as_secs_f64();
                    let psnr_db = picture.psnr_of_image_db(&codec.decode(file, &scratch)?)?;
                    Ok((seconds, psnr_db, psnr_db))
                };
                self.point(picture, (name, setting, extension), codec.recipe.clone(), make);
            }
            self.codecs.push(codec);
        }
        let (arguments, ours) = (self.arguments, self.ours);
        for &bpp in arguments.bpp.iter().filter(|_| ours) {
            let make = |run: &Self, file: &Path| {
                let clock = Instant::now();
                let mut say = |step: u64, psnr_db: f64| {
                    if step.is_multiple_of(100) {
                        run.reporter.say(format_args!("  {bpp} bits per pixel: step {step}, {}", decibels(psnr_db)));
                    }
                };
                let written = encode_to_rate(&picture.samples, bpp, &run.effort, run.stop, &mut say)?;
                let seconds = clock.elapsed().as_secs_f64();
                Destination::new(file, true, false)?.write(&written)?;
                let field = Reader::open(&written)?.document()?.field;
                let (psnr_db, rounded) = picture.psnr_db(&decoding::decode(&field, &View::full(field.grid()))?)?;
                Ok((seconds, psnr_db, rounded))
            };
            self.point(picture, (OURS, &bpp.to_string(), "inr"), self.effort.recipe(), make);
        }
        Ok(())
    }

    /// One point: from its record, or made now by `make`, which gives seconds and both PSNR.
    fn point(
        &mut self,
        picture: &Picture,
        (codec, setting, extension): (&str, &str, &str),
        recipe: String,
        make: impl FnOnce(&Self, &Path) -> Result<(f64, f64, f64)>,
    ) {
        if self.stop.load(Ordering::Relaxed) {
            return;
        }
        let file = self.records.file(&picture.name, codec, setting, extension);
        let origin = Origin { picture_crc32c: picture.checksum, recipe };
        if let Some(point) = self.records.find(&file, &origin) {
            self.report.kept += 1;
            self.report.points.push(point);
            return;
        }
        let made = make(self, &file).and_then(|(seconds, psnr_db, psnr_8bit_db)| {
            let bytes = std::fs::metadata(&file).with_context(|| format!("{} is not there", file.display()))?.len();
            let bpp = metrics::bits_per_sample(bytes, picture.pixels());
            let (picture, codec, setting) = (picture.name.clone(), codec.to_owned(), setting.to_owned());
            let point = Point { picture, codec, setting, bpp, psnr_db, psnr_8bit_db, bytes, seconds };
            self.records.keep(&file, origin, &point)?;
            Ok(point)
        });
        match made {
            Ok(point) => {
                let Point { bpp, psnr_db, .. } = point;
                self.reporter.say(format_args!("  {codec} {setting}: {bpp:.3} bits per pixel, {}", decibels(psnr_db)));
                self.report.points.push(point);
            }
            // An interruption ends the programs that it reaches as well.
            Err(_) if self.stop.load(Ordering::Relaxed) => {}
            Err(error) => self.failed(format!("{} by {codec} at {setting}", picture.name), error),
        }
    }

    fn failed(&mut self, what: String, error: anyhow::Error) {
        self.reporter.say(format_args!("error: {what}: {error:#}"));
        self.report.failed.push(Failed { what, error: format!("{error:#}") });
        self.first_fault.get_or_insert(error);
    }

    /// The tables and the plot of all points so far.
    fn write(&mut self, references: &[Curve]) -> Result<()> {
        let measured = of_points(&self.report.points);
        self.report.comparisons = compare(&measured, references);
        let write =
            |name: &str, bytes: &[u8]| Destination::new(&self.arguments.out.join(name), true, false)?.write(bytes);
        write(POINTS, &table(&self.report.points)?)?;
        write(BD_RATES, &table(&self.report.comparisons)?)?;
        let line = |curve: &Curve, measured: bool| Line {
            // A file without names of codecs is named once.
            name: if measured || curve.source.starts_with(&curve.codec) {
                curve.codec.clone()
            } else {
                format!("{} ({})", curve.codec, curve.source)
            },
            points: curve.mean(&curve.complete_pictures().unwrap_or_default()),
            measured,
        };
        // Ours first: it gets the page's colour.
        let mut lines: Vec<Line> = measured.iter().map(|curve| line(curve, true)).collect();
        lines.sort_by_key(|line| line.name != OURS);
        lines.extend(references.iter().map(|curve| line(curve, false)));
        let title = format!("Mean PSNR and rate of {}", count(self.report.pictures, "picture"));
        if let Some(plot) = svg(&title, &lines) {
            write(PLOT, plot.as_bytes())?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.report.interrupted = self.stop.load(Ordering::Relaxed);
        self.reporter.summary(&self.report, || summary(&self.report, self.ours))?;
        if self.report.interrupted {
            let reason = format!("interrupted; the same call goes on from the points in {}", self.report.out);
            return Err(Fault::Interrupted(reason).into());
        }
        match self.first_fault {
            None => Ok(()),
            Some(fault) if exit_code(&fault) == 1 => Err(fault),
            Some(fault) => {
                Err(fault.context(format!("{} failed", count(self.report.failed.len(), "point or picture"))))
            }
        }
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn table<T: Serialize>(rows: &[T]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row)).context("a table cannot be written")?;
    writer.into_inner().context("a table cannot be written")
}

/// BD-rates of ours, or of all codecs where ours was not asked for.
fn summary(report: &RdReport, ours: bool) -> String {
    let mut rates = Table::new(&["codec", "against", "of", "BD-rate", "from", "to", "pictures"]);
    for row in report.comparisons.iter().filter(|row| !ours || row.codec == OURS) {
        let decibels = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2} dB"));
        rates.row(vec![
            row.codec.clone(),
            row.against.clone(),
            row.source.clone(),
            row.bd_rate_percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:+.1} %")),
            decibels(row.from_db),
            decibels(row.to_db),
            row.pictures.to_string(),
        ]);
    }
    let mut notes: Vec<&str> =
        report.comparisons.iter().map(|row| row.note.as_str()).filter(|n| !n.is_empty()).collect();
    notes.sort_unstable();
    notes.dedup();
    let notes: String = notes.iter().map(|note| format!("note: {note}\n")).collect();
    let (points, out) = (report.points.len(), &report.out);
    let failed = if report.failed.is_empty() { String::new() } else { format!(", {} failed", report.failed.len()) };
    format!(
        "{rates}\n{notes}{points} points ({} were there){failed}; points.csv, bd-rates.csv and rd.svg are in {out}",
        report.kept
    )
}
