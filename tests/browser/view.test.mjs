// Only what is visible is decoded, coarse first, in pictures of any size and on both engines.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { deflateSync, crc32 } from 'node:zlib';
import { writeFileSync } from 'node:fs';
import { launch, needs, openPage, output, sampleBytes, sampleName, serveAll, tessera } from './support/world.mjs';

/** Coarse passes are a sixteenth and a quarter of each axis, and tiles on the border are decoded whole. */
const COARSE = 1 + 1 / 16 + 1 / 256;
const TILE = 128;

const decoded = (t) => t.page.evaluate(async () => {
  const { CPU, WebGPU } = await document.querySelector('tessera-viewer').decodedSamples();
  return CPU + WebGPU;
});
/** Device pixels of the picture on the screen, and with a tile around. */
const visible = (t) => t.page.evaluate((tile) => {
  const { data } = document.querySelector('tessera-viewer').visiblePixels();
  return { seen: data.width * data.height, most: (data.width + 2 * tile) * (data.height + 2 * tile) };
}, TILE);

describe('views', () => {
  let browsers, server;
  before(async () => {
    browsers = { CPU: await launch(), WebGPU: await launch({ gpu: true }) };
    server = await serveAll({ [sampleName]: sampleBytes() });
  });
  after(async () => {
    for (const browser of Object.values(browsers ?? {})) await browser.close();
    await server?.close();
  });

  for (const engine of ['CPU', 'WebGPU']) {
    test(`of the ${engine} decode what is visible`, needs('sample', ...(engine === 'WebGPU' ? ['gpu'] : [])), async () => {
      // Small, because the software device is slow.
      const t = await openPage(browsers[engine], `${server.page}?url=/files/${sampleName}`, { viewport: { width: 800, height: 600 } });
      await t.opened();
      if (engine === 'WebGPU') await t.page.locator('#engine[data-engine="WebGPU"]').waitFor({ timeout: 120_000 });
      await t.settled();
      const before = await decoded(t);
      await t.page.evaluate(() => document.querySelector('tessera-viewer').screen.zoom(6));
      await t.settled();
      const zoomed = (await decoded(t)) - before;
      const { seen, most } = await visible(t);
      assert.ok(zoomed >= seen && zoomed <= most * COARSE, `${zoomed} samples for ${seen} pixels, at most ${most * COARSE}`);
      // The whole picture at this zoom would be nine million.
      assert.ok(zoomed < 2_000_000);
      // A pan by half a tile decodes the tiles that come into sight, and nothing twice.
      await t.page.evaluate(() => document.querySelector('tessera-viewer').screen.pan(64, 0));
      await t.settled();
      const panned = (await decoded(t)) - before - zoomed;
      assert.ok(panned <= 2 * TILE * (600 + 2 * TILE), `a pan of 64 pixels decoded ${panned} samples`);
      await t.page.evaluate(() => document.querySelector('tessera-viewer').screen.pan(-64, 0));
      await t.settled();
      assert.equal(await decoded(t), before + zoomed + panned, 'the way back decoded something');
      await t.close();
    });
  }
});

/** A PNG of one grey, made here: the networks of a field that was hardly trained look like nothing anyway. */
function greyPng(width, height) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const check = Buffer.alloc(4);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc((width * 3 + 1) * height, 128);
  for (let row = 0; row < height; row++) rows[row * (width * 3 + 1)] = 0;
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

describe('a picture of twelve megapixels', () => {
  let folder, bytes;
  before(() => {
    if ('skip' in needs('program')) return;
    folder = mkdtempSync(join(tmpdir(), 'tessera-large-'));
    const [picture, file] = [join(folder, 'large.png'), join(folder, 'large.inr')];
    writeFileSync(picture, greyPng(3840, 3072));
    tessera('encode', picture, '-o', file, '--steps', '1', '--sample-fraction', '0.01', '--partitions', '96x120', '--local-width', '14', '--global-width', '84', '--quiet');
    bytes = readFileSync(file);
  });
  after(() => folder && rmSync(folder, { recursive: true }));

  test('opens coarsely at once, decodes only what is visible, and pans without stalling', needs('program'), async () => {
    const browser = await launch();
    const server = await serveAll({ 'large.inr': bytes });
    const t = await openPage(browser, `${server.page}?url=/files/large.inr`);
    await t.opened();
    await t.firstPicture();
    const shown = await decoded(t);
    assert.ok(shown < 400_000, `${shown} samples before the first picture`);
    await t.settled();
    const whole = await visible(t);
    const all = await decoded(t);
    assert.ok(all <= whole.most * COARSE, `${all} samples for ${whole.seen} pixels`);
    // At 100 % a screen is a tenth of the picture.
    await t.viewer.locator('.stage').focus();
    await t.page.keyboard.press('1');
    await t.settled();
    const close = (await decoded(t)) - all;
    const { most } = await visible(t);
    assert.ok(close <= most * COARSE && close < 3_000_000, `${close} samples at 100 %, at most ${most * COARSE}`);
    // A drag across the screen: frames keep coming, because the page itself decodes nothing.
    const box = await t.viewer.locator('.stage').boundingBox();
    await t.page.evaluate(() => {
      window.frames_ = [];
      let last = performance.now();
      const tick = (now) => { window.frames_.push(now - last); last = now; window.timer_ = requestAnimationFrame(tick); };
      window.timer_ = requestAnimationFrame(tick);
    });
    await t.page.mouse.move(box.x + box.width * 0.8, box.y + box.height * 0.6);
    await t.page.mouse.down();
    await t.page.mouse.move(box.x + box.width * 0.2, box.y + box.height * 0.4, { steps: 60 });
    await t.page.mouse.up();
    const frames = await t.page.evaluate(() => { cancelAnimationFrame(window.timer_); return window.frames_.slice(1); });
    const sorted = [...frames].sort((a, b) => a - b);
    const [middle, worst] = [sorted[Math.floor(sorted.length / 2)], sorted[sorted.length - 1]];
    console.log(`panning: ${frames.length} frames, median ${middle.toFixed(1)} ms, longest ${worst.toFixed(1)} ms`);
    assert.ok(middle < 100, `a frame took ${middle} ms`);
    // While it moves, there is always something to look at.
    const empty = await t.page.evaluate(() => {
      const { data } = document.querySelector('tessera-viewer').visiblePixels();
      let blank = 0;
      for (let i = 3; i < data.data.length; i += 4) blank += data.data[i] === 0 ? 1 : 0;
      return blank / (data.data.length / 4);
    });
    assert.ok(empty < 0.02, `${empty} of the screen is blank right after a pan`);
    await t.settled();
    await t.page.screenshot({ path: output('large.png') });
    await t.close();
    await browser.close();
    await server.close();
  });
});
