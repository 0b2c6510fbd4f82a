// Everybody gets in: an accessibility checker in every state, and a narrow screen without overlap.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { drop, launch, needs, openPage, otherKinds, output, sampleBytes, sampleName, serveAll } from './support/world.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What the checker finds, as readable lines. */
async function findings(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.flat().join(' ')}: ${n.failureSummary}`));
  });
}

/** Controls that overlap, leave the screen, or are too small to hit, as readable lines. */
function layoutFaults(page) {
  return page.evaluate(() => {
    const shadow = document.querySelector('tessera-viewer').shadowRoot;
    const selector = 'button, select, input:not([hidden]), .size, .figures, .inspected';
    const all = [...document.querySelectorAll(selector), ...shadow.querySelectorAll(selector)];
    const boxes = all
      .filter((e) => !e.closest('.handles') && e.checkVisibility() && !e.closest('[popover]:not(:popover-open)'))
      .map((e) => ({ name: e.getAttribute('aria-label') ?? e.textContent.trim() ?? e.className, box: e.getBoundingClientRect(), control: e.matches('button, select, input') }))
      .filter(({ box }) => box.width > 1 && box.height > 1);
    const faults = [];
    for (const { name, box, control } of boxes) {
      if (box.left < -0.5 || box.right > innerWidth + 0.5 || box.bottom > innerHeight + 0.5) faults.push(`${name} leaves the screen (${box.left} to ${box.right}, bottom ${box.bottom})`);
      if (control && (box.width < 24 || box.height < 24)) faults.push(`${name} is ${box.width} x ${box.height}`);
    }
    for (const [i, a] of boxes.entries()) {
      for (const b of boxes.slice(i + 1)) {
        const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
        const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
        if (across > 0.5 && down > 0.5) faults.push(`${a.name} and ${b.name} overlap by ${across.toFixed(1)} x ${down.toFixed(1)}`);
      }
    }
    if (document.documentElement.scrollWidth > innerWidth) faults.push(`the page is ${document.documentElement.scrollWidth} wide`);
    // Guards against a selector that finds nothing; the empty page without samples has four.
    if (boxes.length < 4) faults.push(`only ${boxes.length} controls were found`);
    return faults;
  });
}

describe('access', needs('sample'), () => {
  let browser, server;
  before(async () => {
    browser = await launch();
    server = await serveAll({ [sampleName]: sampleBytes(), 'short.inr': sampleBytes().subarray(0, 500) });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** Walks through the states of the page and calls `look` in each. */
  async function walk(options, look) {
    const t = await openPage(browser, server.page, { reducedMotion: 'reduce', ...options });
    await t.page.waitForLoadState('networkidle');
    await look(t, 'empty');
    await drop(t.page, [{ name: sampleName, bytes: sampleBytes() }]);
    await t.opened();
    await t.firstPicture();
    await look(t, 'open');
    await t.button('Crop').click();
    await t.page.evaluate(() => document.querySelector('tessera-viewer').cropTo('pct:20,20,40,40'));
    await t.page.waitForTimeout(250);
    await look(t, 'crop');
    await t.page.evaluate(async () => {
      const viewer = document.querySelector('tessera-viewer');
      viewer.cropTool.clear();
      const { blob } = await viewer.png();
      await viewer.compareWith(blob, 'original.png');
    });
    await t.page.waitForFunction(() => document.querySelector('tessera-viewer').compareTool.visible !== null);
    await look(t, 'compare');
    await t.button('Inspect').click();
    await t.viewer.locator('.stage').focus();
    await t.page.keyboard.press('ArrowRight');
    await look(t, 'inspect');
    await t.page.keyboard.press('Escape');
    await drop(t.page, [{ name: 'short.inr', bytes: sampleBytes().subarray(0, 500) }]);
    await t.viewer.getByRole('alert').waitFor();
    await look(t, 'error');
    await t.page.keyboard.press('Escape');
    await t.page.keyboard.press('?');
    await t.page.getByRole('dialog').waitFor();
    await look(t, 'help');
    await t.page.keyboard.press('Escape');
    // Without a device, WebGL takes seconds for a frame of eight megapixels; the controls around it are the same.
    for (const kind of otherKinds.filter((k) => k !== 'shape' || (options.viewport?.width ?? 0) < 2000)) {
      await drop(t.page, [{ name: `${kind}.inr`, bytes: sampleBytes(kind) }]);
      await t.page.waitForFunction((wanted) => document.querySelector('tessera-viewer').file?.info.kind === wanted, kind, { timeout: 60_000 });
      await t.settled();
      await look(t, kind);
      await t.button('Crop').click();
      await t.page.evaluate(() => document.querySelector('tessera-viewer').cropTo('parts=0-1'));
      await t.page.waitForTimeout(250);
      await look(t, `${kind}-crop`);
      await t.page.keyboard.press('Escape');
    }
    await t.close();
  }

  for (const scheme of ['light', 'dark']) {
    for (const [name, viewport] of [['desktop', { width: 1440, height: 900 }], ['phone', { width: 360, height: 740 }]]) {
      test(`the checker finds nothing, ${scheme}, ${name}`, async () => {
        const found = [];
        await walk({ colorScheme: scheme, viewport }, async (t, state) => {
          for (const line of await findings(t.page)) found.push(`${state}: ${line}`);
        });
        assert.deepEqual(found, []);
      });
    }
  }

  for (const [width, height] of [[360, 740], [820, 1180], [1440, 900], [3840, 2160]]) {
    test(`nothing overlaps at ${width} x ${height}`, async () => {
      const faults = [];
      await walk({ viewport: { width, height } }, async (t, state) => {
        await t.page.screenshot({ path: output(`${width}-${state}.png`) });
        if (state !== 'help') for (const line of await layoutFaults(t.page)) faults.push(`${state}: ${line}`);
      });
      assert.deepEqual(faults, []);
    });
  }

  test('the size is spoken, and the picture is described', async () => {
    const t = await openPage(browser, `${server.page}?url=/files/${sampleName}`);
    await t.opened();
    assert.match(await t.viewer.locator('#description').textContent(), /picture of \d+ by \d+ samples in \d+ parts/);
    await t.button('Crop').click();
    await t.page.evaluate(() => document.querySelector('tessera-viewer').cropTo('parts=0'));
    await t.page.waitForFunction(() => /^1 of \d+ parts/.test(document.querySelector('tessera-viewer').shadowRoot.querySelector('p[role="status"]').textContent));
    await t.close();
  });
});
