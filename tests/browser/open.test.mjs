// How a file gets in, which engine shows it, and whether what is shown is what the program decodes.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { drop, launch, needs, openPage, root, sampleBytes, sampleName, samplePath, serveAll, tessera, worstDifference } from './support/world.mjs';

describe('opening', needs('sample'), () => {
  let browser, server;
  before(async () => {
    browser = await launch();
    server = await serveAll({ [sampleName]: sampleBytes() });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test('by drop', async () => {
    const t = await openPage(browser, server.page);
    await drop(t.page, [{ name: 'dropped.inr', bytes: sampleBytes() }]);
    await t.opened();
    assert.equal(await t.page.locator('#file-name').textContent(), 'dropped.inr');
    await t.close();
  });

  test('by the picker', async () => {
    const t = await openPage(browser, server.page);
    const chooser = t.page.waitForEvent('filechooser');
    await t.page.getByRole('button', { name: 'Choose a file' }).click();
    await (await chooser).setFiles({ name: 'picked.inr', mimeType: 'application/octet-stream', buffer: sampleBytes() });
    await t.opened();
    assert.equal(await t.page.locator('#file-name').textContent(), 'picked.inr');
    await t.close();
  });

  test('by address, with view, crop and mode', async () => {
    const t = await openPage(browser, `${server.page}?url=${server.origin}/files/${sampleName}&crop=parts=0-2&view=10,12,2&mode=crop`);
    await t.opened();
    await t.page.waitForFunction(() => document.querySelector('tessera-viewer').cropDetail?.kept === 3);
    const state = await t.page.evaluate(() => {
      const { mode, sharedView } = document.querySelector('tessera-viewer');
      return { mode, scale: sharedView.scale };
    });
    assert.deepEqual(state, { mode: 'crop', scale: 2 });
    // The address is kept up to date, so that it can be shared.
    await t.page.waitForFunction(() => location.search.includes('mode=crop') && location.search.includes('crop='));
    await t.close();
  });

  test('by pasting', async () => {
    const t = await openPage(browser, server.page);
    await t.page.evaluate((address) => {
      const data = new DataTransfer();
      data.setData('text/plain', address);
      document.body.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, clipboardData: data }));
    }, `${server.origin}/files/${sampleName}`);
    await t.opened();
    await t.close();
  });

  test('shows a coarse picture first and all of it in the end', async () => {
    const t = await openPage(browser, `${server.page}?url=/files/${sampleName}`);
    await t.opened();
    await t.settled();
    const timings = await t.page.evaluate(() => document.querySelector('tessera-viewer').timings);
    assert.ok(timings.firstPicture !== null && timings.fullQuality !== null, JSON.stringify(timings));
    assert.ok(timings.firstPicture <= timings.fullQuality);
    const opaque = await t.page.evaluate(() => {
      const { data } = document.querySelector('tessera-viewer').visiblePixels();
      let painted = 0;
      for (let i = 3; i < data.data.length; i += 4) painted += data.data[i] > 0 ? 1 : 0;
      return painted / (data.width * data.height);
    });
    assert.ok(opaque > 0.3, `only ${opaque} of the picture is painted`);
    await t.close();
  });

  test('can be cancelled and started again', async () => {
    const t = await openPage(browser, server.page);
    await t.page.evaluate((address) => {
      const viewer = document.querySelector('tessera-viewer');
      void viewer.open({ url: address });
      viewer.cancel();
    }, `/files/${sampleName}`);
    assert.equal(await t.page.evaluate(() => document.querySelector('tessera-viewer').file), null);
    await drop(t.page, [{ name: 'again.inr', bytes: sampleBytes() }]);
    await t.opened();
    await t.close();
  });

  test('survives a hidden tab', async () => {
    const t = await openPage(browser, server.page);
    const hide = (hidden) => t.page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await hide(true);
    await drop(t.page, [{ name: 'hidden.inr', bytes: sampleBytes() }]);
    await t.opened();
    await hide(false);
    await t.settled();
    assert.ok(await t.page.evaluate(() => document.querySelector('tessera-viewer').visiblePixels() !== null));
    await t.close();
  });

  test('works as an element in a page of another origin', async () => {
    const host = await serveAll({}, { 'access-control-allow-origin': '*' });
    const guest = await serveAll({
      'page.html': `<!doctype html><title>guest</title><body><tessera-viewer src="${sampleName}" crop="parts=0" controls style="height:400px"></tessera-viewer><script type="module" src="${host.page}tessera-viewer.js"></script>`,
      [sampleName]: sampleBytes(),
    });
    const t = await openPage(browser, `${guest.origin}/files/page.html`);
    await t.opened();
    await t.page.waitForFunction(() => document.querySelector('tessera-viewer').cropDetail?.kept === 1);
    await t.close();
    await host.close();
    await guest.close();
  });
});

