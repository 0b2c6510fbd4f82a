// Shapes in the page: the surface is that of the field, on either engine and with either renderer; it turns, is cut open,
// cropped by a box with the bytes that were promised, and saved.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { drop, launch, needs, openPage, output, sampleBytes, samplePath, serveAll, tessera } from './support/world.mjs';

const NAME = 'shape.inr';
const viewer = (t, body) => t.page.evaluate(`(async () => { const viewer = document.querySelector('tessera-viewer'); ${body} })()`);

/** Triangles of an OBJ file: how many, what they enclose, where they reach, and edges without exactly one triangle on
 * either side. */
function measure(text) {
  const [points, triangles] = [[], []];
  for (const line of text.split('\n')) {
    const [kind, ...rest] = line.trim().split(/\s+/);
    if (kind === 'v') points.push(rest.map(Number));
    if (kind === 'f') triangles.push(rest.map((corner) => Number(corner.split('/')[0]) - 1));
  }
  let volume = 0;
  const edges = new Map();
  for (const [a, b, c] of triangles) {
    const [p, q, r] = [points[a], points[b], points[c]];
    volume += (p[0] * (q[1] * r[2] - q[2] * r[1]) + p[1] * (q[2] * r[0] - q[0] * r[2]) + p[2] * (q[0] * r[1] - q[1] * r[0])) / 6;
    for (const [from, to] of [[a, b], [b, c], [c, a]]) {
      const key = from < to ? `${from},${to}` : `${to},${from}`;
      edges.set(key, (edges.get(key) ?? 0) + (from < to ? 1 : 1000));
    }
  }
  const open = [...edges.values()].filter((count) => count !== 1001).length;
  const bounds = [0, 1, 2].flatMap((axis) => [points.reduce((m, p) => Math.min(m, p[axis]), Infinity), points.reduce((m, p) => Math.max(m, p[axis]), -Infinity)]);
  return { triangles: triangles.length, volume, open, bounds };
}

