// What the tests need from outside: a built page, an encoded sample, the program, a browser. Each is found or the tests
// that need it are skipped with the reason.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { encodeSample } from './kinds.mjs';
import { serve } from './server.mjs';

/** The checkout. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
export const dist = process.env.TESSERA_PAGE ?? join(root, 'www/dist');
/** Screenshots and the pictures of failed comparisons. */
export const outputs = process.env.TESSERA_BROWSER_OUTPUTS ?? join(root, 'target/browser-tests');

export const program = process.env.TESSERA_BIN ?? join(root, 'target/release/tessera');
const samples = ['mosaic', 'chart', 'leaf'].flatMap((name) => [join(root, 'data', `${name}.inr`), join(dist, 'samples', `${name}.inr`)]);
/** One sample of every kind: those of data/, others that TESSERA_SAMPLE, TESSERA_SAMPLE_SOUND and so on name, or ones that
 * the program makes now. */
const kinds = { picture: process.env.TESSERA_SAMPLE ?? samples.find((path) => existsSync(path)) };
/** Why there is none. */
const withoutSample = {};
/** Where a file says what kind of signal it holds (docs/format.md), and its words for them. */
const KIND_BYTE = 52;
const KINDS = ['picture', 'sound', 'video', 'shape'];
const encoded = readdirSync(join(root, 'data')).filter((name) => name.endsWith('.inr')).map((name) => join(root, 'data', name));
for (const kind of KINDS.slice(1)) {
  kinds[kind] = process.env[`TESSERA_SAMPLE_${kind.toUpperCase()}`] ?? encoded.find((path) => KINDS[readFileSync(path)[KIND_BYTE]] === kind);
  if (kinds[kind] || !existsSync(program)) continue;
  const made = encodeSample(kind, program, join(outputs, 'samples'));
  kinds[kind] = made.path;
  withoutSample[kind] = made.reason;
}
/** Kinds other than pictures of which there is a sample. */
export const otherKinds = ['sound', 'shape', 'video'].filter((kind) => kinds[kind] && existsSync(kinds[kind]));

function findBrowser() {
  const named = process.env.CHROMIUM;
  if (named) return existsSync(named) ? named : undefined;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return ['chromium', 'chromium-browser', 'google-chrome'].flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}
const browserPath = findBrowser();

const wasm = existsSync(join(dist, 'assets')) ? readdirSync(join(dist, 'assets')).filter((name) => name.endsWith('.wasm')) : [];

const missing = {
  browser: browserPath ? null : 'no Chromium: set CHROMIUM or put chromium on PATH',
  page: existsSync(join(dist, 'index.html')) && wasm.length > 0 ? null : `no built page with a decoder in ${dist}: run cargo xtask web`,
  sample: kinds.picture && existsSync(kinds.picture) ? null : 'no encoded sample: run the data program, or set TESSERA_SAMPLE',
  ...Object.fromEntries(['sound', 'shape', 'video'].map((kind) => [kind, otherKinds.includes(kind) ? null : (withoutSample[kind] ?? `no encoded ${kind}: set TESSERA_SAMPLE_${kind.toUpperCase()}, or build the program`)])),
  program: existsSync(program) ? null : `no program ${program}: set TESSERA_BIN`,
  gpu: wasm.length > 1 ? null : 'the built page has no WebGPU module',
};

/** Options for a test that needs these things: skipped, with the reason, where one is missing. */
export function needs(...things) {
  const reason = ['browser', 'page', ...things].map((thing) => missing[thing]).find(Boolean);
  return reason ? { skip: reason } : {};
}

export const sampleBytes = (kind = 'picture') => readFileSync(kinds[kind]);
export const samplePath = (kind = 'picture') => kinds[kind];
export const sampleName = 'sample.inr';

/** Runs the program; throws with its words where it fails. */
export function tessera(...args) {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
}

const QUIET = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-unsafe-swiftshader'];
/** The browser itself draws with the software adapter too: only then does it show what a WebGPU device decoded without
 * reading it back. Without these, the page has to find out that it cannot. ANGLE takes the SwiftShader that comes with
 * Chromium: `vulkan` would look for the system's loader, and ends the GPU process where none is installed. */
const DRAWS_WITH_GPU = ['--use-vulkan=swiftshader', '--enable-features=Vulkan', '--use-angle=swiftshader'];

