// Which engine decodes: the CPU module until WebGPU has proved itself, and again as soon as WebGPU fails.
//
// A GPU that answers wrongly or not at all must cost a moment, never the picture: it first has to agree with the CPU on a
// small piece of the open file, each of its answers has a deadline, and after a failure the CPU repeats the work.
// A device that fails is refused for good; a file that does not suit the device is refused until the next one is opened.

import type { EngineState, PlainError } from './protocol';
import { type CpuModule, type GpuField, type GpuModule, loadCpu, loadGpu, type TesseraFile } from './wasm';
import type { Region } from '../viewer/transform';

/** A device that takes longer for a piece of some milliseconds has gone. */
const GPU_DEADLINE_MS = 30_000;
/** Two engines may differ by one code value; one more allows for values on a rounding edge. */
const AGREEMENT = 2;

/** What keeps one file from the device, and says nothing about other files. */
class UnsuitableFile extends Error {}

export class Engine {
  #cpu: CpuModule | null = null;
  #gpu: GpuModule | null = null;
  #gpuStart: Promise<string> | null = null;
  #file: TesseraFile | null = null;
  #field: GpuField | null = null;
  #bytes: Uint8Array | null = null;
  /** Why the device is of no use, for any file. */
  #deviceRefused: string | null = null;
  /** Why the open file is not decoded by the device. */
  #fileRefused: string | null = null;
  #adapter = '';
  /** Samples per second, smoothed, per engine: sizes the pieces of work. */
  #speed = { CPU: 0, WebGPU: 0 };
  readonly #onChange: (state: EngineState) => void;

  constructor(onChange: (state: EngineState) => void) {
    this.#onChange = onChange;
  }

