// Drives the benchmark page in a browser; run as a program it prints the report as JSON, for `cargo xtask bench`.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dist, launch, serveAll } from './support/world.mjs';

/** Measures a file (by default the sample that the page comes with) in a browser with a software device or, with
 * `TESSERA_BROWSER_GPU=real`, with the machine's own; with `absent` on the CPU alone. */
export async function measure({ repetitions, gpu, sample, screenshot }) {
  const browser = await launch({ gpu });
  const server = await serveAll(sample ? { 'sample.inr': sample } : {});
  try {
    const page = await browser.newPage();
    await page.goto(`${server.page}bench.html?repetitions=${repetitions}${sample ? '&url=/files/sample.inr' : ''}`);
    const report = await page.evaluate(() => window.tesseraBench);
    if (screenshot) {
      await page.locator('#json').waitFor();
      await page.screenshot({ path: screenshot, fullPage: true });
    }
    return report;
  } finally {
    await browser.close();
    await server.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  if (!existsSync(join(dist, 'bench.html'))) throw new Error(`no benchmark page in ${dist}: run cargo xtask web`);
  const [repetitions = '9', file] = process.argv.slice(2);
  const gpu = { real: 'real', absent: false }[process.env.TESSERA_BROWSER_GPU] ?? 'draws';
  const report = await measure({ repetitions: Number(repetitions), gpu, sample: file ? readFileSync(file) : undefined });
  console.log(JSON.stringify(report, null, 2));
}
