//! `tessera info`: what a file is and where its bytes are, from header, index and the tables of quantised weights.

use anyhow::Result;
use serde::Serialize;
use tessera_core::field::Encoding;
use tessera_core::format::{Reader, TrainingRecord};
use tessera_core::metrics;
use tessera_core::signal::{ColourSpace, SignalInfo, SignalKind};

use super::describe::{
    LedgerPart, box_text, encoding_text, extents, kept_box, ledger, network_text, omega_text, open, present_samples,
    seconds_text, signal_text,
};
use crate::arguments::InfoArguments;
use crate::output::{read_input, shown};
use crate::report::{Facts, Reporter, Table, bytes as human_bytes, decibels, grouped};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct InfoReport<'a> {
    file: String,
    format_version: String,
    file_id: String,
    signal: &'a SignalInfo,
    samples: u64,
    model: &'static str,
    factors: &'a [u32],
    local_width: u32,
    global_width: u32,
    hidden_layers: u32,
    first_omega: f32,
    hidden_omega: f32,
    encoding: Encoding,
    encoded_inputs: u64,
    activation: &'static str,
    #[serde(skip)]
    encoding_text: Option<String>,
    #[serde(skip)]
    network_text: String,
    coordinate_range: [f32; 2],
    macs_per_sample: u64,
    parameters: u64,
    weights: &'static str,
    partitions: u32,
    kept_partitions: usize,
    /// Of a shape: those that never had a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    empty_partitions: Option<usize>,
    /// Samples within which borders are blended, per axis.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blend: Vec<u32>,
    kept_samples: u64,
    kept_box: String,
    /// Length of the whole signal, where time plays a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    length_seconds: Option<f64>,
    #[serde(skip)]
    kept_time: Option<String>,
    bytes: u64,
    head_bytes: u64,
    shared_bytes: u64,
    local_bytes: u64,
    ledger: Vec<LedgerPart>,
    bits_per_sample: f64,
    training: &'a TrainingRecord,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
}

/// One row of `--parts`.
#[derive(Debug, Serialize)]
struct Part {
    /// `None` for the weights that all partitions share.
    partition: Option<u32>,
    index: Vec<u32>,
    region: String,
    samples: u64,
    offset: u64,
    bytes: u64,
}

pub(super) fn run(arguments: &InfoArguments, reporter: &Reporter) -> Result<()> {
    let bytes = read_input(&arguments.input)?;
    let reader = open(&bytes, &arguments.input)?;
    let (grid, spec) = (reader.grid(), reader.spec());
    let chunks = reader.chunks();
    let bytes_of =
        |shared: bool| chunks.iter().filter(|c| c.partition.is_none() == shared).map(|c| c.bytes).sum::<u64>();
    let kept_samples = present_samples(grid, reader.present());
    let kept = kept_box(&reader);
    let (major, minor) = reader.version();
    let report = InfoReport {
        file: shown(&arguments.input),
        format_version: format!("{major}.{minor}"),
        file_id: reader.file_id().to_string(),
        signal: reader.signal(),
        samples: grid.samples(),
        model: spec.model.name(),
        factors: grid.factors(),
        local_width: spec.local_width,
        global_width: spec.global_width,
        hidden_layers: spec.hidden_layers,
        first_omega: spec.first_omega,
        hidden_omega: spec.hidden_omega,
        encoding: spec.encoding,
        encoded_inputs: spec.encoded_inputs(),
        activation: spec.activation.name(),
        encoding_text: encoding_text(spec),
        network_text: std::iter::once(spec.model.name().to_owned())
            .chain([network_text(spec)])
            .chain(omega_text(spec))
            .collect::<Vec<_>>()
            .join(", "),
        coordinate_range: grid.range(),
        macs_per_sample: spec.multiply_adds_per_sample(),
        parameters: reader.parameters(),
        weights: reader.coding().name(),
        partitions: grid.partitions(),
        kept_partitions: reader.present().len(),
        empty_partitions: (reader.signal().kind == SignalKind::Shape).then(|| reader.empty().len()),
        blend: reader.blend().to_vec(),
        kept_samples,
        kept_box: box_text(&kept),
        length_seconds: reader.signal().rate_hz().map(|rate| f64::from(grid.shape()[0]) / rate),
        kept_time: seconds_text(reader.signal(), &kept),
        bytes: reader.file_bytes(),
        head_bytes: reader.head_bytes(),
        shared_bytes: bytes_of(true),
        local_bytes: bytes_of(false),
        ledger: ledger(&reader)?,
        bits_per_sample: metrics::bits_per_sample(reader.file_bytes(), kept_samples),
        training: reader.training(),
        parts: if arguments.parts { parts(&reader) } else { Vec::new() },
    };
    reporter.answer(&report, || text(&report))
}

fn parts(reader: &Reader<'_>) -> Vec<Part> {
    let grid = reader.grid();
    let part = |chunk: &tessera_core::format::ChunkInfo| match chunk.partition {
        Some(p) => Part {
            partition: Some(p),
            index: grid.unravel(p),
            region: box_text(&grid.partition_box(p)),
            samples: grid.partition_samples(p),
            offset: chunk.offset,
            bytes: chunk.bytes,
        },
        None => Part {
            partition: None,
            index: Vec::new(),
            region: String::new(),
            samples: 0,
            offset: chunk.offset,
            bytes: chunk.bytes,
        },
    };
    reader.chunks().iter().filter(|chunk| chunk.bytes > 0).map(part).collect()
}

