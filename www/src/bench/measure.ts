// The measurements, in a worker like the page's own. One engine at a time: two would share the processor.

/// <reference lib="webworker" />
import { canPresent } from '../worker/presentation';
import { type CpuModule, type GpuField, type GpuModule, hasRelaxedSimd, loadCpu, loadGpu, start, type TesseraFile } from '../worker/wasm';
import { type Figure, figure, type FromBench, type Opening, median, ratio, type Settings, type Weights } from './report';

declare const self: DedicatedWorkerGlobalScope;

/** Bindings of the module with burn's general operations, which only this page loads. */
interface GeneralModule extends GpuModule {
  readonly GeneralField: new (bytes: Uint8Array) => { decode(): Promise<Float32Array>; free(): void };
}

const general = {
  bindings: import.meta.glob<unknown>('../wasm/bench/tessera_web.js'),
  binaries: import.meta.glob<string>('../wasm/bench/*_bg.wasm', { query: '?url', import: 'default', eager: true }),
};

async function loadGeneral(): Promise<GeneralModule> {
  const binding = general.bindings['../wasm/bench/tessera_web.js'];
  const binary = general.binaries['../wasm/bench/tessera_web_bg.wasm'];
  if (!binding || !binary) throw new Error('this build of the page has no module with them');
  return (await start(binding, binary)) as GeneralModule;
}

/** Slow engines (a software adapter, the general operations) are asked less often after so long. */
const ENOUGH_MS = 10_000;

