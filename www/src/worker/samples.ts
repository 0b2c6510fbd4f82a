// Work on the stored samples of a whole picture: decoding all of it in pieces, and the figures of a comparison.

import { type CpuModule } from './wasm';
import type { Comparison, OpenedFile, Quality } from './protocol';
import type { Region } from '../viewer/picture/transform';

/** Pictures above this many samples are shown, zoomed and cropped, but not held in memory whole. */
export const WHOLE_PICTURE_SAMPLES = 1 << 26;

/** Copies a box of an RGBA picture of `width` columns. */
export function cut(pixels: Uint8Array, width: number, box: Region): Uint8Array {
  const columns = box.column1 - box.column0;
  const result = new Uint8Array((box.row1 - box.row0) * columns * 4);
  for (let row = box.row0; row < box.row1; row++) {
    const start = (row * width + box.column0) * 4;
    result.set(pixels.subarray(start, start + columns * 4), (row - box.row0) * columns * 4);
  }
  return result;
}

/** Widens a region to whole samples inside the canvas. */
export function wholeSamples(region: Region, rows: number, columns: number): Region {
  const low = (v: number) => Math.max(0, Math.floor(v));
  return {
    row0: low(region.row0),
    row1: Math.min(rows, Math.ceil(region.row1)),
    column0: low(region.column0),
    column1: Math.min(columns, Math.ceil(region.column1)),
  };
}

/**
 * Compares decoded samples with an original, partition by partition; both straight RGBA over the whole canvas. As in the
 * wasm module, colours count as much as they are seen, and opacity counts where either picture has any transparency.
 */
export class Measurement {
  readonly #rows: number;
  readonly #columns: number;
  readonly #decoded: Uint8Array;
  readonly #original: Uint8Array;
  readonly #module: CpuModule;
  readonly #present: Uint8Array;
  readonly #opened: OpenedFile;
  readonly #channels: 3 | 4;

  constructor(module: CpuModule, opened: OpenedFile, decoded: Uint8Array, original: Uint8Array) {
    const [rows = 1, columns = 1] = opened.info.shape;
    this.#rows = rows;
    this.#columns = columns;
    this.#decoded = decoded;
    this.#original = original;
    this.#module = module;
    this.#opened = opened;
    this.#present = new Uint8Array(opened.info.partitions);
    for (const part of opened.present) this.#present[part] = 1;
    let opaque = true;
    for (let i = 3; i < decoded.length && opaque; i += 4) opaque = decoded[i] === 255 && original[i] === 255;
    // Absent parts are transparent without being so in the picture.
    this.#channels = opaque || (!opened.info.alpha && opened.present.length < opened.info.partitions) ? 3 : 4;
  }

  /** The original, RGBA over the whole canvas. */
  get original(): Uint8Array {
    return this.#original;
  }

  /** Quality inside a region; `null` where nothing of it is present. */
  region(region: Region): Quality | null {
    const box = wholeSamples(region, this.#rows, this.#columns);
    if (box.row1 <= box.row0 || box.column1 <= box.column0) return null;
    let complete = true;
    let error = 0;
    let values = 0;
    for (let part = 0; part < this.#present.length; part++) {
      const p = this.#box(part);
      const inside = {
        row0: Math.max(p.row0, box.row0),
        row1: Math.min(p.row1, box.row1),
        column0: Math.max(p.column0, box.column0),
        column1: Math.min(p.column1, box.column1),
      };
      if (inside.row1 <= inside.row0 || inside.column1 <= inside.column0) continue;
      if (!this.#present[part]) {
        complete = false;
        continue;
      }
      error += this.#squaredError(inside);
      values += (inside.row1 - inside.row0) * (inside.column1 - inside.column0) * this.#channels;
    }
    if (values === 0) return null;
    if (!complete) return { psnrDb: psnr(error / values), ssim: null };
    const rows = box.row1 - box.row0;
    const columns = box.column1 - box.column0;
    const figures = this.#module.compare(cut(this.#decoded, this.#columns, box), cut(this.#original, this.#columns, box), rows, columns);
    return { psnrDb: figures.psnr_db, ssim: figures.ssim };
  }

  /** Everything at once. */
  whole(): Comparison | null {
    const quality = this.region({ row0: 0, row1: this.#rows, column0: 0, column1: this.#columns });
    if (!quality) return null;
    const partitions = new Float32Array(this.#present.length).fill(NaN);
    for (const part of this.#opened.present) {
      const box = this.#box(part);
      partitions[part] = psnr(this.#squaredError(box) / ((box.row1 - box.row0) * (box.column1 - box.column0) * this.#channels));
    }
    const difference = new Uint8Array(this.#rows * this.#columns);
    for (const part of this.#opened.present) {
      const box = this.#box(part);
      for (let row = box.row0; row < box.row1; row++) {
        for (let i = row * this.#columns + box.column0; i < row * this.#columns + box.column1; i++) {
          let worst = 0;
          for (let c = 0; c < this.#channels; c++) worst = Math.max(worst, this.#apart(i * 4, c));
          difference[i] = Math.round(worst);
        }
      }
    }
    return { whole: quality, partitions, difference };
  }

  /** Difference of channel `c` of the sample at byte `i`, in code values. */
  #apart(i: number, c: number): number {
    const value = (pixels: Uint8Array) => (c === 3 ? (pixels[i + 3] ?? 0) : ((pixels[i + c] ?? 0) * (pixels[i + 3] ?? 0)) / 255);
    return Math.abs(value(this.#decoded) - value(this.#original));
  }

  #box(part: number): Region {
    const b = this.#opened.boxes;
    return { row0: b[part * 4] ?? 0, row1: b[part * 4 + 1] ?? 0, column0: b[part * 4 + 2] ?? 0, column1: b[part * 4 + 3] ?? 0 };
  }

  #squaredError(box: Region): number {
    let sum = 0;
    for (let row = box.row0; row < box.row1; row++) {
      for (let i = (row * this.#columns + box.column0) * 4; i < (row * this.#columns + box.column1) * 4; i += 4) {
        for (let c = 0; c < this.#channels; c++) sum += this.#apart(i, c) ** 2;
      }
    }
    return sum;
  }
}

/** PSNR in dB of a mean squared error in code values of 8 bits. */
export function psnr(meanSquaredError: number): number {
  return meanSquaredError > 0 ? 10 * Math.log10((255 * 255) / meanSquaredError) : Infinity;
}
