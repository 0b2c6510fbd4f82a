// Broken input: one message that names what is wrong, never a blank page, and the open file stays open.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { drop, launch, needs, openPage, sampleBytes, sampleName, serveAll } from './support/world.mjs';

const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

describe('trouble', needs('sample'), () => {
  let browser, server;
  before(async () => {
    browser = await launch();
    const whole = sampleBytes();
    const damaged = Buffer.from(whole);
    damaged[Math.floor(whole.length * 0.7)] ^= 1;
    server = await serveAll({ [sampleName]: whole, 'short.inr': whole.subarray(0, Math.floor(whole.length / 2)), 'damaged.inr': damaged, 'photo.inr': PNG, 'empty.inr': Buffer.alloc(0), 'page.inr': '<!doctype html><p>Sign in' });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  async function message(address) {
    const t = await openPage(browser, `${server.page}?url=${address}`);
    const alert = t.viewer.getByRole('alert');
    await alert.waitFor();
    const text = await alert.innerText();
    assert.equal(await t.page.evaluate(() => document.querySelector('tessera-viewer').file), null);
    // Another file opens in the same page.
    await drop(t.page, [{ name: 'good.inr', bytes: sampleBytes() }]);
    await t.opened();
    await alert.waitFor({ state: 'hidden' });
    await t.close();
    return text;
  }

  test('a truncated file', async () => {
    assert.match(await message('/files/short.inr'), /damaged[\s\S]*Broken part: .+/);
  });
  test('a flipped bit names the chunk', async () => {
    assert.match(await message('/files/damaged.inr'), /damaged[\s\S]*Broken part: .*partition \d+[\s\S]*at byte/);
  });
  test('a picture that was renamed', async () => {
    assert.match(await message('/files/photo.inr'), /not an \.inr file[\s\S]*PNG picture/);
  });
  test('a web page in place of the file', async () => {
    assert.match(await message('/files/page.inr'), /web page/);
  });
  test('an empty file', async () => {
    assert.match(await message('/files/empty.inr'), /empty|damaged|not an \.inr|no content/i);
  });
  test('a file that is not there', async () => {
    assert.match(await message('/files/nothing.inr'), /404/);
  });
  test('a server that cannot be reached', async () => {
    assert.match(await message('http://127.0.0.1:9/x.inr'), /could not be reached/);
  });

  test('leaves the open file as it is', async () => {
    const t = await openPage(browser, `${server.page}?url=/files/${sampleName}`);
    await t.opened();
    await t.settled();
    await drop(t.page, [{ name: 'photo.inr', bytes: PNG }]);
    await t.viewer.getByRole('alert').waitFor();
    assert.equal(await t.page.evaluate(() => document.querySelector('tessera-viewer').file.info.bytes), sampleBytes().length);
    await t.page.keyboard.press('Escape');
    await t.viewer.getByRole('alert').waitFor({ state: 'hidden' });
    await t.page.evaluate(() => document.querySelector('tessera-viewer').screen.zoom(4));
    await t.settled();
    await t.close();
  });

  test('a picture before any file is explained', async () => {
    const t = await openPage(browser, server.page);
    await drop(t.page, [{ name: 'photo.png', bytes: PNG, type: 'image/png' }]);
    await t.page.waitForFunction(() => /is a picture/.test(document.querySelector('#toast').textContent));
    await t.close();
  });

  test('an original of another size is refused with both sizes', async () => {
    const t = await openPage(browser, `${server.page}?url=/files/${sampleName}`);
    await t.opened();
    await drop(t.page, [{ name: 'photo.png', bytes: PNG, type: 'image/png' }]);
    const alert = t.viewer.getByRole('alert');
    await alert.waitFor();
    assert.match(await alert.innerText(), /1 x 1[\s\S]*\d+ x \d+/);
    await t.close();
  });
});
