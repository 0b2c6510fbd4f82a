// The GPU kernels in a real WebGPU device, on a software adapter: pixels, gradients, and training itself.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { serve } from './support/server.mjs';
import { launch, needs, output, root, tessera } from './support/world.mjs';

const folder = process.env.TESSERA_BENCH_MODULE ?? join(root, 'www/src/wasm/bench');
const module = existsSync(join(folder, 'tessera_web_bg.wasm')) ? {} : { skip: `no module with the tests' entries in ${folder}: run cargo xtask web` };

/** Sums of another order, in f32: largest difference of a gradient, relative to the largest gradient of its array. */
const GRADIENT_TOLERANCE = 1e-5;
/** The same for the loss itself. */
const LOSS_TOLERANCE = 1e-6;
/**
 * How far twenty steps of Adam may let those differences grow, relative to the loss. Adam divides by the gradient, so it
 * makes whole steps of gradients that are rounding alone: a part with detail keeps within 3e-6, a flat corner of the
 * mosaic drifted by 2e-3.
 */
const TRAINING_TOLERANCE = 1e-4;
const STEPS = 20;
/** A sample of ours, and two partitions in its middle. */
const SAMPLE = join(root, 'data/leaf.inr');
const PART = 'parts=27,28';

describe('the GPU kernels', { ...needs('program'), ...module }, () => {
  let browser, server, page;
  before(async () => {
    const part = output('kernel-part.inr');
    tessera('crop', SAMPLE, '--keep', PART, '-o', part, '--force', '--quiet');
    browser = await launch({ gpu: true });
    server = await serve({ folder, files: { 'part.inr': readFileSync(part), 'empty.html': '<!doctype html><title>kernels</title>' } });
    page = await browser.newPage();
    await page.goto(`${server.origin}/files/empty.html`);
    await page.evaluate(async () => {
      const kernels = await import('/some/folder/tessera_web.js');
      await kernels.default({ module_or_path: '/some/folder/tessera_web_bg.wasm' });
      await kernels.initialise();
      globalThis.kernels = kernels;
      globalThis.bytesOf = async (name) => new Uint8Array(await (await fetch(`/files/${name}`)).arrayBuffer());
    });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  // What every device grants, in dispatches of one item; and all of this device's memory in one dispatch.
  for (const [name, bytes, work] of [['16 KiB and small dispatches', 16384, 0], ['32 KiB and one dispatch', 32768, 1e12]]) {
    test(`gradients are the CPU kernel's, with ${name}`, async () => {
      const rows = await page.evaluate(([bytes, work]) => kernels.gradient_parity(bytes, work), [bytes, work]);
      assert.ok(rows.length >= 7);
      for (const [name, loss, expected, shared, local] of rows) {
        assert.ok(expected > 0.1 && Math.abs(loss / expected - 1) < LOSS_TOLERANCE, `${name}: a loss of ${loss}, not ${expected}`);
        assert.ok(shared < GRADIENT_TOLERANCE && local < GRADIENT_TOLERANCE, `${name}: gradients differ by ${shared} and ${local}`);
      }
    });
  }

  test('training follows the CPU', async () => {
    const losses = await page.evaluate(async (steps) => [...await kernels.training_losses(await bytesOf('part.inr'), steps, 1e-3)], STEPS);
    assert.equal(losses.length, 2 * STEPS);
    const [gpu, cpu] = [losses.slice(0, STEPS), losses.slice(STEPS)];
    assert.ok(gpu[STEPS - 1] < 0.9 * gpu[0], `it learns: ${gpu}`);
    gpu.forEach((loss, step) => assert.ok(Math.abs(loss / cpu[step] - 1) < TRAINING_TOLERANCE, `step ${step}: ${loss} and ${cpu[step]}`));
  });

  test('pixels left on the device are those that are read back', async () => {
    const { signal } = JSON.parse(tessera('info', SAMPLE, '--json'));
    const result = await page.evaluate(async ([rows, columns]) => {
      const bytes = await bytesOf('part.inr');
      const left = await kernels.pixels(bytes);
      const field = new kernels.GpuField(bytes);
      const read = await field.decode(0, rows, 0, columns, rows, columns, false);
      let worst = 0, opaque = 0;
      for (let i = 0; i < read.length; i++) worst = Math.max(worst, Math.abs(left[i] - read[i]));
      for (let i = 3; i < read.length; i += 4) opaque += left[i] > 0 ? 1 : 0;
      return { lengths: [left.length, read.length, rows * columns * 4], worst, opaque };
    }, signal.shape);
    assert.equal(new Set(result.lengths).size, 1);
    assert.equal(result.worst, 0);
    assert.ok(result.opaque > 0 && result.opaque < result.lengths[0] / 4, `two partitions are there, the others are transparent: ${result.opaque}`);
  });
});
