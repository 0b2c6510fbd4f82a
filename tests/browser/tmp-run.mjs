import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { serve } from './support/server.mjs';
const files = {};
for (const f of process.argv.slice(3)) files[f.split('/').pop()] = readFileSync(f);
const server = await serve({ folder: '/tmp/gpuserve', files });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox','--disable-quic','--no-first-run','--disable-background-networking','--disable-component-update','--disable-sync','--enable-unsafe-webgpu','--use-webgpu-adapter=swiftshader','--enable-unsafe-swiftshader'] });
const page = await browser.newPage();
page.on('console', (m) => console.log('console:', m.text().slice(0, 6000)));
page.on('pageerror', (e) => console.log('pageerror:', String(e)));
await page.goto(server.page);
const code = readFileSync(process.argv[2], 'utf8');
try {
  const r = await page.evaluate(`(async () => { ${code} })()`);
  console.log(JSON.stringify(r, null, 1));
} catch (e) { console.log('failed', e.message.slice(0, 4000)); }
await browser.close(); await server.close();
