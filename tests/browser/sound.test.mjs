// Sound in the page: what the audio graph gets is what the program decodes, also around a loop; a region is cropped and
// saved with the bytes that were promised.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { drop, launch, needs, openPage, output, sampleBytes, samplePath, serveAll, tessera } from './support/world.mjs';

const NAME = 'sound.inr';

/** A worklet that passes everything on and keeps a copy: what comes out of the player's node. */
const TAP = `registerProcessor('tap', class extends AudioWorkletProcessor {
  process([input], [output]) {
    input.forEach((channel, i) => output[i]?.set(channel));
    if (input.length > 0) this.port.postMessage(input.map((channel) => channel.slice()));
    return true;
  }
});`;

/** Puts the tap between the player's node and what it is connected to. */
function tapGraph(page, address) {
  return page.addInitScript((tap) => {
    window.tapped_ = [];
    const add = AudioWorklet.prototype.addModule;
    AudioWorklet.prototype.addModule = async function (...all) {
      await add.apply(this, all);
      await add.call(this, tap);
    };
    const connect = AudioNode.prototype.connect;
    AudioNode.prototype.connect = function (target, ...rest) {
      if (!(this instanceof AudioWorkletNode) || this.tap_) return connect.call(this, target, ...rest);
      const node = new AudioWorkletNode(this.context, 'tap', { channelCount: 2, outputChannelCount: [2] });
      node.tap_ = true;
      node.port.onmessage = ({ data }) => window.tapped_.push(data);
      connect.call(this, node);
      return connect.call(node, target, ...rest);
    };
  }, address);
}

/** Samples of a WAV file by channel, in [-1, 1]. */
function readWav(bytes) {
  const channels = bytes.readUInt16LE(22);
  const bits = bytes.readUInt16LE(34);
  const float = bytes.readUInt16LE(20) === 3;
  let at = 12;
  while (bytes.toString('latin1', at, at + 4) !== 'data') at += 8 + bytes.readUInt32LE(at + 4);
  const count = bytes.readUInt32LE(at + 4) / (bits / 8) / channels;
  const value = (i) => (float ? bytes.readFloatLE(at + 8 + i * 4) : bits === 8 ? (bytes[at + 8 + i] - 128) / 128 : bits === 16 ? bytes.readInt16LE(at + 8 + i * 2) / 32768 : bytes.readIntLE(at + 8 + i * 3, 3) / 8388608);
  return Array.from({ length: channels }, (_, c) => Float32Array.from({ length: count }, (_, i) => value(i * channels + c)));
}

const viewer = (t, body) => t.page.evaluate(`(async () => { const viewer = document.querySelector('tessera-viewer'); ${body} })()`);

