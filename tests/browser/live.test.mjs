// A field on the page while the program trains it: the picture changes, the buttons work, the end is the program's.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { dist, launch, needs, openPage, output, program, root } from './support/world.mjs';

/** Starts a training that is watched; gives its address once it serves. */
async function train(folder, ...options) {
  const child = spawn(program, ['encode', join(root, 'data/mosaic.png'), '-o', join(folder, 'out.inr'), '--json', '--watch', '--page', dist, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  child.stdout.on('data', (data) => (said.out += data));
  const address = await new Promise((resolve, reject) => {
    child.stderr.on('data', (data) => {
      said.err += data;
      const found = /watch it at (\S+)/.exec(said.err);
      if (found) resolve(found[1]);
    });
    child.on('exit', (code) => reject(new Error(`the program ended with ${code}: ${said.err}`)));
  });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  return { child, said, address, ended };
}

const bar = (page) => page.getByRole('region', { name: 'Training' });
/** All samples that the page holds; once more where a newer snapshot came in between. */
async function pixels(page) {
  const read = () => page.evaluate(async () => {
    const viewer = document.querySelector('tessera-viewer');
    await viewer.settled();
    return Array.from((await viewer.pixels()).data);
  });
  for (let attempt = 0; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (attempt === 10 || !/Cancelled/.test(String(error))) throw error;
    }
  }
}

test('a field is watched while it is trained', { ...needs('program'), timeout: 240_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-live-'));
  const browser = await launch();
  const run = await train(folder, '--steps', '4000', '--max-time', '60s');
  try {
    const { page, opened, settled, close } = await openPage(browser, run.address);
    await opened();
    assert.match(await bar(page).textContent(), /Training mosaic\.png · step \d+ of 4000/);

    // Paused, nothing moves.
    await bar(page).getByRole('button', { name: 'Pause' }).click();
    await bar(page).getByText(/^Paused/).waitFor();
    const step = () => page.evaluate(async () => (await (await fetch('live/state')).json()).step);
    await page.waitForTimeout(700);
    const paused = await step();
    const early = await pixels(page);
    await page.waitForTimeout(1500);
    assert.equal(await step(), paused);
    await page.screenshot({ path: output('live-paused.png') });
    await bar(page).getByRole('button', { name: 'Go on' }).click();

    // The differences to the original, refreshed with later snapshots.
    await bar(page).getByRole('button', { name: 'Differences' }).click();
    await page.waitForFunction(() => document.querySelector('tessera-viewer').mode === 'compare');
    assert.equal(await page.getByRole('button', { name: 'Difference', exact: true }).getAttribute('aria-pressed'), 'true', 'the difference map is what opens');
    await page.screenshot({ path: output('live-compare.png') });
    await bar(page).getByRole('button', { name: 'Differences' }).click();
    await page.waitForFunction(() => document.querySelector('tessera-viewer').mode === 'view');

    await page.waitForFunction((before) => fetch('live/state').then((r) => r.json()).then((s) => s.step > before + 20), paused, { timeout: 60_000 });
    await bar(page).getByRole('button', { name: 'Finish now' }).click();
    await bar(page).getByText(/^Wrote /).waitFor({ timeout: 60_000 });
    const size = readFileSync(join(folder, 'out.inr')).length;
    await page.waitForFunction((bytes) => document.querySelector('tessera-viewer').file.info.bytes === bytes && !document.querySelector('tessera-viewer').busy, size, { timeout: 30_000 });
    await settled();

    const late = await pixels(page);
    let apart = 0;
    for (let i = 0; i < late.length; i++) apart += Math.abs(late[i] - early[i]);
    assert.ok(apart / late.length > 0.5, `the picture changed by ${apart / late.length} code values`);

    // What the page says is what the program says.
    const report = JSON.parse(run.said.out);
    const shown = /([\d.]+) dB/.exec(await bar(page).textContent())[1];
    assert.equal(shown, report.psnr_db.toFixed(2));
    await page.screenshot({ path: output('live-finished.png') });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.screenshot({ path: output('live-phone.png') });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than a phone');

    run.child.kill('SIGINT');
    assert.equal(await run.ended, 0);
    await bar(page).getByText(/^Wrote /).waitFor();
    await close();
  } finally {
    run.child.kill('SIGKILL');
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
