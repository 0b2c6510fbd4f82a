// What the page says of a PNG and a JPEG of the same picture, against the same figures measured here in another way.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { drop, launch, needs, openPage, output, root, serveAll } from './support/world.mjs';

const field = readFileSync(join(root, 'data/chart.inr'));
const original = readFileSync(join(root, 'data/chart.png'));

describe('beside other formats', needs(), () => {
  let browser, server;
  before(async () => {
    browser = await launch();
    server = await serveAll({ 'chart.inr': field });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  async function open() {
    const t = await openPage(browser, `${server.page}?url=/files/chart.inr`);
    await t.opened();
    await t.settled();
    return t;
  }
  const section = (t) => t.page.locator('#panel section', { hasText: 'Beside PNG and JPEG' });
  async function measured(t) {
    await section(t).getByRole('button', { name: /^Measure/ }).click();
    await section(t).getByText('This file', { exact: true }).waitFor({ timeout: 60_000 });
    return section(t).innerText();
  }

  test('without an original there is a PNG, and the reason why there is no JPEG', async () => {
    const t = await open();
    const words = await measured(t);
    const { png, rivals } = await t.page.evaluate(async () => {
      const viewer = document.querySelector('tessera-viewer');
      return { png: (await viewer.png()).blob.size, rivals: await viewer.rivals(new AbortController().signal) };
    });
    assert.deepEqual(rivals, { rows: rivals.rows, columns: rivals.columns, pngBytes: png, original: null, jpeg: 'no original' });
    assert.match(words, /PNG of this/);
    assert.match(words, /only be found against the original/);
    assert.doesNotMatch(words, /dB/);
    await t.close();
  });

  test('with the original there is the smallest JPEG that is as close to it', async () => {
    const t = await open();
    await drop(t.page, [{ name: 'chart.png', bytes: original, type: 'image/png' }]);
    await t.page.waitForFunction(() => document.querySelector('tessera-viewer').compareTool.result, null, { timeout: 60_000 });
    const words = await measured(t);
    assert.match(words, /JPEG\s.*dB/);
    assert.match(words, /against chart\.png/);
    const seen = await t.page.evaluate(async () => {
      const viewer = document.querySelector('tessera-viewer');
      const rivals = await viewer.rivals(new AbortController().signal);
      const { pixels, canvas } = viewer.compareTool.original;
      const at = async (quality) => {
        const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: quality / 100 });
        const bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none' });
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
        context.drawImage(bitmap, 0, 0);
        const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
        const errors = data.reduce((sum, value, i) => sum + (i % 4 === 3 ? 0 : (value - pixels[i]) ** 2), 0);
        return { bytes: blob.size, psnrDb: 10 * Math.log10((255 ** 2 * data.length * 0.75) / errors) };
      };
      const { quality } = rivals.jpeg;
      return { rivals, ours: viewer.compareTool.result.whole.psnrDb, same: await at(quality), below: quality > 0 ? await at(quality - 1) : null };
    });
    const { rivals, ours, same, below } = seen;
    assert.equal(rivals.original.psnrDb, ours);
    assert.equal(rivals.jpeg.bytes, same.bytes);
    assert.ok(Math.abs(rivals.jpeg.psnrDb - same.psnrDb) < 1e-6, JSON.stringify(seen));
    assert.equal(rivals.jpeg.reached, rivals.jpeg.psnrDb >= ours);
    assert.ok(!rivals.jpeg.reached || below === null || below.psnrDb < ours, JSON.stringify(seen));
    await section(t).scrollIntoViewIfNeeded();
    await t.page.screenshot({ path: output('rivals.png') });
    await t.close();
  });

  test('can be given up', async () => {
    const t = await open();
    const kind = await t.page.evaluate(async () => {
      const abort = new AbortController();
      const asked = document.querySelector('tessera-viewer').rivals(abort.signal);
      abort.abort();
      return asked.then(() => 'answered', (error) => error.kind);
    });
    assert.equal(kind, 'cancelled');
    // At once: a small picture is measured before a pointer gets there.
    await section(t).evaluate((element) => {
      const press = (name) => [...document.querySelectorAll('#panel button')].find((button) => button.textContent === name).click();
      press('Measure sizes');
      if (element.isConnected) throw new Error('nothing says that it is measuring');
      press('Cancel');
    });
    await section(t).getByRole('button', { name: 'Measure sizes' }).waitFor();
    assert.equal(await t.viewer.getByRole('alert').isVisible(), false);
    await t.close();
  });
});
