// A link with a region takes the bytes of that region from a server that knows ranges, and a file that changes meanwhile is
// noticed. Servers of the tests' own count what they are asked.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { dist, launch, needs, openPage, output, root, serveAll, tessera } from './support/world.mjs';
import { serveRanges } from './support/ranges.mjs';

// Five rows of small partitions, six ranges with the global network: browsers open no more connections than that to a
// server of HTTP/1.1.
const REGION = '150x70+64+192';
const CROP = encodeURIComponent(REGION);
const NAMES = ['many-f32', 'many-quantised', 'few-f32', 'few-quantised', 'latents'];
const json = (...args) => JSON.parse(tessera(...args, '--json'));

describe('a region by range', needs('program'), () => {
  let browser, pages, folder;
  const files = {};
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tessera-browser-'));
    const at = (name) => join(folder, `${name}.inr`);
    // Heads beyond the first piece with 1,024 partitions, and within it with 64.
    for (const [name, size] of [['many', '16x16'], ['few', '64x64']]) {
      tessera('encode', join(root, 'data/mosaic.png'), '-o', at(`${name}-f32`), '--quiet', '--steps', '6', '--partition-size', size);
      tessera('compress', at(`${name}-f32`), '-o', at(`${name}-quantised`), '--quiet', '--bits', '7', '--uniform');
    }
    tessera('encode', join(root, 'data/mosaic.png'), '-o', at('latents'), '--quiet', '--steps', '10', '--partition-size', '64x64', '--model', 'latents', '--bpp', '1');
    for (const name of NAMES) {
      tessera('crop', at(name), '-o', at(`${name}-cropped`), '--quiet', '--keep', REGION);
      const [whole, cropped] = [json('info', at(name)), json('info', at(`${name}-cropped`))];
      files[name] = { bytes: readFileSync(at(name)), cropped: readFileSync(at(`${name}-cropped`)), needed: whole.head_bytes + whole.shared_bytes + cropped.local_bytes, head: whole.head_bytes };
    }
    browser = await launch();
    pages = await serveAll();
  });
  after(async () => {
    await browser?.close();
    await pages?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  /** The page and the file from one server, as most people have them. */
  const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json', '.svg': 'image/svg+xml' };
  const page = async (path) => ({ type: TYPES[extname(path)] ?? 'text/html', body: readFileSync(join(dist, path === '/' ? 'index.html' : path)) });
  const visit = (address, crop = CROP) => openPage(browser, `${address}${address.includes('?') ? '&' : '/?'}url=/files/picture.inr&crop=${crop}`);
  const opened = (t) => t.page.evaluate(async () => {
    const viewer = document.querySelector('tessera-viewer');
    const { blob, name } = await viewer.croppedFile();
    return { bytes: Array.from(new Uint8Array(await blob.arrayBuffer())), name, region: viewer.region, selector: viewer.cropDetail?.selector };
  });
  const panel = (t) => t.page.locator('#panel').innerText();
  const alert = async (t) => {
    await t.viewer.getByRole('alert').waitFor();
    return t.viewer.getByRole('alert').innerText();
  };

  for (const name of NAMES) {
    test(`takes two round trips after the first and a fifth too much at most (${name})`, async () => {
      const { bytes, cropped, needed, head } = files[name];
      const server = await serveRanges(bytes, { page });
      const t = await visit(server.origin);
      await t.opened();
      await t.settled();
      const { state } = server;
      const asked = state.requests.map((request) => request.range).join(', ');
      console.log(`${name}: ${bytes.length} bytes, ${needed} needed, ${server.sent()} sent in ${state.requests.length} requests and ${state.rounds} round trips`);
      assert.ok(state.rounds <= 3, `${state.rounds} round trips: ${asked}`);
      assert.equal(state.rounds, head > 1024 ? 3 : 2, asked);
      assert.ok(server.sent() <= 1.2 * needed, `${server.sent()} bytes of ${needed} that are needed: ${asked}`);
      assert.ok(server.sent() < bytes.length / 2, 'most of the file stays where it is');
      const seen = await opened(t);
      assert.deepEqual(Buffer.from(seen.bytes), cropped, 'the file in the page is the one that `tessera crop` makes');
      assert.equal(seen.name, 'picture-cropped.inr');
      assert.deepEqual(seen.region, { bytes: server.sent(), requests: state.requests.length, of: bytes.length, selector: REGION });
      assert.match(await panel(t), /Read\s+[\d.]+ \w+ of [\d.]+ \w+ in \d+ requests/);
      // The link still leads to the region.
      await t.page.waitForFunction((crop) => new URLSearchParams(location.search).get('crop') === crop, REGION);
      if (name === 'few-quantised') await t.page.screenshot({ path: output('region.png') });
      const before = state.requests.length;
      await t.page.locator('#panel').getByRole('button', { name: 'Open the whole file' }).click();
      await t.page.waitForFunction((length) => document.querySelector('tessera-viewer').file?.info.bytes === length, bytes.length);
      assert.deepEqual(state.requests.slice(before).map(({ range }) => range), [undefined], 'the whole file is one request');
      await t.page.waitForFunction(() => !location.search.includes('crop='));
      await t.close();
      await server.close();
    });
  }

  test('works across origins that hide what they answer', async () => {
    const { bytes, cropped, needed } = files['many-quantised'];
    const server = await serveRanges(bytes, { headers: { 'access-control-allow-origin': '*' } });
    const t = await openPage(browser, `${pages.page}?url=${server.origin}/files/picture.inr&crop=${CROP}`);
    await t.opened();
    assert.deepEqual(Buffer.from((await opened(t)).bytes), cropped);
    assert.ok(server.state.rounds <= 3 && server.sent() <= 1.2 * needed);
    // Nothing that a server of another origin would have to permit first.
    assert.ok(server.state.requests.every(({ method, ifRange }) => method === 'GET' && ifRange === undefined));
    await t.close();
    await server.close();
  });

  test('is cropped here where the server knows no ranges', async () => {
    const { bytes, cropped } = files['few-quantised'];
    const server = await serveRanges(bytes, { page, ranges: false });
    const t = await visit(server.origin);
    await t.opened();
    await t.page.waitForFunction(() => document.querySelector('tessera-viewer').cropDetail?.selector);
    const seen = await opened(t);
    assert.deepEqual(Buffer.from(seen.bytes), cropped);
    assert.equal(seen.region, null);
    assert.equal(server.state.requests.length, 1, 'one answer, one download');
    await t.close();
    await server.close();
  });

  for (const origins of ['one origin', 'two origins']) {
    test(`a file that changes in between is noticed, not shown (${origins})`, async () => {
      const one = origins === 'one origin';
      const twist = (_reply, state) => {
        // After the first answer there is another file in its place.
        if (state.requests.length === 0) Object.assign(state, { bytes: files['few-f32'].bytes, version: 2 });
      };
      const server = await serveRanges(files['few-quantised'].bytes, { page, twist, headers: one ? {} : { 'access-control-allow-origin': '*' } });
      const t = one ? await visit(server.origin) : await openPage(browser, `${pages.page}?url=${server.origin}/files/picture.inr&crop=${CROP}`);
      assert.match(await alert(t), /changed on the server while it was read[\s\S]*Open it again/i);
      assert.equal(await t.page.evaluate(() => document.querySelector('tessera-viewer').file), null);
      // Opening it again shows the new one.
      await t.viewer.getByRole('button', { name: 'Try again' }).click();
      await t.opened();
      assert.deepEqual(Buffer.from((await opened(t)).bytes), files['few-f32'].cropped);
      await t.close();
      await server.close();
    });
  }

  const lies = {
    'other bytes': (reply) => (reply.body = Buffer.from(reply.body).map((byte) => byte ^ 1)),
    'another range': (reply) => (reply.headers['content-range'] = reply.headers['content-range'].replace(/bytes \d/, 'bytes 1')),
    'all bytes': (reply, state) => (reply.body = state.bytes),
    'too few bytes': (reply) => (reply.body = reply.body.subarray(1)),
  };
  for (const [what, lie] of Object.entries(lies)) {
    test(`a server that answers ranges with ${what} is noticed, and the whole file still opens`, async () => {
      const { bytes } = files['few-quantised'];
      const twist = (reply, state) => {
        if (reply.status === 206 && state.requests.length > 0) lie(reply, state);
      };
      const server = await serveRanges(bytes, { page, twist });
      const t = await visit(server.origin);
      assert.match(await alert(t), /other bytes than it was asked for/);
      assert.equal(await t.page.evaluate(() => document.querySelector('tessera-viewer').file), null);
      if (what === 'other bytes') await t.page.screenshot({ path: output('region-trouble.png') });
      await t.viewer.getByRole('button', { name: 'Open the whole file' }).click();
      await t.opened();
      assert.equal(await t.page.evaluate(() => document.querySelector('tessera-viewer').file.info.bytes), bytes.length);
      await t.close();
      await server.close();
    });
  }

  test('a file that is not there and a region that makes no sense are said', async () => {
    const missing = await serveRanges(Buffer.alloc(0), { page, twist: (reply) => (reply.status = 404) });
    const nowhere = await visit(missing.origin);
    assert.match(await alert(nowhere), /no such file \(404\)/);
    await nowhere.close();
    await missing.close();
    const server = await serveRanges(files['few-quantised'].bytes, { page });
    for (const [crop, words] of [['nonsense', /nonsense/], ['t=1..2', /does not fit|time/i], ['10x10%2B9000%2B9000', /./]]) {
      const t = await visit(server.origin, crop);
      assert.match(await alert(t), words);
      await t.close();
    }
    await server.close();
  });
});
