// Cropping in the page: the bytes that are promised are the bytes that are saved, by mouse and by keyboard.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { drop, launch, needs, openPage, sampleBytes, sampleName, samplePath, serveAll, tessera } from './support/world.mjs';

describe('cropping', needs('sample'), () => {
  let browser, server, folder;
  before(async () => {
    browser = await launch();
    server = await serveAll({ [sampleName]: sampleBytes() });
    folder = mkdtempSync(join(tmpdir(), 'tessera-browser-'));
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  async function open() {
    const t = await openPage(browser, `${server.page}?url=/files/${sampleName}`);
    await t.opened();
    await t.firstPicture();
    return t;
  }
  const detail = (t) => t.page.evaluate(() => document.querySelector('tessera-viewer').cropDetail);

  /** Waits until the size line stands still, and reads it. */
  async function size(t) {
    await t.page.waitForFunction(() => {
      const viewer = document.querySelector('tessera-viewer');
      return viewer.cropDetail?.kept === viewer.cropTool.kept.length && viewer.shadowRoot.querySelector('.size').dataset.kept === String(viewer.cropDetail.kept);
    });
    const line = t.sizeLine();
    return { text: await line.locator('strong').textContent(), exact: await line.locator('.exact').textContent(), bytes: Number(await line.getAttribute('data-bytes')), ...(await detail(t)) };
  }

  async function save(t, press) {
    const download = t.page.waitForEvent('download');
    await press();
    const saved = await download;
    const path = join(folder, saved.suggestedFilename());
    await saved.saveAs(path);
    return path;
  }

  /** Drags from one point of the picture to another; points are fractions of its width and height. */
  async function drag(t, from, to, key) {
    const box = await t.page.evaluate(() => {
      const viewer = document.querySelector('tessera-viewer');
      const stage = viewer.shadowRoot.querySelector('.stage').getBoundingClientRect();
      const { view, size, ratio } = viewer.screen;
      return { x: stage.x + view.x / ratio, y: stage.y + view.y / ratio, width: (size.width * view.scale) / ratio, height: (size.height * view.scale) / ratio };
    });
    const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
    if (key) await t.page.keyboard.down(key);
    await t.page.mouse.move(...at(from));
    await t.page.mouse.down();
    await t.page.mouse.move(...at(to), { steps: 6 });
    await t.page.mouse.up();
    if (key) await t.page.keyboard.up(key);
  }

  test('a dragged rectangle is saved with the bytes that were promised, verifies and opens again', async () => {
    const t = await open();
    await t.button('Crop').click();
    await drag(t, [0.3, 0.3], [0.6, 0.55]);
    const shown = await size(t);
    assert.ok(shown.kept > 0 && shown.kept < shown.present, JSON.stringify(shown));
    assert.ok(shown.croppedBytes < shown.bytes || shown.croppedBytes < sampleBytes().length);
    assert.match(shown.text, new RegExp(`^${shown.kept} of ${shown.present} parts, .+ to .+$`));
    const path = await save(t, () => t.button('Save .inr').click());
    const bytes = readFileSync(path);
    assert.equal(bytes.length, shown.croppedBytes);
    assert.equal(shown.exact, `${bytes.length.toLocaleString('en-US')} bytes`);
    await drop(t.page, [{ name: 'again.inr', bytes }]);
    await t.page.waitForFunction((kept) => document.querySelector('tessera-viewer').file?.info.present === kept, shown.kept);
    assert.equal(await t.page.evaluate(() => document.querySelector('tessera-viewer').file.info.bytes), bytes.length);
    await t.close();
    await test('the program accepts it, and makes the same file from the copied command', needs('program'), () => {
      tessera('verify', path);
      const own = join(folder, 'own.inr');
      tessera('crop', samplePath(), '-o', own, '--keep', shown.selector, '--quiet');
      assert.deepEqual(readFileSync(own), bytes);
    });
  });

  test('Shift adds, Control removes, I inverts, and undo takes it all back', async () => {
    const t = await open();
    await t.button('Crop').click();
    await drag(t, [0.05, 0.05], [0.3, 0.3]);
    const one = await size(t);
    await drag(t, [0.6, 0.6], [0.9, 0.9], 'Shift');
    const two = await size(t);
    assert.ok(two.kept > one.kept);
    await drag(t, [0.05, 0.05], [0.3, 0.3], 'Control');
    const rest = await size(t);
    assert.equal(rest.kept, two.kept - one.kept);
    await t.page.keyboard.press('i');
    const inverse = await size(t);
    assert.equal(inverse.kept, inverse.present - rest.kept);
    for (const expected of [rest, two, one]) {
      await t.page.keyboard.press('Control+z');
      assert.equal((await size(t)).kept, expected.kept);
    }
    await t.page.keyboard.press('Control+Shift+z');
    assert.equal((await size(t)).kept, two.kept);
    await t.close();
  });

  test('the snap decides what happens on the border', async () => {
    const t = await open();
    await t.button('Crop').click();
    await drag(t, [0.11, 0.13], [0.83, 0.87]);
    const outer = await size(t);
    await t.button('Inside').click();
    const inner = await size(t);
    assert.ok(inner.kept < outer.kept, `${inner.kept} inside, ${outer.kept} touched`);
    await t.close();
  });

  test('works by keyboard alone', async () => {
    const t = await open();
    const { rows, columns } = await t.page.evaluate(() => {
      const { rows, columns } = document.querySelector('tessera-viewer').grid;
      return { rows, columns };
    });
    // From the top of the page, only with the keyboard: into the picture, then crop.
    const focused = () => t.page.evaluate(() => document.querySelector('tessera-viewer').shadowRoot.activeElement?.getAttribute('data-handle') ?? null);
    for (let i = 0; i < 30 && !(await t.page.evaluate(() => document.querySelector('tessera-viewer').shadowRoot.activeElement?.classList.contains('stage'))); i++) await t.page.keyboard.press('Tab');
    await t.page.keyboard.press('c');
    assert.equal(await focused(), '-1,-1', 'crop puts the focus on the first handle');
    await t.page.keyboard.press('ArrowRight');
    await t.page.keyboard.press('ArrowDown');
    for (let i = 0; i < 12 && (await focused()) !== '1,1'; i++) await t.page.keyboard.press('Tab');
    assert.equal(await focused(), '1,1', 'Tab reaches the last handle');
    await t.page.keyboard.press('ArrowLeft');
    const shown = await size(t);
    assert.equal(shown.kept, (rows - 1) * (columns - 2));
    await t.page.keyboard.press('Shift+ArrowUp');
    assert.equal((await size(t)).kept, Math.max(1, rows - 1 - 8) * (columns - 2));
    await t.page.keyboard.press('Control+z');
    await size(t);
    const path = await save(t, () => t.page.keyboard.press('s'));
    assert.equal(readFileSync(path).length, shown.croppedBytes);
    const live = await t.page.waitForFunction((text) => document.querySelector('tessera-viewer').shadowRoot.querySelector('p[role="status"]').textContent.includes(text), 'was saved');
    assert.ok(live);
    await t.close();
  });

  test('Enter hides what is dropped, Escape gives up', async () => {
    const t = await open();
    await t.button('Crop').click();
    await drag(t, [0.3, 0.3], [0.6, 0.55]);
    const shown = await size(t);
    await t.viewer.locator('.stage').focus();
    await t.page.keyboard.press('Enter');
    const state = await t.page.evaluate(() => {
      const v = document.querySelector('tessera-viewer');
      return { mode: v.mode, applied: v.cropTool.state.applied };
    });
    assert.deepEqual(state, { mode: 'view', applied: true });
    assert.equal((await size(t)).kept, shown.kept);
    await t.page.keyboard.press('c');
    await t.page.keyboard.press('i');
    assert.equal((await size(t)).kept, shown.present - shown.kept);
    await t.page.keyboard.press('Escape');
    assert.equal((await size(t)).kept, shown.kept);
    await t.close();
  });

  test('takes a typed selector and says what is wrong with a bad one', async () => {
    const t = await open();
    await t.button('Crop').click();
    const field = t.viewer.getByRole('textbox', { name: 'Region to keep' });
    await field.fill('parts=0-1');
    await field.press('Enter');
    await t.page.waitForFunction(() => document.querySelector('tessera-viewer').cropDetail?.kept === 2);
    await field.fill('nonsense');
    await field.press('Enter');
    await t.viewer.getByRole('alert').waitFor();
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    await t.close();
  });

  test('a saved PNG has the size of what is kept', async () => {
    const t = await open();
    await t.page.evaluate(() => document.querySelector('tessera-viewer').cropTo('parts=0'));
    await size(t);
    const path = await save(t, () => t.button('Save PNG').click());
    const png = readFileSync(path);
    const part = await t.page.evaluate(() => document.querySelector('tessera-viewer').grid.partition(0));
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [part.column1 - part.column0, part.row1 - part.row0]);
    await t.close();
  });

  test('comparing with its own picture finds no difference', async () => {
    const t = await open();
    const path = await save(t, () => t.button('Save PNG').click());
    await drop(t.page, [{ name: 'original.png', bytes: readFileSync(path), type: 'image/png' }]);
    const result = await t.page.waitForFunction(() => document.querySelector('tessera-viewer').compareTool.result, null, { timeout: 60_000 });
    const { psnr, worst } = await result.evaluate((r) => ({
      psnr: r.whole.psnrDb === Infinity ? 'infinite' : r.whole.psnrDb,
      worst: r.difference.reduce((a, b) => Math.max(a, b), 0),
    }));
    // Opacity between none and full loses a code value on its way through a PNG of the browser.
    assert.ok(psnr === 'infinite' || psnr > 45, `${psnr}`);
    assert.ok(worst <= 4, `${worst}`);
    assert.equal(await t.page.evaluate(() => document.querySelector('tessera-viewer').mode), 'compare');
    await t.close();
  });
});
