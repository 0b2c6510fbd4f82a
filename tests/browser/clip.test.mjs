// Video in the page: its frames are those of the program on both engines; it plays by the clock, steps, scrubs, and is
// cropped in space and time at once.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { drop, launch, needs, openPage, output, sampleBytes, samplePath, serveAll, tessera, worstDifference } from './support/world.mjs';

const NAME = 'clip.inr';
const viewer = (t, body) => t.page.evaluate(`(async () => { const viewer = document.querySelector('tessera-viewer'); ${body} })()`);

describe('video', needs('video'), () => {
  let server, folder;
  before(async () => {
    server = await serveAll({ [NAME]: sampleBytes('video') });
    folder = mkdtempSync(join(tmpdir(), 'tessera-clip-'));
  });
  after(async () => {
    await server?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  async function open(browser, options) {
    const t = await openPage(browser, `${server.page}?url=/files/${NAME}`, options);
    await t.opened();
    await t.settled();
    return t;
  }
  async function save(t, press) {
    const download = t.page.waitForEvent('download', { timeout: 180_000 });
    await press();
    const saved = await download;
    const path = join(folder, saved.suggestedFilename());
    await saved.saveAs(path);
    return path;
  }
  /** The frames that the program decodes, as PNGs in order. */
  function frames(name, ...options) {
    const into = join(folder, name);
    rmSync(into, { recursive: true, force: true });
    tessera('decode', samplePath('video'), '-o', `${into}/`, '--force', '--quiet', ...options);
    return readdirSync(into).filter((file) => file.endsWith('.png')).sort().map((file) => readFileSync(join(into, file)));
  }

  for (const gpu of [false, true, 'draws']) {
    const name = gpu === 'draws' ? 'of WebGPU that are not read back' : gpu ? 'of WebGPU' : 'of the CPU';
    test(`frames ${name} are within 1/255 of the program`, needs('video', 'program', ...(gpu ? ['gpu'] : [])), async (context) => {
      const browser = await launch({ gpu });
      context.after(() => browser.close());
      const t = await open(browser);
      if (gpu) await t.page.locator('#engine[data-engine="WebGPU"]').waitFor({ timeout: 120_000 });
      const expected = frames('all');
      const count = await viewer(t, 'return viewer.stage.frames;');
      assert.equal(count, expected.length);
      for (const frame of [0, Math.floor(count / 2), count - 1]) {
        await viewer(t, `viewer.stage.seek(${frame});`);
        await t.viewer.locator('.stage').focus();
        await t.page.keyboard.press('1');
        await t.settled();
        assert.ok((await worstDifference(t.page, `clip-${frame}`, expected[frame], 1)) <= 1);
      }
      await t.close();
    });
  }

  for (const gpu of [false, true]) {
    test(`it plays by the clock, ${gpu ? 'on WebGPU' : 'without WebGPU'}`, needs('video', ...(gpu ? ['gpu'] : [])), async (context) => {
      const browser = await launch({ gpu });
      context.after(() => browser.close());
      const t = await open(browser);
      if (gpu) await t.page.locator('#engine[data-engine="WebGPU"]').waitFor({ timeout: 120_000 });
      await t.button('Loop (L)').click();
      const { frames: count, rate } = await viewer(t, 'return { frames: viewer.stage.frames, rate: viewer.file.info.rate[0] / viewer.file.info.rate[1] };');
      await t.button('Play').click();
      await t.page.waitForFunction(() => document.querySelector('tessera-viewer').stage.pace.shown > 0);
      // Whatever was shown is compared with what was due at that moment, by the page's own clock.
      const seen = await viewer(t, `
        const seen = [];
        const begun = performance.now();
        while (performance.now() - begun < 2500) {
          await new Promise((resolve) => requestAnimationFrame(resolve));
          const { x, y, data } = viewer.visiblePixels();
          let sum = 0;
          for (let i = 0; i < data.data.length; i += 997) sum = (sum * 31 + data.data[i]) >>> 0;
          seen.push([performance.now() - begun, viewer.stage.frame, sum]);
        }
        return { seen, pace: viewer.stage.pace };`);
      await t.button('Pause').click();
      const [[t0, f0], [t1, f1]] = [seen.seen[0], seen.seen.at(-1)];
      // Frames passed, modulo the loop: as many as the time has.
      const due = ((t1 - t0) / 1000) * rate;
      const loops = Math.round((due - (f1 - f0)) / count);
      const passed = f1 - f0 + loops * count;
      assert.ok(Math.abs(passed - due) <= Math.max(2, rate * 0.5), `${passed} frames passed in the time of ${due.toFixed(1)}`);
      assert.ok(seen.pace.shown >= 4, `only ${JSON.stringify(seen.pace)}`);
      const pictures = new Set(seen.seen.map(([, , sum]) => sum)).size;
      assert.ok(pictures >= Math.min(count, 4), `${pictures} different pictures on the screen`);
      // The frame that it rests on becomes sharp.
      await t.settled();
      assert.equal(await viewer(t, 'return viewer.stage.playing;'), false);
      await t.close();
    });
  }

  for (const gpu of [false, true]) describe(`stepping and cropping ${gpu ? 'on WebGPU' : 'without WebGPU'}`, needs('video', ...(gpu ? ['gpu'] : [])), () => {
    let browser;
    before(async () => (browser = await launch({ gpu })));
    after(async () => browser?.close());
    const frame = (t) => viewer(t, 'return viewer.stage.frame;');

    test('keys step, the time line scrubs, and the slider says where it is', async () => {
      const t = await open(browser);
      await t.viewer.locator('.stage').focus();
      for (const key of ['.', '.', '.', ',']) await t.page.keyboard.press(key);
      assert.equal(await frame(t), 2);
      await t.page.keyboard.press('End');
      const last = await viewer(t, 'return viewer.stage.frames - 1;');
      assert.equal(await frame(t), last);
      assert.match(await t.viewer.getByRole('slider', { name: 'Frame' }).getAttribute('aria-valuetext'), new RegExp(`^frame ${last} of ${last + 1}`));
      const strip = await t.viewer.locator('.strip').boundingBox();
      await t.page.mouse.move(strip.x + strip.width * 0.1, strip.y + 10);
      await t.page.mouse.down();
      await t.page.mouse.move(strip.x + strip.width * 0.5, strip.y + 10, { steps: 4 });
      await t.page.mouse.up();
      assert.equal(await frame(t), Math.floor((last + 1) * 0.5));
      await t.settled();
      await t.close();
    });

    test('a rectangle and a time are cropped together, saved and opened again', needs('video', 'program'), async () => {
      const t = await open(browser);
      await t.button('Crop').click();
      const box = await viewer(t, `
        const stage = viewer.shadowRoot.querySelector('.stage').getBoundingClientRect();
        const { view, size, ratio } = viewer.screen;
        return { x: stage.x + view.x / ratio, y: stage.y + view.y / ratio, width: (size.width * view.scale) / ratio, height: (size.height * view.scale) / ratio };`);
      const drag = async (from, to) => {
        await t.page.mouse.move(...from);
        await t.page.mouse.down();
        await t.page.mouse.move(...to, { steps: 6 });
        await t.page.mouse.up();
      };
      const size = async () => {
        await t.page.waitForFunction(() => {
          const v = document.querySelector('tessera-viewer');
          return v.cropDetail?.kept === v.cropTool.kept.length;
        });
        return viewer(t, 'return viewer.cropDetail;');
      };
      await drag([box.x + box.width * 0.3, box.y + box.height * 0.1], [box.x + box.width * 0.7, box.y + box.height * 0.4]);
      const plane = await size();
      assert.ok(plane.kept < plane.present);
      const { planes } = await viewer(t, 'return { planes: viewer.grid.planes };');
      const strip = await t.viewer.locator('.strip').boundingBox();
      await drag([strip.x + 3, strip.y + 40], [strip.x + strip.width / planes / 2, strip.y + 40]);
      const both = await size();
      assert.equal(both.kept, plane.kept / planes, 'the time keeps the rectangle');
      await t.page.screenshot({ path: output('clip-crop.png') });
      // By keys: the end of the time one part later.
      const end = t.viewer.locator('.strip .handle[data-side="1"]');
      await end.focus();
      await t.page.keyboard.press('ArrowRight');
      assert.equal((await size()).kept, 2 * both.kept);
      await t.page.keyboard.press('Control+z');
      const shown = await size();
      assert.equal(shown.kept, both.kept);
      const saved = readFileSync(await save(t, () => t.button('Save .inr').click()));
      assert.equal(saved.length, shown.croppedBytes);
      const own = join(folder, 'own.inr');
      tessera('crop', samplePath('video'), '-o', own, '--keep', shown.selector, '--quiet', '--force');
      assert.deepEqual(saved, readFileSync(own));
      // The animation holds the frames that the program decodes of the same crop.
      const animation = readFileSync(await save(t, () => t.button('Save APNG').click()));
      const expected = frames('crop', '--region', shown.selector);
      const worst = await t.page.evaluate(async ({ base64, pngs }) => {
        const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        const decoder = new ImageDecoder({ data: bytes(base64), type: 'image/png', colorSpaceConversion: 'none' });
        await decoder.tracks.ready;
        await decoder.completed;
        const pixels = (image, width, height) => {
          const context = new OffscreenCanvas(width, height).getContext('2d');
          context.drawImage(image, 0, 0);
          return context.getImageData(0, 0, width, height).data;
        };
        if (decoder.tracks.selectedTrack.frameCount !== pngs.length) return `${decoder.tracks.selectedTrack.frameCount} frames, not ${pngs.length}`;
        let worst = 0;
        for (const [i, png] of pngs.entries()) {
          const { image } = await decoder.decode({ frameIndex: i });
          const bitmap = await createImageBitmap(new Blob([bytes(png)]), { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
          if (bitmap.width !== image.displayWidth || bitmap.height !== image.displayHeight) return `${image.displayWidth} x ${image.displayHeight}, not ${bitmap.width} x ${bitmap.height}`;
          const [a, b] = [pixels(image, bitmap.width, bitmap.height), pixels(bitmap, bitmap.width, bitmap.height)];
          a.forEach((v, k) => (worst = Math.max(worst, Math.abs(v - b[k]))));
        }
        return worst;
      }, { base64: animation.toString('base64'), pngs: expected.map((png) => png.toString('base64')) });
      assert.ok(worst <= 1, `the saved animation differs: ${worst}`);
      await drop(t.page, [{ name: 'cut.inr', bytes: saved }]);
      await t.page.waitForFunction((kept) => document.querySelector('tessera-viewer').file?.info.present === kept, shown.kept);
      await t.settled();
      assert.equal(await frame(t), 0);
      await t.close();
    });
  });
});