  get file(): TesseraFile {
    if (!this.#file) throw new Error('No file is open.');
    return this.#file;
  }

  get module(): CpuModule {
    if (!this.#cpu) throw new Error('No file is open.');
    return this.#cpu;
  }

  get usesGpu(): boolean {
    return this.#field !== null;
  }

  /** The device is slower than the CPU (a software adapter, an old chip), so the CPU takes a share of the tiles. */
  get cpuHelps(): boolean {
    return this.usesGpu && this.#speed.WebGPU < this.#speed.CPU;
  }

  async open(bytes: Uint8Array): Promise<TesseraFile> {
    this.#cpu ??= await loadCpu();
    const file = new this.#cpu.TesseraFile(bytes);
    this.close();
    this.#file = file;
    this.#bytes = bytes;
    const macs = Math.max(1, file.info().macs_per_sample);
    // A first guess for slow machines; the first pieces correct it.
    this.#speed = { CPU: 1e9 / macs, WebGPU: 1e9 / macs };
    this.#onChange({ engine: 'CPU', reason: this.#deviceRefused ?? 'The first picture comes from the CPU; WebGPU is still starting.' });
    return file;
  }

  close(): void {
    this.#file?.free();
    release(this.#field);
    this.#file = null;
    this.#field = null;
    this.#bytes = null;
    this.#fileRefused = null;
  }

  /** Rows of `columns` samples that take about `milliseconds` on the engine in use, or on the CPU. */
  rowsFor(columns: number, milliseconds: number, onCpu = !this.usesGpu): number {
    const speed = this.#speed[onCpu ? 'CPU' : 'WebGPU'];
    return Math.max(1, Math.floor((speed * milliseconds) / 1000 / Math.max(1, columns)));
  }

  async decode(r: Region, rows: number, columns: number, nearest: boolean): Promise<Uint8Array> {
    const begun = performance.now();
    if (this.#field) {
      try {
        const pixels = await deadline(this.#field.decode(r.row0, r.row1, r.column0, r.column1, rows, columns, nearest));
        if (pixels.length !== rows * columns * 4) throw new Error('the device returned a picture of another size');
        this.#learn('WebGPU', rows * columns, performance.now() - begun);
        return pixels;
      } catch (error) {
        this.#refuse(`WebGPU stopped working (${text(error)}), so the CPU took over.`, error);
      }
    }
    return this.decodeOnCpu(r, rows, columns, nearest);
  }

  decodeOnCpu(r: Region, rows: number, columns: number, nearest: boolean): Uint8Array {
    const begun = performance.now();
    const pixels = this.file.decode(r.row0, r.row1, r.column0, r.column1, rows, columns, nearest);
    this.#learn('CPU', rows * columns, performance.now() - begun);
    return pixels;
  }

  /** Starts WebGPU behind the first picture, and hands the file over once the device agrees with the CPU. */
  async takeOver(): Promise<void> {
    if (this.#deviceRefused || this.#fileRefused || this.#field || !this.#bytes) return;
    const bytes = this.#bytes;
    try {
      if (!('gpu' in navigator)) throw new Error('this browser has no WebGPU');
      this.#gpuStart ??= loadGpu().then(async (module) => {
        this.#gpu = module;
        return module.initialise();
      });
      this.#adapter = await deadline(this.#gpuStart);
      if (this.#bytes !== bytes || !this.#gpu) return;
      const field = upload(this.#gpu, bytes);
      try {
        const worst = await this.#disagreement(field);
        if (this.#bytes !== bytes) return;
        if (worst > AGREEMENT) throw new UnsuitableFile(`its picture differed by ${worst} of 255 from the CPU's`);
        this.#field = field;
      } finally {
        if (this.#field !== field) release(field);
      }
      const slow = this.cpuHelps ? ' It is slower than the CPU here, which decodes a share.' : '';
      this.#onChange({ engine: 'WebGPU', reason: `${this.#adapter.replace(/\.?$/, '.')}${slow}` });
    } catch (error) {
      if (this.#bytes === bytes) this.#refuse(`WebGPU is not used: ${lower(text(error))}.`, error);
    }
  }

  async #disagreement(field: GpuField): Promise<number> {
    const info = this.file.info();
    const [rows = [0, 1], columns = [0, 1]] = info.bounds;
    const side = 24;
    const expected = this.file.decode(rows[0], rows[1], columns[0], columns[1], side, side, false);
    // The first call compiles, the second one tells the speed.
    await deadline(field.decode(rows[0], rows[1], columns[0], columns[1], side, side, false));
    const begun = performance.now();
    const found = await deadline(field.decode(rows[0], rows[1], columns[0], columns[1], side, side, false));
    this.#learn('WebGPU', side * side, performance.now() - begun);
    if (found.length !== expected.length) return 255;
    let worst = 0;
    for (let i = 0; i < found.length; i++) worst = Math.max(worst, Math.abs((found[i] ?? 0) - (expected[i] ?? 0)));
    return worst;
  }

  #refuse(sentence: string, cause: unknown): void {
    const reason = sentence.replace(/\.\.$/, '.');
    if (isOfTheFile(cause)) this.#fileRefused = reason;
    else this.#deviceRefused = reason;
    release(this.#field);
    this.#field = null;
    this.#onChange({ engine: 'CPU', reason });
  }

  #learn(engine: 'CPU' | 'WebGPU', samples: number, milliseconds: number): void {
    // Tiny pieces measure the call, not the work.
    if (samples < 256 || milliseconds <= 0) return;
    const speed = (samples / milliseconds) * 1000;
    // Down at once, up by halves: a piece that is too large blocks, one that is too small only costs a call.
    this.#speed[engine] = speed < this.#speed[engine] ? speed : this.#speed[engine] * 0.5 + speed * 0.5;
  }
}

/** Uploads a file. A fault here is the file's (too wide, too many weights), unless the module itself broke. */
function upload(module: GpuModule, bytes: Uint8Array): GpuField {
  try {
    return new module.GpuField(bytes);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error;
    throw new UnsuitableFile(text(error));
  }
}

/** Faults that another file on the same device need not have. Anything unknown counts against the device. */
function isOfTheFile(error: unknown): boolean {
  const kind = (error as { kind?: PlainError['kind'] } | null)?.kind;
  return error instanceof UnsuitableFile || kind === 'malformed' || kind === 'unsupported' || kind === 'parameter' || kind === 'limit';
}

/** The field of a lost device may fail to be freed; its memory went with the device. */
function release(field: GpuField | null): void {
  try {
    field?.free();
  } catch { /* nothing left to free */ }
}

async function deadline<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the device did not answer')), GPU_DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The first letter small, unless the word is a name in capitals. */
function lower(message: string): string {
  return /^[A-Z][a-z]+ /.test(message) ? message.charAt(0).toLowerCase() + message.slice(1) : message;
}

function text(error: unknown): string {
  // Drivers add their chain of causes below the first line.
  const message = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
  return message.replace(/[.\s]+$/, '');
}