/** Opens the sample at 100 %, or what `make` writes into a folder and names, and returns the largest difference to the
 * program's picture. */
async function differenceToProgram(gpu, make = () => samplePath(), engine = gpu ? 'WebGPU' : 'CPU') {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-browser-'));
  const path = make(folder);
  const browser = await launch({ gpu });
  const server = await serveAll({ [sampleName]: readFileSync(path) });
  try {
    tessera('decode', path, '-o', join(folder, 'expected.png'), '--quiet');
    const t = await openPage(browser, `${server.page}?url=/files/${sampleName}`);
    await t.opened();
    if (gpu) await t.page.waitForFunction((engine) => document.querySelector('tessera-viewer').engine.engine === engine, engine, { timeout: 120_000 });
    if (gpu && engine === 'CPU') await t.page.waitForFunction(() => /encoding latents/.test(document.querySelector('#engine').title), null, { timeout: 60_000 });
    await t.viewer.locator('.stage').focus();
    await t.page.keyboard.press('1');
    await t.settled();
    if (engine === 'WebGPU') assert.equal(/read back/.test(await t.page.locator('#engine').getAttribute('title')), gpu !== 'draws');
    const worst = await worstDifference(t.page, gpu === 'draws' ? 'presented' : gpu ? 'webgpu' : 'cpu', readFileSync(join(folder, 'expected.png')), 1);
    await t.close();
    return worst;
  } finally {
    await browser.close();
    await server.close();
    rmSync(folder, { recursive: true });
  }
}

describe('pictures', () => {
  test('of the CPU are within 1/255 of the program', needs('sample', 'program'), async () => {
    assert.ok((await differenceToProgram(false)) <= 1);
  });

  test('of WebGPU are within 1/255 of the program', needs('sample', 'program', 'gpu'), async () => {
    assert.ok((await differenceToProgram(true)) <= 1);
  });

  test('of WebGPU that are not read back are within 1/255 of the program', needs('sample', 'program', 'gpu'), async () => {
    assert.ok((await differenceToProgram('draws')) <= 1);
  });
});

/** A picture whose neighbouring partitions are blended, after a few steps: its borders would show. */
function blended(folder) {
  const path = join(folder, 'blended.inr');
  tessera('encode', join(root, 'data/chart.png'), '-o', path, '--quiet', '--steps', '12', '--partition-size', '24x24', '--blend', '6x4');
  assert.deepEqual(JSON.parse(tessera('info', path, '--json')).blend, [6, 4]);
  return path;
}

describe('blended pictures', () => {
  for (const [engine, gpu] of [['the CPU', false], ['WebGPU', true], ['WebGPU that are not read back', 'draws']]) {
    test(`of ${engine} are within 1/255 of the program`, needs('program', ...(gpu ? ['gpu'] : [])), async () => {
      assert.ok((await differenceToProgram(gpu, blended)) <= 1);
    });
  }
});

/** A picture of latents in partitions that it does not divide evenly, after a few steps. */
function latents(folder) {
  const path = join(folder, 'latents.inr');
  tessera('encode', join(root, 'data/chart.png'), '-o', path, '--quiet', '--steps', '20', '--model', 'latents', '--bpp', '2', '--partition-size', '37x50');
  assert.equal(JSON.parse(tessera('info', path, '--json')).model, 'latents');
  return path;
}

describe('pictures of latents', () => {
  test('are within 1/255 of the program', needs('program'), async () => {
    assert.ok((await differenceToProgram(false, latents)) <= 1);
  });

  test('are left to the CPU by a device, which says so', needs('program', 'gpu'), async () => {
    assert.ok((await differenceToProgram(true, latents, 'CPU')) <= 1);
  });
});

