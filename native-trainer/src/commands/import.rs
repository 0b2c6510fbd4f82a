//! `tessera import`: a PyTorch checkpoint to a file.

use anyhow::Result;
use serde::Serialize;
use tessera_core::field::Model;
use tessera_core::format::{self, Document, TrainingRecord};
use tessera_core::metrics;
use tessera_core::signal::{SampleFormat, SignalInfo};

use super::describe::extents;
use crate::arguments::ImportArguments;
use crate::errors::usage_fault;
use crate::import::{ImportRequest, import};
use crate::output::{Destination, is_stream};
use crate::report::{Facts, Reporter, bytes as human_bytes, grouped};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct ImportReport {
    output: String,
    model: &'static str,
    factors: Vec<u32>,
    local_width: u32,
    global_width: u32,
    hidden_layers: u32,
    channels: u32,
    parameters: u64,
    partitions: u32,
    kept_partitions: usize,
    macs_per_sample: u64,
    bytes: u64,
    bits_per_sample: f64,
}

pub(super) fn run(arguments: &ImportArguments, reporter: &Reporter) -> Result<()> {
    let destination = Destination::new(&arguments.output, arguments.force, reporter.json())?;
    if is_stream(&arguments.input) {
        return Err(usage_fault("a checkpoint is read from a file, not from stdin: its extension says what it is"));
    }
    let model = Model::from(arguments.model);
    let shape = arguments.shape.0.clone();
    let [_, _] = shape.as_slice() else {
        return Err(usage_fault(format!("--shape {}: a picture has two axes, ROWSxCOLUMNS", arguments.shape)));
    };
    let factors = match (&arguments.factors, model) {
        (None, _) => vec![1; shape.len()],
        (Some(factors), Model::Siren) if factors.0.iter().any(|&n| n != 1) => {
            return Err(usage_fault(format!("--factors {factors}: siren is one network; leave it out")));
        }
        (Some(factors), _) => factors.0.clone(),
    };
    let request = ImportRequest {
        first_omega: arguments.first_omega.unwrap_or(arguments.omega),
        hidden_omega: arguments.hidden_omega.unwrap_or(arguments.omega),
        model: Some(model),
        channels: arguments.channels,
        ..ImportRequest::new(shape.clone(), factors)
    };
    let field = import(&arguments.input, &request)?;
    let spec = field.spec().clone();
    let signal = SignalInfo::picture(shape[0], shape[1], spec.outputs, SampleFormat::U8)?;
    let training = TrainingRecord {
        program: concat!("imported by tessera ", env!("CARGO_PKG_VERSION")).to_owned(),
        ..TrainingRecord::default()
    };
    let samples = signal.samples();
    let report = |bytes: u64| ImportReport {
        output: destination.shown(),
        model: spec.model.name(),
        factors: field.grid().factors().to_vec(),
        local_width: spec.local_width,
        global_width: spec.global_width,
        hidden_layers: spec.hidden_layers,
        channels: spec.outputs,
        parameters: field.parameters(),
        partitions: field.grid().partitions(),
        kept_partitions: field.present().len(),
        macs_per_sample: spec.multiply_adds_per_sample(),
        bytes,
        bits_per_sample: metrics::bits_per_sample(bytes, samples),
    };
    let document = Document { signal, field: field.clone(), training };
    let bytes = format::write(&document, arguments.weights.into())?;
    destination.write(&bytes)?;
    let report = report(bytes.len() as u64);
    reporter.summary(&report, || {
        Facts::new()
            .with("wrote", &report.output)
            .with(
                "network",
                format_args!(
                    "{}: {} partitions, widths {} and {}, {} hidden layers, {} parameters",
                    report.model,
                    extents(&report.factors),
                    report.local_width,
                    report.global_width,
                    report.hidden_layers,
                    grouped(report.parameters)
                ),
            )
            .with("size", format_args!("{} ({:.2} bits per sample)", human_bytes(report.bytes), report.bits_per_sample))
            .to_string()
    })
}
