// Which engine decodes: the CPU module until WebGPU has proved itself, and again as soon as WebGPU fails.
//
// A GPU that answers wrongly or not at all must cost a moment, never the picture: it first has to agree with the CPU on a
// small piece of the open file, each of its answers has a deadline, and after a failure the CPU repeats the work.
// A device that fails is refused for good; a file that does not suit the device is refused until the next one is opened.
//
// What a device decodes for the screen stays on it, as images; where the browser cannot show those, and for everything
// that needs numbers (saving, comparing), pixels are read back.

import { canPresent, pixelsOf } from './presentation';
import type { EngineName, EngineState, FileInfo, Pixels, PlainError } from './protocol';
import { type CpuModule, type GpuField, type GpuModule, loadCpu, loadGpu, type TesseraFile } from './wasm';
import type { Region } from '../viewer/picture/transform';

/** A device that takes longer for a piece of some milliseconds has gone. */
const GPU_DEADLINE_MS = 30_000;
/** Two engines may differ by one code value; one more allows for values on a rounding edge. */
const AGREEMENT = 2;

/** Smaller pieces measure the call, not the work. */
const LEAST_SAMPLES = 256;

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
  /** The device's pictures can be shown without reading them back. */
  #presents = false;
  /** Samples decoded since the file was opened. */
  #decoded: Record<EngineName, number> = { CPU: 0, WebGPU: 0 };
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

  /** Samples that each engine decoded since the file was opened, for the screen and for anything else. */
  get decoded(): Readonly<Record<EngineName, number>> {
    return { ...this.#decoded };
  }

  /** Loads the small module, at best before there is a file. */
  async prepare(): Promise<void> {
    if (this.#cpu) return;
    this.#cpu = await loadCpu();
    this.#cpu.warm_up();
  }

  /** The small module, also before there is a file. */
  async loaded(): Promise<CpuModule> {
    await this.prepare();
    if (!this.#cpu) throw new Error('The decoder is not there.');
    return this.#cpu;
  }

  async open(bytes: Uint8Array): Promise<TesseraFile> {
    const module = await this.loaded();
    const file = new module.TesseraFile(bytes);
    this.close();
    this.#file = file;
    this.#bytes = bytes;
    const macs = Math.max(1, file.info().macs_per_sample);
    // A first guess for slow machines; the first pieces correct it.
    this.#speed = { CPU: 1e9 / macs, WebGPU: 1e9 / macs };
    this.#decoded = { CPU: 0, WebGPU: 0 };
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
    // Never so few that nothing can be learned from them: a slow start would last for ever.
    return Math.max(Math.ceil(LEAST_SAMPLES / Math.max(1, columns)), Math.floor((speed * milliseconds) / 1000 / Math.max(1, columns)));
  }

  /** Numbers: RGBA of 8 bits. */
  async decode(r: Region, rows: number, columns: number, nearest: boolean, frame = 0): Promise<Uint8Array> {
    const pixels = await this.#onDevice(rows, columns, async (field) => {
      const found = await field.decode(r.row0, r.row1, r.column0, r.column1, rows, columns, nearest, frame);
      if (found.length !== rows * columns * 4) throw new Error('the device returned a picture of another size');
      return found;
    });
    return pixels ?? this.decodeOnCpu(r, rows, columns, nearest, frame);
  }

  /** What the screen shows: an image that never left the device where that is possible, numbers otherwise. */
  async show(r: Region, rows: number, columns: number, nearest: boolean, frame = 0): Promise<Pixels> {
    if (this.#presents) {
      const image = await this.#onDevice(rows, columns, (field) => field.present(r.row0, r.row1, r.column0, r.column1, rows, columns, nearest, frame));
      if (image) return image;
    }
    return clamped(await this.decode(r, rows, columns, nearest, frame));
  }

  /** Runs some work on the device; `null` where there is none, or where it failed and was refused. */
  async #onDevice<T>(rows: number, columns: number, work: (field: GpuField) => Promise<T>): Promise<T | null> {
    if (!this.#field) return null;
    const begun = performance.now();
    try {
      const result = await deadline(work(this.#field));
      this.#learn('WebGPU', rows * columns, performance.now() - begun);
      this.#decoded.WebGPU += rows * columns;
      return result;
    } catch (error) {
      this.#refuse(`WebGPU stopped working (${text(error)}), so the CPU took over.`, error);
      return null;
    }
  }

  decodeOnCpu(r: Region, rows: number, columns: number, nearest: boolean, frame = 0): Uint8Array {
    const begun = performance.now();
    const pixels = this.file.decode(r.row0, r.row1, r.column0, r.column1, rows, columns, nearest, frame);
    this.#learn('CPU', rows * columns, performance.now() - begun);
    this.#decoded.CPU += rows * columns;
    return pixels;
  }

  /** Values of a signal of any kind. */
  async values(edges: Float64Array, shape: Uint32Array): Promise<Float32Array> {
    const samples = shape.reduce((product, n) => product * n, 1);
    const values = await this.#onDevice(samples, 1, async (field) => {
      const found = await field.decode_values(edges, shape, false);
      if (found.length !== samples * this.file.info().channels) throw new Error('the device returned another number of values');
      return found;
    });
    if (values) return values;
    const begun = performance.now();
    const found = this.file.decode_values(edges, shape, false);
    this.#learn('CPU', samples, performance.now() - begun);
    this.#decoded.CPU += samples;
    return found;
  }

  /** Starts WebGPU behind the first picture, and hands the file over once the device agrees with the CPU. */
  async takeOver(): Promise<void> {
    if (this.#deviceRefused || this.#fileRefused || this.#field || !this.#bytes) return;
    const bytes = this.#bytes;
    try {
      // Playing needs a few thousand samples at a time, and soon: the way to a device and back takes longer than they do.
      if (this.file.info().kind === 'sound') throw new UnsuitableFile('sound is decoded in short pieces, for which the CPU is faster');
      if (!('gpu' in navigator)) throw new Error('this browser has no WebGPU');
      this.#gpuStart ??= loadGpu().then(async (module) => {
        this.#gpu = module;
        // Before the device is made: the trial may cost the devices of this worker.
        this.#presents = await canPresent();
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
      const shown = this.#presents ? '' : ' This browser does not draw with it, so its pictures are read back.';
      const slow = this.cpuHelps ? ' It is slower than the CPU here, which decodes a share.' : '';
      this.#onChange({ engine: 'WebGPU', reason: `${this.#adapter.replace(/\.?$/, '.')}${shown}${slow}` });
    } catch (error) {
      if (this.#bytes === bytes) this.#refuse(`WebGPU is not used: ${lower(text(error))}.`, error);
    }
  }

  async #disagreement(field: GpuField): Promise<number> {
    const info = this.file.info();
    if (info.kind === 'shape') return this.#valueDisagreement(field, info.bounds);
    const [columns = [0, 1], rows = [0, 1], frames = [0, 1]] = [...info.bounds].reverse();
    const frame = frames[0];
    const side = 24;
    const expected = this.file.decode(rows[0], rows[1], columns[0], columns[1], side, side, false, frame);
    // The first call compiles, the second one tells the speed.
    await deadline(field.decode(rows[0], rows[1], columns[0], columns[1], side, side, false, frame));
    const begun = performance.now();
    const found = await deadline(field.decode(rows[0], rows[1], columns[0], columns[1], side, side, false, frame));
    this.#learn('WebGPU', side * side, performance.now() - begun);
    if (found.length !== expected.length) return 255;
    if (this.#presents) {
      const image = await deadline(field.present(rows[0], rows[1], columns[0], columns[1], side, side, false, frame));
      const shown = pixelsOf(image);
      // Images are premultiplied, so that colours of nearly transparent pixels come back coarsely.
      this.#presents = shown !== null && worstOf(shown, expected, true) <= AGREEMENT;
    }
    return worstOf(found, expected, false);
  }

  /** As `#disagreement`, in the same unit, of a signal that is no picture. */
  async #valueDisagreement(field: GpuField, bounds: FileInfo['bounds']): Promise<number> {
    const edges = new Float64Array(bounds.flat());
    const shape = new Uint32Array(bounds.map(() => 8));
    const expected = this.file.decode_values(edges, shape, false);
    await deadline(field.decode_values(edges, shape, false));
    const begun = performance.now();
    const found = await deadline(field.decode_values(edges, shape, false));
    this.#learn('WebGPU', found.length, performance.now() - begun);
    if (found.length !== expected.length) return 255;
    return expected.reduce((worst, value, i) => Math.max(worst, apart(value, found[i] ?? NaN)), 0);
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
    if (samples < LEAST_SAMPLES || milliseconds <= 0) return;
    const speed = (samples / milliseconds) * 1000;
    // Down at once, up by halves: a piece that is too large blocks, one that is too small only costs a call.
    this.#speed[engine] = speed < this.#speed[engine] ? speed : this.#speed[engine] * 0.5 + speed * 0.5;
  }
}

/** The largest difference of two pictures; with `premultiplied`, colours count as much as they are seen. */
function worstOf(found: ArrayLike<number>, expected: Uint8Array, premultiplied: boolean): number {
  const seen = (pixels: ArrayLike<number>, i: number) => ((pixels[i] ?? 0) * (premultiplied && i % 4 !== 3 ? (pixels[i | 3] ?? 0) : 255)) / 255;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(seen(found, i) - seen(expected, i)));
  return worst;
}

/** Code values of 255 between two values of the field. */
function apart(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b) ? 0 : 255;
  return Math.abs(a - b) * 127.5;
}

/** The same bytes, in the type that canvases take. */
export function clamped(pixels: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  return new Uint8ClampedArray(pixels.buffer as ArrayBuffer, pixels.byteOffset, pixels.byteLength);
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