/** A browser, with WebGPU on a software adapter or without any adapter; `gpu: 'draws'` as most people have it, drawing
 * with the GPU as well; `gpu: 'real'` with the machine's own device. */
export function launch({ gpu = false } = {}) {
  const real = ['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--use-angle=vulkan', '--ignore-gpu-blocklist'];
  const software = [...SOFTWARE_GPU, ...(gpu === 'draws' ? DRAWS_WITH_GPU : [])];
  const args = [...QUIET, ...(gpu === 'real' ? real : gpu ? software : [])];
  return chromium.launch({ executablePath: browserPath, args });
}

/** A server with the page and, under /files/, what the tests open. */
export function serveAll(files = {}, headers = {}) {
  return serve({ folder: dist, files, headers });
}

/** A page whose errors fail the test that made them: `close` throws on any. */
export async function openPage(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // A refused policy is a bug of the page; a file that does not exist is part of some tests.
    if (message.type() === 'error' && /Content Security Policy|Uncaught/i.test(message.text())) complaints.push(message.text());
  });
  await page.goto(address);
  const viewer = page.locator('tessera-viewer');
  return {
    page,
    viewer,
    opened: () => page.waitForFunction(() => document.querySelector('tessera-viewer').file !== null, null, { timeout: 60_000 }),
    firstPicture: () => page.waitForFunction(() => (document.querySelector('tessera-viewer').timings?.firstPicture ?? null) !== null, null, { timeout: 60_000 }),
    settled: () => page.evaluate(() => document.querySelector('tessera-viewer').settled()),
    button: (name) => viewer.getByRole('button', { name, exact: true }),
    sizeLine: () => viewer.locator('.size'),
    close: async () => {
      await context.close();
      if (complaints.length > 0) throw new Error(`the page complained: ${complaints.join('; ')}`);
    },
  };
}

/** Drops files on the page, as a file manager would. */
export async function drop(page, files) {
  const plain = files.map(({ name, bytes, type = '' }) => ({ name, type, base64: Buffer.from(bytes).toString('base64') }));
  await page.evaluate(async (list) => {
    const transfer = new DataTransfer();
    for (const { name, type, base64 } of list) {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type }));
    }
    for (const kind of ['dragenter', 'dragover', 'drop']) {
      document.body.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, composed: true, dataTransfer: transfer }));
    }
  }, plain);
}

/** Where to keep something that a person should look at. */
export function output(name) {
  mkdirSync(outputs, { recursive: true });
  return join(outputs, name);
}

/** Largest difference between two pictures in code values; writes all three where it is above `limit`. */
export async function worstDifference(page, name, pngBytes, limit) {
  const result = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
    const expected = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = expected.getContext('2d');
    context.drawImage(bitmap, 0, 0);
    const want = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
    const seen = document.querySelector('tessera-viewer').visiblePixels();
    if (seen.x !== 0 || seen.y !== 0 || seen.data.width !== bitmap.width || seen.data.height !== bitmap.height) {
      return { error: `the canvas shows ${seen.data.width} x ${seen.data.height} from ${seen.x}, ${seen.y}; expected all of ${bitmap.width} x ${bitmap.height}` };
    }
    let worst = 0;
    const map = new ImageData(bitmap.width, bitmap.height);
    for (let i = 0; i < want.length; i++) {
      const apart = Math.abs(want[i] - seen.data.data[i]);
      worst = Math.max(worst, apart);
      map.data[i] = i % 4 === 3 ? 255 : Math.min(255, apart * 32);
    }
    const png = async (image) => {
      const canvas = new OffscreenCanvas(image.width, image.height);
      canvas.getContext('2d').putImageData(image, 0, 0);
      const array = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
      return btoa(Array.from(array, (b) => String.fromCharCode(b)).join(''));
    };
    return { worst, found: await png(seen.data), map: await png(map) };
  }, Buffer.from(pngBytes).toString('base64'));
  if (result.error) throw new Error(result.error);
  if (result.worst > limit) {
    writeFileSync(output(`${name}-expected.png`), pngBytes);
    writeFileSync(output(`${name}-found.png`), Buffer.from(result.found, 'base64'));
    writeFileSync(output(`${name}-difference.png`), Buffer.from(result.map, 'base64'));
    console.error(`pictures differ by ${result.worst}: see ${output(name)}-*.png`);
  }
  return result.worst;
}
