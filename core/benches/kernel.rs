//! The fused CPU kernel on the published 512x512 picture settings, one thread: decode, and loss with gradients.
//!
//! Throughput is in multiply-adds (a step counts as three decodes), to be read against the machine's peak.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tessera_core::eval::cpu::training::{Batch, Step};
use tessera_core::eval::{View, cpu};
use tessera_core::field::{Field, FieldSpec, initialise};
use tessera_core::grid::{Grid, UNIT_RANGE};

const SIDE: u32 = 512;

fn settings() -> Vec<(&'static str, Field)> {
    let field = |spec: &FieldSpec, factor| {
        let grid = Grid::new(vec![SIDE, SIDE], vec![factor, factor], UNIT_RANGE).expect("a valid grid");
        initialise(spec, &grid, 0).expect("a valid field")
    };
    vec![
        ("picture-512-local-global", field(&FieldSpec::local_global(2, 3, 14, 84), 16)),
        ("picture-512-per-partition", field(&FieldSpec::per_partition(2, 3, 15), 16)),
        ("picture-512-siren", field(&FieldSpec::siren(2, 3, 256), 1)),
    ]
}

fn whole_picture(field: &Field) -> Batch {
    let grid = field.grid();
    let mut batch = Batch { inputs: 2, outputs: 3, spans: Vec::new(), coordinates: Vec::new(), targets: Vec::new() };
    for partition in 0..grid.partitions() {
        let start = batch.samples();
        let bounds = grid.partition_box(partition);
        for row in bounds[0].clone() {
            for column in bounds[1].clone() {
                batch.coordinates.push(grid.coordinate(0, row.into()));
                batch.coordinates.push(grid.coordinate(1, column.into()));
                batch.targets.extend([0.1, -0.2, 0.3]);
            }
        }
        batch.spans.push(start..batch.samples());
    }
    batch
}

fn kernel(criterion: &mut Criterion) {
    for (setting, field) in settings() {
        let samples = field.grid().samples();
        let multiply_adds = field.spec().multiply_adds_per_sample() * samples;
        let mut group = criterion.benchmark_group(setting);
        group.sample_size(10);
        group.throughput(Throughput::Elements(multiply_adds));
        let view = View::full(field.grid());
        group.bench_function("decode", |b| b.iter(|| black_box(cpu::decode(&field, &view))));
        group.throughput(Throughput::Elements(3 * multiply_adds));
        let batch = whole_picture(&field);
        group.bench_function("step", |b| {
            b.iter(|| black_box(Step::new(field.spec(), field.shared(), field.local(), &batch).map(|s| s.run_all())));
        });
    }
}

criterion_group!(benches, kernel);
criterion_main!(benches);