describe('engines', () => {
  test('a browser whose GPU process ends shows the picture again', { timeout: 120_000, ...needs('sample', 'program', 'gpu') }, async () => {
    const browser = await launch({ gpu: 'draws' });
    const server = await serveAll({ [sampleName]: sampleBytes() });
    const t = await openPage(browser, `${server.page}?url=/files/${sampleName}`);
    await t.opened();
    await t.viewer.locator('.stage').focus();
    await t.page.keyboard.press('1');
    await t.settled();
    await t.page.evaluate(() => {
      window.lost = 0;
      document.querySelector('tessera-viewer').shadowRoot.querySelector('canvas.picture').addEventListener('contextlost', () => (window.lost += 1));
    });
    const control = await browser.newBrowserCDPSession();
    await control.send('Browser.crashGpuProcess').catch(() => {});
    await t.page.waitForFunction(() => window.lost > 0, null, { timeout: 60_000 });
    await t.settled();
    const folder = mkdtempSync(join(tmpdir(), 'tessera-browser-'));
    tessera('decode', samplePath(), '-o', join(folder, 'expected.png'), '--quiet');
    assert.ok((await worstDifference(t.page, 'gpu-process', readFileSync(join(folder, 'expected.png')), 1)) <= 1);
    rmSync(folder, { recursive: true });
    await t.close();
    await browser.close();
    await server.close();
  });

  test('the badge says CPU, and why, where WebGPU is disabled', needs('sample'), async () => {
    const browser = await launch({ gpu: false });
    const server = await serveAll({ [sampleName]: sampleBytes() });
    const t = await openPage(browser, `${server.page}?url=/files/${sampleName}`);
    await t.opened();
    await t.settled();
    await t.page.waitForFunction(() => /not used/.test(document.querySelector('#engine').title), null, { timeout: 60_000 });
    assert.equal((await t.page.locator('#engine').textContent()).trim(), 'CPU');
    await t.close();
    await browser.close();
    await server.close();
  });

  test('the badge says WebGPU on a software adapter, and its picture agrees with the CPU', needs('sample', 'gpu'), async () => {
    const server = await serveAll({ [sampleName]: sampleBytes() });
    const pictures = [];
    for (const gpu of [false, true]) {
      const browser = await launch({ gpu });
      const t = await openPage(browser, `${server.page}?url=/files/${sampleName}`);
      await t.opened();
      if (gpu) {
        await t.page.locator('#engine[data-engine="WebGPU"]').waitFor({ timeout: 120_000 });
        assert.equal((await t.page.locator('#engine').textContent()).trim(), 'WebGPU');
      }
      const base64 = await t.page.evaluate(async () => {
        const { data } = await document.querySelector('tessera-viewer').pixels();
        let text = '';
        for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
        return btoa(text);
      });
      pictures.push(Buffer.from(base64, 'base64'));
      await t.close();
      await browser.close();
    }
    await server.close();
    const [cpu, gpu] = pictures;
    assert.equal(cpu.length, gpu.length);
    let worst = 0;
    for (let i = 0; i < cpu.length; i++) worst = Math.max(worst, Math.abs(cpu[i] - gpu[i]));
    assert.ok(worst <= 1, `the engines differ by ${worst} of 255`);
  });

  for (const gpu of [true, 'draws']) test(`a lost device costs a moment, not the picture${gpu === 'draws' ? ', also where nothing is read back' : ''}`, needs('sample', 'gpu'), async () => {
    const browser = await launch({ gpu });
    const server = await serveAll({ [sampleName]: sampleBytes() });
    const t = await openPage(browser, `${server.page}?url=/files/${sampleName}`);
    await t.opened();
    await t.page.locator('#engine[data-engine="WebGPU"]').waitFor({ timeout: 120_000 });
    // The browser's own process for the device is ended, as a driver that crashes would do.
    const session = await browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    process.kill(processInfo.find(({ type }) => type === 'GPU').id, 'SIGKILL');
    await t.page.evaluate(() => document.querySelector('tessera-viewer').screen.zoom(0.97));
    await t.page.locator('#engine[data-engine="CPU"]').waitFor({ timeout: 60_000 });
    await t.settled();
    const alpha = await t.page.evaluate(() => {
      const { data } = document.querySelector('tessera-viewer').visiblePixels();
      return data.data.some((v, i) => i % 4 === 3 && v > 0);
    });
    assert.ok(alpha, 'the picture is gone');
    assert.match(await t.page.locator('#engine').getAttribute('title'), /stopped working/);
    await t.close();
    await browser.close();
    await server.close();
  });
});
