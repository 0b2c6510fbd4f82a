// The benchmark page: measures on load, shows a table, and resolves `window.tesseraBench` with the report.
//
// `?url=` names another file than the sample, `?repetitions=` how often each view is decoded.

import workerAddress from './measure.ts?worker&url';
import type { BenchReport, Figure, FromBench } from './report';

declare global {
  interface Window {
    tesseraBench: Promise<BenchReport>;
  }
}

const get = (id: string) => document.getElementById(id) as HTMLElement;
const parameters = new URLSearchParams(location.search);
const address = parameters.get('url') ?? 'samples/mosaic.inr';
const repetitions = Math.min(1000, Math.max(2, Number(parameters.get('repetitions')) || 9));

async function run(): Promise<BenchReport> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} could not be loaded (${response.status}).`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const worker = new Worker(workerAddress, { type: 'module', name: 'tessera-bench' });
  try {
    return await new Promise<BenchReport>((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message || 'The benchmark could not be loaded.'));
      worker.onmessage = ({ data }: MessageEvent<FromBench>) => {
        if (data.kind === 'note') get('status').textContent = `Measuring ${data.text} …`;
        else if (data.kind === 'report') resolve(data.report);
        else reject(new Error(data.message));
      };
      worker.postMessage({ name: address, bytes, repetitions }, [bytes.buffer]);
    });
  } finally {
    worker.terminate();
  }
}

window.tesseraBench = run();
window.tesseraBench.then(show, (error: unknown) => (get('status').textContent = error instanceof Error ? error.message : String(error)));

function show(report: BenchReport): void {
  const { file, machine } = report;
  get('status').textContent = `${file.name}: ${file.columns} × ${file.rows} samples, ${file.macs_per_sample.toLocaleString('en')} multiply-adds each.`;
  const rows = report.figures.map((f: Figure) => [
    f.engine, f.view, milliseconds(f.median_seconds), milliseconds(f.fastest_seconds), milliseconds(f.first_seconds), f.frames_per_second.toFixed(1),
    f.real_time === null ? '' : `${f.real_time.toFixed(1)} times`,
  ]);
  get('figures').replaceChildren(...table(['Engine', 'View', 'Decode, median', 'Fastest', 'First call', 'Per second', 'Real time'], rows));
  const openings = report.openings.map((o) => [o.engine, milliseconds(o.parse_seconds), milliseconds(o.coarse_seconds), milliseconds(o.quarter_seconds), milliseconds(o.complete_seconds)]);
  get('openings').replaceChildren(...table(['Engine', 'Parsed', 'Coarse picture', 'Quarter', 'Complete'], openings));
  const weights = report.weights.map((w) => [w.engine, milliseconds(w.median_seconds), milliseconds(w.fastest_seconds)]);
  get('weights').replaceChildren(...table([`${file.parameters.toLocaleString('en')} weights`, 'Read, checked, decoded', 'Fastest'], weights));
  const ratios = Object.entries(report.ratios).map(([name, value]) => [name.replaceAll('_', ' '), value === null ? 'not measured' : `${value.toFixed(2)} times`]);
  get('ratios').replaceChildren(...table(['Faster', 'By'], ratios));
  const facts = [
    ['Browser', machine.user_agent],
    ['WebGPU adapter', machine.adapter ? `${machine.adapter}${machine.fallback_adapter ? ' (software)' : ''}` : 'none'],
    ['Threads', `${machine.threads} of ${machine.hardware_threads}`],
    ['Relaxed SIMD', machine.relaxed_simd ? 'yes' : 'no'],
    ...report.skipped.map((reason) => ['Not measured', reason]),
  ];
  get('machine').replaceChildren(...table(['Machine', ''], facts));
  const link = get('json') as HTMLAnchorElement;
  link.href = URL.createObjectURL(new Blob([JSON.stringify(report, null, 2)], { type: 'application/json' }));
  link.hidden = false;
}

function milliseconds(seconds: number): string {
  return `${(seconds * 1000).toFixed(1)} ms`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): HTMLElement[] {
  const row = (cells: readonly string[], kind: 'th' | 'td') => {
    const line = document.createElement('tr');
    for (const text of cells) {
      const cell = document.createElement(kind);
      if (kind === 'th') cell.scope = 'col';
      cell.textContent = text;
      line.append(cell);
    }
    return line;
  };
  const [thead, tbody] = [document.createElement('thead'), document.createElement('tbody')];
  thead.append(row(head, 'th'));
  tbody.append(...rows.map((cells) => row(cells, 'td')));
  return [thead, tbody];
}