describe('sound', needs('sound'), () => {
  let server, folder;
  before(async () => {
    server = await serveAll({ [NAME]: sampleBytes('sound'), 'tap.js': TAP });
    folder = mkdtempSync(join(tmpdir(), 'tessera-sound-'));
  });
  after(async () => {
    await server?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  async function open(browser, options) {
    const t = await openPage(browser, 'about:blank', options);
    await tapGraph(t.page, `${server.origin}/files/tap.js`);
    await t.page.goto(`${server.page}?url=/files/${NAME}`);
    await t.opened();
    await t.settled();
    return t;
  }
  async function save(t, press) {
    const download = t.page.waitForEvent('download');
    await press();
    const saved = await download;
    const path = join(folder, saved.suggestedFilename());
    await saved.saveAs(path);
    return path;
  }
  /** What the program decodes, by channel. */
  function decoded(...options) {
    const path = join(folder, 'expected.wav');
    tessera('decode', samplePath('sound'), '-o', path, '--force', '--quiet', ...options);
    return readWav(readFileSync(path));
  }

  for (const gpu of [false, true]) {
    test(`plays the samples that the program decodes, ${gpu ? 'where there is WebGPU' : 'without WebGPU'}`, needs('sound', 'program'), async (context) => {
      const browser = await launch({ gpu });
      context.after(() => browser.close());
      const t = await open(browser);
      const { rate, samples, channels } = await viewer(t, 'const { rate, samples, channels } = viewer.stage.data; return { rate, samples, channels };');
      // A loop of a second that ends with the sound: the way around is part of what is compared.
      const [start, end] = [Math.max(0, samples - rate), samples];
      await viewer(t, `viewer.stage.player.range = { start: ${start}, end: ${end} }; viewer.stage.player.loop = true; viewer.stage.player.seek(${start});`);
      await t.button('Play').click();
      await t.page.waitForFunction((enough) => window.tapped_.length * 128 > enough, 2.5 * rate);
      const starved = await viewer(t, 'return viewer.stage.player.starved;');
      await t.button('Pause').click();
      const base64 = await t.page.evaluate(() => {
        const [count, blocks] = [window.tapped_[0].length, window.tapped_];
        const all = new Float32Array(blocks.length * 128 * count);
        for (let c = 0; c < count; c++) blocks.forEach((block, i) => all.set(block[c], (c * blocks.length + i) * 128));
        const bytes = new Uint8Array(all.buffer);
        let text = '';
        for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
        return btoa(text);
      });
      const bytes = Buffer.from(base64, 'base64');
      const heard = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      const length = heard.length / channels;
      const expected = decoded();
      assert.equal(expected.length, channels);
      // Silence until the first block that plays; from there on every sample, and no gap.
      let first = 0;
      while (first < length && heard[first] === 0) first += 1;
      const lead = [...expected[0].subarray(start)].findIndex((v) => Math.abs(v) > 1e-4);
      const begin = Math.max(0, Math.floor((first - lead) / 128) * 128);
      let worst = 0;
      for (let c = 0; c < channels; c++) {
        for (let i = 0; i < 2 * rate; i++) {
          const apart = Math.abs(heard[c * length + begin + i] - expected[c][start + (i % (end - start))]);
          worst = Math.max(worst, apart);
        }
      }
      // A WAV of 16 bits is within half a step of the samples.
      assert.ok(worst <= 0.51 / 32768 + 2e-5, `samples differ by ${worst}`);
      assert.equal(starved, 0, 'the audio thread had to wait');
      assert.match(await t.page.locator('#engine').getAttribute('title'), /sound is decoded in short pieces/);
      await t.close();
    });
  }

  for (const gpu of [false, true]) describe(`cropping, ${gpu ? 'where there is WebGPU' : 'without WebGPU'}`, () => {
    let browser;
    before(async () => (browser = await launch({ gpu })));
    after(async () => browser?.close());

    test('a dragged region snaps to partitions, and is saved as the program crops it', needs('sound', 'program'), async () => {
      const t = await open(browser);
      await t.button('Crop').click();
      const box = await t.viewer.locator('.stage.sound').boundingBox();
      await t.page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.3);
      await t.page.mouse.down();
      await t.page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.4, { steps: 6 });
      await t.page.mouse.up();
      await t.page.waitForFunction(() => {
        const v = document.querySelector('tessera-viewer');
        return v.cropDetail?.selector && v.cropDetail.kept === v.cropTool.kept.length;
      });
      const shown = await viewer(t, 'return viewer.cropDetail;');
      assert.ok(shown.kept > 0 && shown.kept < shown.present);
      assert.match(shown.selector, /^t=[\d.]+\.\.[\d.]*$/);
      const own = join(folder, 'own.inr');
      tessera('crop', samplePath('sound'), '-o', own, '--keep', shown.selector, '--quiet', '--force');
      const saved = readFileSync(await save(t, () => t.button('Save .inr').click()));
      assert.equal(saved.length, shown.croppedBytes);
      assert.deepEqual(saved, readFileSync(own));
      const wav = readWav(readFileSync(await save(t, () => t.button('Save WAV').click())));
      const expected = decoded('--region', shown.selector);
      assert.deepEqual([wav.length, wav[0].length], [expected.length, expected[0].length]);
      let worst = 0;
      wav.forEach((channel, c) => channel.forEach((v, i) => (worst = Math.max(worst, Math.abs(v - expected[c][i])))));
      assert.ok(worst <= 1.01 / 32768 + 2e-5, `the saved WAV differs by ${worst}`);
      // What was cut opens again, and plays what it has.
      await drop(t.page, [{ name: 'cut.inr', bytes: saved }]);
      await t.page.waitForFunction((kept) => document.querySelector('tessera-viewer').file?.info.present === kept, shown.kept);
      await t.settled();
      const range = await viewer(t, 'const { range, position } = viewer.stage.player; return { ...range, position };');
      assert.equal(range.position, range.start);
      assert.equal(range.end - range.start, expected[0].length);
      await t.close();
    });

    test('works by keyboard alone', async () => {
      const t = await open(browser);
      const focused = () => t.page.evaluate(() => document.querySelector('tessera-viewer').shadowRoot.activeElement?.dataset.side ?? null);
      await t.viewer.locator('.stage.sound').focus();
      await t.page.keyboard.press('c');
      assert.equal(await focused(), '-1', 'crop puts the focus on the first handle');
      await t.page.keyboard.press('ArrowRight');
      await t.page.keyboard.press('Tab');
      await t.page.keyboard.press('Tab');
      assert.equal(await focused(), '1');
      await t.page.keyboard.press('ArrowLeft');
      await t.page.waitForFunction(() => document.querySelector('tessera-viewer').cropDetail?.kept === document.querySelector('tessera-viewer').cropDetail?.present - 2);
      await t.page.keyboard.press('Control+z');
      await t.page.waitForFunction(() => document.querySelector('tessera-viewer').cropDetail?.kept === document.querySelector('tessera-viewer').cropDetail?.present - 1);
      const label = await t.viewer.locator('.sound .handle[data-side="-1"]').getAttribute('aria-label');
      assert.match(label, /^Start, [\d.]+ s$/);
      // Leaving keeps nothing of it; then play, seek and loop from the stage.
      await t.page.keyboard.press('Escape');
      await t.page.keyboard.press('Home');
      await t.page.keyboard.press('ArrowRight');
      const { position, rate } = await viewer(t, 'return { position: viewer.stage.player.position, rate: viewer.stage.data.rate };');
      assert.equal(position, rate);
      await t.page.keyboard.press('l');
      assert.equal(await viewer(t, 'return viewer.stage.player.loop;'), true);
      await t.page.keyboard.press(' ');
      await t.page.waitForFunction((from) => document.querySelector('tessera-viewer').stage.player.position > from, position);
      await t.page.keyboard.press(' ');
      assert.equal(await viewer(t, 'return viewer.stage.player.playing;'), false);
      await t.close();
    });

    test('a click seeks, the wheel zooms, and the spectrogram covers what is seen', async () => {
      const t = await open(browser);
      const box = await t.viewer.locator('.stage.sound').boundingBox();
      await t.page.mouse.click(box.x + box.width / 2, box.y + box.height / 3);
      const middle = await viewer(t, 'return viewer.stage.player.position / viewer.stage.data.samples;');
      assert.ok(Math.abs(middle - 0.5) < 0.01, `${middle}`);
      await t.page.mouse.wheel(0, -600);
      const seen = await viewer(t, 'const { seen, samples } = viewer.stage.timeline; return [(seen.start + seen.end) / 2 / samples, (seen.end - seen.start) / samples];');
      assert.ok(Math.abs(seen[0] - 0.5) < 0.05 && seen[1] < 0.5, `${seen}`);
      await t.page.keyboard.press('g');
      await t.settled();
      const painted = await t.page.evaluate(() => {
        const canvas = document.querySelector('tessera-viewer').shadowRoot.querySelector('canvas.wave');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, Math.floor(canvas.height * 0.8));
        let count = 0;
        for (let i = 3; i < data.length; i += 4) count += data[i] > 0 ? 1 : 0;
        return count / (data.length / 4);
      });
      assert.ok(painted > 0.9, `${painted} of the spectrogram is painted`);
      await t.page.screenshot({ path: output('sound-spectrogram.png') });
      await t.close();
    });
  });
});
