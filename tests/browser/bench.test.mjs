// The benchmark page measures what it says and nothing fails on the way.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { measure } from './bench.mjs';
import { needs, output, sampleBytes } from './support/world.mjs';

test('the benchmark reports both engines, their ratios and the machine', needs('sample', 'gpu'), async () => {
  const report = await measure({ repetitions: 2, gpu: 'draws', sample: readFileSync(new URL('../../data/leaf.inr', import.meta.url)), screenshot: output('bench.png') });
  const engines = new Set(report.figures.map((figure) => figure.engine));
  for (const engine of ['wasm-simd128', 'webgpu', 'webgpu-read-back']) assert.ok(engines.has(engine), `${engine} is missing: ${report.skipped.join('; ')}`);
  for (const figure of report.figures) assert.ok(figure.median_seconds > 0 && figure.frames_per_second > 0, JSON.stringify(figure));
  assert.deepEqual([...new Set(report.figures.map((figure) => figure.view))].sort(), ['picture', 'zoomed']);
  for (const opening of report.openings) assert.ok(opening.parse_seconds <= opening.coarse_seconds && opening.coarse_seconds <= opening.complete_seconds);
  assert.match(report.machine.user_agent, /Chrome/);
  assert.ok(report.machine.adapter && report.machine.presents);
});

for (const [kind, view] of [['sound', 'tenth'], ['video', 'picture']]) {
  test(`the benchmark says how much faster than it plays a ${kind} decodes`, needs(kind), async () => {
    const report = await measure({ repetitions: 2, gpu: false, sample: sampleBytes(kind) });
    assert.equal(report.file.kind, kind);
    const figure = report.figures.find((found) => found.engine === 'wasm-simd128' && found.view === view);
    assert.ok(figure && figure.real_time > 0 && Math.abs(figure.median_seconds * figure.frames_per_second - 1) < 1e-6, JSON.stringify(report));
  });
}