#[expect(clippy::cast_precision_loss, reason = "percentages")]
fn text(report: &InfoReport<'_>) -> String {
    let share =
        |bytes: u64| format!("{:>10}  {:>5.1} %", human_bytes(bytes), bytes as f64 / report.bytes as f64 * 100.0);
    let empty = report.empty_partitions.unwrap_or(0);
    let complete = (report.kept_partitions + empty) as u64 == u64::from(report.partitions);
    let colour = match report.signal.colour {
        ColourSpace::None | ColourSpace::Srgb => "",
        ColourSpace::Linear => ", linear light",
        ColourSpace::Distance => ", signed distance",
        ColourSpace::Unknown => ", colours of a profile that was not kept",
    };
    let kept = if complete && empty == 0 {
        format!("all {}", report.partitions)
    } else if complete {
        format!("{} of {}, the other {empty} are empty", report.kept_partitions, report.partitions)
    } else {
        let time = report.kept_time.as_ref().map_or_else(String::new, |t| format!(", {t}"));
        let empty = if empty > 0 { format!(", {empty} are empty") } else { String::new() };
        format!("{} of {} ({}{time}){empty}", report.kept_partitions, report.partitions, report.kept_box)
    };
    let placement = report.signal.placement.map(|placement| {
        let [x, y, z] = placement.origin;
        format!("first sample at {x:.6}, {y:.6}, {z:.6}, {:.6} apart", placement.spacing)
    });
    let blend = (!report.blend.is_empty()).then(|| format!("within {} samples of borders", extents(&report.blend)));
    let training = report.training;
    let mut out = Facts::new()
        .with("file", format_args!("{}, format {}, id {}", report.file, report.format_version, report.file_id))
        .with("signal", format_args!("{}{colour}", signal_text(report.signal)))
        .with_some("placement", placement)
        .with("network", &report.network_text)
        .with_some("encoding", report.encoding_text.as_ref())
        .with("partitions", format_args!("{}{}, present: {kept}", extents(report.factors), axes(report.signal.kind)))
        .with_some("blended", blend)
        .with("parameters", format_args!("{} as {}", grouped(report.parameters), report.weights))
        .with("cost", format_args!("{} multiply-adds per sample", grouped(report.macs_per_sample)))
        .to_string();
    out.push_str("\nbytes\n");
    let parts = report
        .ledger
        .iter()
        .fold(Facts::new(), |facts, part| facts.with(&format!("  {}", part.part), share(part.bytes)));
    let rows = parts
        .with("  all", format_args!("{}   {:.2} bits per sample kept", share(report.bytes), report.bits_per_sample));
    out.push_str(&rows.to_string());
    out.push_str("\ntraining\n");
    out.push_str(&training_text(training));
    if !report.parts.is_empty() {
        out.push('\n');
        out.push_str(&parts_table(&report.parts));
    }
    out
}

fn axes(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::Picture => " (rows x columns)",
        SignalKind::Video => " (frames x rows x columns)",
        SignalKind::Shape => " (along x, y and z)",
        SignalKind::Sound => "",
    }
}

fn training_text(training: &TrainingRecord) -> String {
    if training.program.is_empty() && training.steps == 0 {
        return "  not recorded\n".to_owned();
    }
    let mut out = Facts::new()
        .with(
            "  by",
            format_args!(
                "{}, preset {}",
                training.program,
                if training.preset.is_empty() { "none" } else { &training.preset }
            ),
        )
        .with("  steps", format_args!("{} at learning rate {}", training.steps, training.learning_rate))
        .with("  samples per step", share_text(training.sample_fraction))
        .with("  seed", training.seed)
        .with_some("  quality", training.psnr_db.map(decibels))
        .to_string();
    if !training.configuration.is_empty() {
        out.push_str("\nconfiguration\n");
        for line in training.configuration.trim_end().lines() {
            // The text comes from outside: nothing in it may steer a terminal.
            out.extend(["  ", &line.replace(char::is_control, " "), "\n"]);
        }
    }
    out
}

fn share_text(share: f64) -> String {
    if share >= 1.0 { "all".to_owned() } else { format!("{:.3} %", share * 100.0) }
}

fn parts_table(parts: &[Part]) -> String {
    let mut table = Table::new(&["partition", "index", "samples at", "samples", "offset", "bytes"]);
    for part in parts {
        let index: Vec<String> = part.index.iter().map(u32::to_string).collect();
        table.row(match part.partition {
            Some(p) => vec![
                p.to_string(),
                index.join(","),
                part.region.clone(),
                grouped(part.samples),
                grouped(part.offset),
                grouped(part.bytes),
            ],
            None => vec![
                "shared".to_owned(),
                String::new(),
                String::new(),
                String::new(),
                grouped(part.offset),
                grouped(part.bytes),
            ],
        });
    }
    table.to_string()
}