describe('shapes', needs('shape'), () => {
  let server, folder;
  before(async () => {
    server = await serveAll({ [NAME]: sampleBytes('shape') });
    folder = mkdtempSync(join(tmpdir(), 'tessera-shape-'));
  });
  after(async () => {
    await server?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  async function open(browser, { webgl = true, ...options } = {}) {
    const t = await openPage(browser, 'about:blank', { viewport: { width: 900, height: 700 }, ...options });
    if (!webgl) {
      await t.page.addInitScript(() => {
        const get = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
          return kind === 'webgl2' ? null : get.call(this, kind, ...rest);
        };
      });
    }
    await t.page.goto(`${server.page}?url=/files/${NAME}`);
    await t.opened();
    await t.settled();
    return t;
  }
  async function save(t, press) {
    const download = t.page.waitForEvent('download', { timeout: 120_000 });
    await press();
    const saved = await download;
    const path = join(folder, saved.suggestedFilename());
    await saved.saveAs(path);
    return path;
  }
  /** How much of the stage the shape covers, and a fingerprint of what it looks like. */
  const seen = (t) => viewer(t, `
    const { data, width, height } = viewer.stage.pixels();
    const cells = new Float64Array(256);
    let covered = 0;
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      if (data[at + 3] > 128) { covered += 1; cells[Math.floor(16 * y / height) * 16 + Math.floor(16 * x / width)] += data[at] + data[at + 1] + data[at + 2]; }
    }
    return { covered: covered / (width * height), cells: [...cells].map((c) => c * 256 / (width * height * 765)) };`);
  const apart = (a, b) => a.cells.reduce((sum, c, i) => sum + Math.abs(c - b.cells[i]), 0) / 256;

  for (const [name, gpu] of [['without WebGPU', false], ['on WebGPU', true]]) {
    test(`the saved surface is closed and that of the program, ${name}`, needs('shape', 'program', ...(gpu ? ['gpu'] : [])), async (context) => {
      const browser = await launch({ gpu });
      context.after(() => browser.close());
      const t = await open(browser);
      if (gpu) await t.page.locator('#engine[data-engine="WebGPU"]').waitFor({ timeout: 120_000 });
      const found = measure(readFileSync(await save(t, () => t.button('Save OBJ').click()), 'utf8'));
      const own = join(folder, 'own.obj');
      tessera('decode', samplePath('shape'), '-o', own, '--force', '--quiet');
      const expected = measure(readFileSync(own, 'utf8'));
      assert.equal(found.open, 0, 'an edge lacks a triangle');
      assert.ok(found.volume > 0, 'the triangles face inwards');
      assert.ok(Math.abs(found.volume / expected.volume - 1) < 1e-3, `encloses ${found.volume}, the program's ${expected.volume}`);
      assert.ok(Math.abs(found.triangles / expected.triangles - 1) < 0.01, `${found.triangles} triangles, the program's ${expected.triangles}`);
      const spacing = await viewer(t, 'return viewer.file.info.placement?.spacing ?? 1;');
      found.bounds.forEach((b, i) => assert.ok(Math.abs(b - expected.bounds[i]) < 0.1 * spacing, `reaches to ${b}, the program's to ${expected.bounds[i]}`));
      await t.close();
    });
  }

  for (const gpu of [false, true]) test(`it turns by pointer and by keys, zooms, and is cut open, ${gpu ? 'on WebGPU' : 'without WebGPU'}`, needs('shape', ...(gpu ? ['gpu'] : [])), async (context) => {
    const browser = await launch({ gpu });
    context.after(() => browser.close());
    const t = await open(browser);
    if (gpu) await t.page.locator('#engine[data-engine="WebGPU"]').waitFor({ timeout: 120_000 });
    const first = await seen(t);
    assert.ok(first.covered > 0.02 && first.covered < 0.9, `${first.covered} of the stage is covered`);
    const box = await t.viewer.locator('.stage.shape').boundingBox();
    await t.page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
    await t.page.mouse.down();
    await t.page.mouse.move(box.x + box.width * 0.75, box.y + box.height * 0.6, { steps: 5 });
    await t.page.mouse.up();
    const turned = await seen(t);
    assert.ok(apart(first, turned) > 0.002, 'a drag did not turn it');
    await t.viewer.locator('.stage.shape').focus();
    await t.page.keyboard.press('ArrowLeft');
    const again = await seen(t);
    assert.ok(apart(turned, again) > 0.0005, 'an arrow key did not turn it');
    await t.page.keyboard.press('+');
    assert.ok((await seen(t)).covered > again.covered, 'plus did not zoom');
    await t.page.keyboard.press('0');
    const whole = await seen(t);
    await t.page.keyboard.press('k');
    const cut = await seen(t);
    assert.ok(apart(whole, cut) > 0.002, 'a section changed nothing');
    // The slider is a control of its own: arrows on it move the section, not the shape.
    const slider = t.viewer.getByRole('slider', { name: 'Place of the section' });
    await slider.focus();
    await slider.fill(await slider.getAttribute('max'));
    assert.ok(apart(whole, await seen(t)) < apart(whole, cut));
    await t.page.keyboard.press('k');
    await t.page.keyboard.press('g');
    const wires = await seen(t);
    assert.ok(apart(whole, wires) > 0, 'no partitions were drawn');
    await t.close();
  });

  test('without WebGL it looks the same', async (context) => {
    const browser = await launch();
    context.after(() => browser.close());
    const looks = [];
    for (const webgl of [true, false]) {
      const t = await open(browser, { webgl });
      assert.equal(await viewer(t, 'return viewer.stage.renderer;'), webgl ? 'WebGL' : 'the CPU');
      looks.push(await seen(t));
      await t.page.screenshot({ path: output(`shape-${webgl ? 'webgl' : 'cpu'}.png`) });
      await t.close();
    }
    const [device, cpu] = looks;
    assert.ok(Math.abs(device.covered - cpu.covered) < 0.01, `${device.covered} and ${cpu.covered} are covered`);
    assert.ok(apart(device, cpu) < 0.005, `they differ by ${apart(device, cpu)}`);
  });

  for (const gpu of [false, true]) describe(`cropping ${gpu ? 'on WebGPU' : 'without WebGPU'}`, needs('shape', ...(gpu ? ['gpu'] : [])), () => {
    let browser;
    before(async () => (browser = await launch({ gpu })));
    after(async () => browser?.close());

    const size = async (t) => {
      await t.page.waitForFunction(() => {
        const v = document.querySelector('tessera-viewer');
        return v.cropDetail?.kept === v.cropTool.kept.length;
      });
      return viewer(t, 'return viewer.cropDetail;');
    };

    test('a box moved by keys is saved with the bytes that were promised, and opens again', needs('shape', 'program'), async () => {
      const t = await open(browser);
      const focused = () => t.page.evaluate(() => document.querySelector('tessera-viewer').shadowRoot.activeElement?.dataset.side ?? null);
      await t.viewer.locator('.stage.shape').focus();
      await t.page.keyboard.press('c');
      assert.equal(await focused(), 'X-', 'crop puts the focus on the first handle');
      await t.page.keyboard.press('ArrowRight');
      for (let i = 0; i < 8 && (await focused()) !== 'Y+'; i++) await t.page.keyboard.press('Tab');
      await t.page.keyboard.press('ArrowDown');
      assert.match(await t.viewer.locator('.shape .handle[data-side="Y+"]').getAttribute('aria-label'), /^High side along Y, Y 1 to \d+ of \d+$/);
      const shown = await size(t);
      assert.ok(shown.kept > 0 && shown.kept < shown.present, JSON.stringify(shown));
      const saved = readFileSync(await save(t, () => t.page.keyboard.press('s')));
      assert.equal(saved.length, shown.croppedBytes);
      const own = join(folder, 'own.inr');
      tessera('crop', samplePath('shape'), '-o', own, '--keep', shown.selector, '--quiet', '--force');
      assert.deepEqual(saved, readFileSync(own));
      const part = measure(readFileSync(await save(t, () => t.button('Save OBJ').click()), 'utf8'));
      assert.equal(part.open, 0);
      await drop(t.page, [{ name: 'cut.inr', bytes: saved }]);
      await t.page.waitForFunction((kept) => document.querySelector('tessera-viewer').file?.info.present === kept, shown.kept);
      await t.settled();
      const cut = await viewer(t, 'return viewer.stage.mesh.triangles.length / 3;');
      assert.ok(Math.abs(cut / part.triangles - 1) < 0.01, `${cut} triangles on the screen, ${part.triangles} saved`);
      await t.close();
    });

    test('a handle follows the pointer, and a click takes a part', async () => {
      const t = await open(browser);
      await t.button('Crop').click();
      const handle = await t.viewer.locator('.shape .handle[data-side="X+"]').boundingBox();
      const other = await t.viewer.locator('.shape .handle[data-side="X-"]').boundingBox();
      const middle = (b) => [b.x + b.width / 2, b.y + b.height / 2];
      const [[x, y], [ox, oy]] = [middle(handle), middle(other)];
      await t.page.mouse.move(x, y);
      await t.page.mouse.down();
      await t.page.mouse.move(x + (ox - x) * 0.6, y + (oy - y) * 0.6, { steps: 6 });
      await t.page.mouse.up();
      const shown = await size(t);
      assert.ok(shown.kept < shown.present && shown.kept > 0, JSON.stringify(shown));
      await t.page.keyboard.press('Control+z');
      assert.equal((await size(t)).kept, shown.present);
      const place = await viewer(t, `
        const { data, width, height } = viewer.stage.pixels();
        const ratio = devicePixelRatio;
        for (let y = Math.floor(height * 0.3); y < height * 0.7; y += 7) for (let x = Math.floor(width * 0.3); x < width * 0.7; x += 7) {
          if ([-6, 0, 6].every((d) => data[4 * ((y + d) * width + x + d) + 3] > 250)) {
            const box = viewer.shadowRoot.querySelector('.stage.shape').getBoundingClientRect();
            const [px, py] = [box.x + x / ratio, box.y + y / ratio];
            if (viewer.shadowRoot.elementFromPoint(px, py)?.classList.contains('stage')) return [px, py];
          }
        }`);
      await t.page.mouse.click(...place);
      assert.equal((await size(t)).kept, 1);
      await t.page.screenshot({ path: output('shape-crop.png') });
      await t.close();
    });
  });
});
