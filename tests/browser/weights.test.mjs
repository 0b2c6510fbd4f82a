// The weights of a file are the same to the bit in the browser's modules and in the program: by their checksums.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch, needs, root, serveAll, tessera } from './support/world.mjs';

const golden = join(root, 'core/tests/golden');
const MODULES = ['cpu', 'cpu-relaxed'];
const built = (name, file) => join(root, 'www/src/wasm', name, file);
const unbuilt = MODULES.filter((name) => !existsSync(built(name, 'tessera_web_bg.wasm')));

describe('weights', unbuilt.length > 0 ? { skip: `no module ${unbuilt.join(', ')}: run cargo xtask web` } : needs(), () => {
  let browser, server, page;
  before(async () => {
    browser = await launch();
    const files = MODULES.flatMap((name) => [[`${name}.js`, readFileSync(built(name, 'tessera_web.js'))], [`${name}.wasm`, readFileSync(built(name, 'tessera_web_bg.wasm'))]]);
    server = await serveAll({ 'blank.html': '<!doctype html>', ...Object.fromEntries(files) });
    page = await browser.newPage();
    await page.goto(`${server.origin}/files/blank.html`);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** The checksum that a module finds of a file's weights. */
  const found = (module, path) => page.evaluate(async ({ module, base64 }) => {
    const { default: start, TesseraFile } = await import(`/files/${module}.js`);
    await start({ module_or_path: `/files/${module}.wasm` });
    const file = new TesseraFile(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
    const checksum = file.weights_checksum();
    file.free();
    return checksum.toString(16).padStart(8, '0');
  }, { module, base64: readFileSync(path).toString('base64') });

  for (const module of MODULES) {
    test(`of the golden files are the committed ones (${module})`, async () => {
      const expected = JSON.parse(readFileSync(join(golden, 'weights.json'), 'utf8'));
      const names = readdirSync(golden).filter((file) => file.endsWith('.inr')).map((file) => file.slice(0, -4));
      assert.deepEqual(Object.keys(expected).sort(), names.sort());
      assert.ok(names.filter((name) => name.includes('quantised')).length >= 3);
      for (const name of names) assert.equal(await found(module, join(golden, `${name}.inr`)), expected[name], name);
    });

    test(`of quantised files are those that the program decodes (${module})`, needs('program'), async () => {
      const work = mkdtempSync(join(tmpdir(), 'tessera-weights-'));
      try {
        for (const coder of ['pooled', 'static', 'adaptive']) {
          for (const sample of ['leaf', 'mosaic']) {
            const path = join(work, `${sample}-${coder}.inr`);
            tessera('compress', join(root, 'data', `${sample}.inr`), '-o', path, '--quiet', '--bits', '8', '--uniform', '--coder', coder);
            assert.equal(await found(module, path), JSON.parse(tessera('verify', path, '--json')).weights_checksum, `${sample}, ${coder}`);
          }
        }
      } finally {
        rmSync(work, { recursive: true });
      }
    });
  }
});