const post = (message: FromBench) => self.postMessage(message);
const note = (text: string) => post({ kind: 'note', text });
const message = (error: unknown) => (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';

type View = readonly [row0: number, row1: number, column0: number, column1: number];

self.onmessage = ({ data }: MessageEvent<Settings>) => {
  measure(data).catch((error: unknown) => post({ kind: 'failure', message: message(error) }));
};

async function measure({ name, bytes, repetitions }: Settings): Promise<void> {
  const figures: Figure[] = [];
  const openings: Opening[] = [];
  const weights: Weights[] = [];
  const skipped: string[] = [];

  const relaxed = hasRelaxedSimd();
  if (!relaxed) skipped.push('wasm-relaxed-simd: this browser does not have it');
  const cpus: [string, CpuModule][] = [];
  for (const folder of relaxed ? (['cpu', 'cpu-relaxed'] as const) : (['cpu'] as const)) {
    cpus.push([folder === 'cpu' ? 'wasm-simd128' : 'wasm-relaxed-simd', await loadCpu(folder)]);
  }
  const [, first] = cpus[0] ?? [];
  if (!first) throw new Error('This build of the page has no decoder.');
  const probe = new first.TesseraFile(bytes);
  const info = probe.info();
  probe.free();
  const { kind } = info;
  if (kind === 'shape') throw new Error('Shapes are not played: this page measures pictures, videos and sounds.');
  const sound = kind === 'sound';
  // Of a sound a tenth of a second, at most all: short, so that the fastest is one that nothing else held up.
  const [rows = 1, columns = 1] = sound ? [1, Math.min(info.shape[0] ?? 1, Math.ceil(info.rate[0] / info.rate[1] / 10))] : info.shape.slice(-2);
  // Frames of a video, tenths of a second of a sound: each decode takes the next one.
  const pieces = kind === 'picture' ? 1 : Math.floor((info.shape[0] ?? 1) / (sound ? columns : 1));
  const seconds = kind === 'picture' ? null : ((sound ? columns : 1) * info.rate[1]) / info.rate[0];
  const views: Record<'picture' | 'zoomed', View> = {
    picture: [0, rows, 0, columns],
    zoomed: [(rows * 3) / 8, (rows * 5) / 8, (columns * 3) / 8, (columns * 5) / 8],
  };
  const time = async (view: 'picture' | 'zoomed', engine: string, work: (v: View, frame: number) => unknown): Promise<void> => {
    note(`${engine}: ${sound ? 'a tenth of a second' : view === 'picture' ? 'the whole picture' : 'a zoomed view'}`);
    const times: number[] = [];
    const begun = performance.now();
    while (times.length <= repetitions && (times.length < 2 || performance.now() - begun < ENOUGH_MS)) {
      const start = performance.now();
      await work(views[view], times.length % pieces);
      times.push(performance.now() - start);
    }
    figures.push(figure(sound ? 'tenth' : view, engine, rows * columns, times, seconds));
  };

  if (sound) skipped.push('webgpu: sounds are decoded by the CPU', 'openings: of pictures and videos alone');
  else for (const [engine, module] of cpus) openings.push(opening(engine, module, bytes, rows, columns));
  for (const [engine, module] of cpus) {
    note(`${engine}: weights`);
    const times = Array.from({ length: repetitions }, () => {
      const begun = performance.now();
      new module.TesseraFile(bytes).free();
      return (performance.now() - begun) / 1000;
    });
    weights.push({ engine, median_seconds: median(times), fastest_seconds: Math.min(...times) });
    const file = new module.TesseraFile(bytes);
    if (sound) await time('picture', engine, (_, at) => file.decode_values(Float64Array.of(at * columns, (at + 1) * columns), Uint32Array.of(columns), false));
    else for (const view of ['picture', 'zoomed'] as const) await time(view, engine, (v, frame) => file.decode(...v, rows, columns, false, frame));
    file.free();
  }

  let adapter: string | null = null;
  let presents = false;
  const adapterFacts = await adapterInfo();
  if (!sound) try {
    if (!('gpu' in navigator)) throw new Error('this browser has no WebGPU');
    presents = await canPresent();
    const module = await loadGpu();
    note('webgpu: starting');
    const name = await module.initialise();
    adapter = [adapterFacts?.vendor, adapterFacts?.architecture, adapterFacts?.description].filter(Boolean).join(' ') || name;
    const field = new module.GpuField(bytes);
    for (const view of ['picture', 'zoomed'] as const) {
      if (presents) await time(view, 'webgpu', (v, frame) => show(field, v, rows, columns, frame));
      await time(view, 'webgpu-read-back', (v, frame) => field.decode(...v, rows, columns, false, frame));
    }
    if (!presents) skipped.push('webgpu without reading back: this browser does not draw with the device');
    field.free();
  } catch (error) {
    skipped.push(`webgpu: ${message(error)}`);
  }
  // The general operations decode all samples of a file at once: nothing to hold beside a frame.
  if (adapter !== null && kind === 'picture') {
    try {
      const module = await loadGeneral();
      note('webgpu-general-operations: starting');
      await module.initialise();
      const field = new module.GeneralField(bytes);
      await time('picture', 'webgpu-general-operations', () => field.decode());
      field.free();
    } catch (error) {
      skipped.push(`webgpu-general-operations: ${message(error)}`);
    }
  }

  const webgpu = ['webgpu', 'webgpu-read-back'];
  post({
    kind: 'report',
    report: {
      file: { name, kind, rows, columns, macs_per_sample: info.macs_per_sample, bytes: bytes.length, parameters: info.parameters },
      machine: {
        user_agent: navigator.userAgent,
        adapter,
        fallback_adapter: adapterFacts?.isFallbackAdapter ?? null,
        hardware_threads: navigator.hardwareConcurrency,
        threads: 1,
        relaxed_simd: relaxed,
        presents,
      },
      openings,
      weights,
      figures,
      ratios: {
        // The general operations are read back, and so is what they are compared with.
        webgpu_over_general_operations: ratio(figures, ['webgpu-read-back'], 'webgpu-general-operations'),
        webgpu_over_read_back: ratio(figures, ['webgpu'], 'webgpu-read-back'),
        relaxed_over_simd128: ratio(figures, ['wasm-relaxed-simd'], 'wasm-simd128'),
        webgpu_over_wasm: ratio(figures, webgpu, relaxed ? 'wasm-relaxed-simd' : 'wasm-simd128'),
      },
      skipped,
    },
  });
}

/** The passes of a page that opens a file, in code that has not run before: the browser still optimises it meanwhile. */
function opening(engine: string, module: CpuModule, bytes: Uint8Array, rows: number, columns: number): Opening {
  const begun = performance.now();
  const since = () => (performance.now() - begun) / 1000;
  const file: TesseraFile = new module.TesseraFile(bytes);
  const parse_seconds = since();
  const pass = (divisor: number) => {
    file.decode(0, rows, 0, columns, Math.max(1, Math.round(rows / divisor)), Math.max(1, Math.round(columns / divisor)), false, 0);
    return since();
  };
  const coarse_seconds = pass(16);
  const quarter_seconds = pass(4);
  const complete_seconds = pass(1);
  file.free();
  return { engine, parse_seconds, coarse_seconds, quarter_seconds, complete_seconds };
}

async function show(field: GpuField, view: View, rows: number, columns: number, frame: number): Promise<void> {
  (await field.present(...view, rows, columns, false, frame)).close();
}

/** What the browser tells of the device: makers and families, but rarely a name. */
async function adapterInfo(): Promise<GPUAdapterInfo | null> {
  try {
    return (await navigator.gpu.requestAdapter())?.info ?? null;
  } catch {
    return null;
  }
}
