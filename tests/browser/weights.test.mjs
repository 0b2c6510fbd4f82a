// The weights of a file are the same to the bit in the browser's module and in the program: by their checksums.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { program, root, tessera } from './support/world.mjs';

const golden = join(root, 'core/tests/golden');

for (const name of ['cpu', 'cpu-relaxed']) {
  const folder = join(root, 'www/src/wasm', name);
  const binary = join(folder, 'tessera_web_bg.wasm');
  const skip = !existsSync(binary)
    ? `no module in ${folder}: run cargo xtask web`
    : WebAssembly.validate(readFileSync(binary)) ? false : 'this Node has no relaxed SIMD';
  const load = async () => {
    const module = await import(pathToFileURL(join(folder, 'tessera_web.js')).href);
    await module.default({ module_or_path: readFileSync(binary) });
    return (path) => {
      const file = new module.TesseraFile(readFileSync(path));
      const checksum = file.weights_checksum();
      file.free();
      return checksum.toString(16).padStart(8, '0');
    };
  };

  test(`${name}: the golden files hold the committed weights`, { skip }, async () => {
    const checksum = await load();
    const expected = JSON.parse(readFileSync(join(golden, 'weights.json'), 'utf8'));
    const found = Object.fromEntries(Object.keys(expected).map((file) => [file, checksum(join(golden, `${file}.inr`))]));
    assert.deepEqual(found, expected);
    assert.ok(Object.keys(found).filter((file) => file.includes('quantised')).length >= 3);
    assert.deepEqual(Object.keys(expected).sort(), readdirSync(golden).filter((file) => file.endsWith('.inr')).map((file) => file.slice(0, -4)).sort());
  });

  test(`${name}: quantised files hold the weights that the program decodes`, { skip: skip || (existsSync(program) ? false : `no program ${program}`) }, async () => {
    const checksum = await load();
    const work = mkdtempSync(join(tmpdir(), 'tessera-weights-'));
    try {
      for (const coder of ['pooled', 'static', 'adaptive']) {
        for (const sample of ['leaf', 'mosaic']) {
          const path = join(work, `${sample}-${coder}.inr`);
          tessera('compress', join(root, 'data', `${sample}.inr`), '-o', path, '--quiet', '--bits', '8', '--coder', coder);
          assert.equal(checksum(path), JSON.parse(tessera('verify', path, '--json')).weights_checksum, `${sample}, ${coder}`);
        }
      }
    } finally {
      rmSync(work, { recursive: true });
    }
  });
}
