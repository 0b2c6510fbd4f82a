// The benchmark page measures what it says and nothing fails on the way.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { measure } from './bench.mjs';
import { needs, output } from './support/world.mjs';

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
