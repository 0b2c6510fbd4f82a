// The samples of a sound: decoded in chunks, what is played first, then what is seen; peaks of all that was decoded.

import type { Decoder } from '../../worker/client';
import type { Opened } from '../stage';
import { CHUNK } from './playhead';

/** Samples behind one pair of peaks. */
export const PEAK = 64;
/** Values kept in memory (4 bytes each); more are decoded again when they are needed. */
const BUDGET_VALUES = 32 << 20;
/** Samples of the first, coarse look at the whole. */
const COARSE = 4096;

export interface DataHooks {
  /** The next chunk to decode; `null` for none. */
  next(): number | null;
  /** Something new can be shown. */
  arrived(index: number): void;
  report(error: unknown): void;
}

/** Lowest and highest value of every `PEAK` samples; not numbers where nothing is decoded or present. */
export interface Peaks {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

export class SoundData {
  readonly samples: number;
  readonly channels: number;
  /** Samples per second. */
  readonly rate: number;
  /** The largest value that a sample can have, at least full scale. */
  readonly peak: number;
  readonly chunks: number;
  readonly peaks: readonly Peaks[];
  /** A sample of every stretch of the whole: `[COARSE * channels]`, not a number where absent; the first to arrive. */
  coarse: Float32Array | null = null;
  readonly #opened: Opened;
  readonly #decoder: Decoder;
  readonly #hooks: DataHooks;
  readonly #kept = new Map<number, readonly Float32Array[]>();
  readonly #known: Uint8Array;
  #running = false;
  #closed = false;

  constructor(opened: Opened, decoder: Decoder, hooks: DataHooks) {
    const { shape, channels, rate } = opened.file.info;
    this.#opened = opened;
    this.#decoder = decoder;
    this.#hooks = hooks;
    this.samples = shape[0] ?? 1;
    this.channels = channels;
    // A file that does not say is played at the usual rate.
    this.rate = rate[0] > 0 ? rate[0] / rate[1] : 44_100;
    this.peak = Math.max(1, opened.file.info.amplitude);
    this.chunks = Math.ceil(this.samples / CHUNK);
    this.#known = new Uint8Array(this.chunks);
    const blocks = Math.ceil(this.samples / PEAK);
    const blank = () => new Float32Array(blocks).fill(NaN);
    this.peaks = Array.from({ length: channels }, () => ({ low: blank(), high: blank() }));
  }

  /** Whether all of it stays in memory once decoded. */
  get fits(): boolean {
    return this.samples * this.channels <= BUDGET_VALUES;
  }

  close(): void {
    this.#closed = true;
    this.#kept.clear();
  }

  /** The samples of a chunk are in memory. */
  has(index: number): boolean {
    return this.#kept.has(index);
  }

  /** A chunk was decoded, so that its peaks are known. */
  known(index: number): boolean {
    return this.#known[index] === 1;
  }

  /** The samples of a chunk by channel, up to `peak`, not numbers where absent; `null` where it is not decoded. */
  chunk(index: number): readonly Float32Array[] | null {
    const chunk = this.#kept.get(index);
    if (!chunk) return null;
    // The last to be used is the last to go.
    this.#kept.delete(index);
    this.#kept.set(index, chunk);
    return chunk;
  }

  /** One value; `NaN` where it is absent or not decoded. */
  at(channel: number, sample: number): number {
    return this.#kept.get(Math.floor(sample / CHUNK))?.[channel]?.[sample % CHUNK] ?? NaN;
  }

  /** Decodes for as long as something is wanted. */
  async pump(): Promise<void> {
    if (this.#running || this.#closed) return;
    this.#running = true;
    try {
      if (!this.coarse) {
        const count = Math.min(COARSE, this.samples);
        this.coarse = await this.#values(0, this.samples, count);
        if (this.#closed) return;
        this.#hooks.arrived(-1);
      }
      for (;;) {
        const index = this.#hooks.next();
        if (index === null || this.#closed) return;
        const start = index * CHUNK;
        const end = Math.min(this.samples, start + CHUNK);
        const values = await this.#values(start, end, end - start);
        if (this.#closed) return;
        this.#put(index, values);
        this.#hooks.arrived(index);
      }
    } catch (error) {
      // Another file, or a decoder that is being replaced: whoever opens it pumps again.
      if (!this.#closed) this.#hooks.report(error);
    } finally {
      this.#running = false;
    }
  }

  /** Decodes a stretch for a file to save. */
  async stretch(start: number, end: number, progress: (fraction: number) => void): Promise<Float32Array> {
    const generation = this.#opened.generation;
    const values = await this.#decoder.call({ type: 'values', generation, edges: [start, end], shape: [end - start] }, { progress });
    return this.#scaled(values);
  }

  async #values(start: number, end: number, count: number): Promise<Float32Array> {
    const generation = this.#opened.generation;
    return this.#scaled(await this.#decoder.call({ type: 'values', generation, edges: [start, end], shape: [count] }));
  }

  /** From values of the field to amplitudes, which end where those of the source could. */
  #scaled(values: Float32Array): Float32Array {
    const { amplitude } = this.#opened.file.info;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? 0;
      values[i] = (value > 1 ? 1 : value < -1 ? -1 : value) * amplitude;
    }
    return values;
  }

  #put(index: number, values: Float32Array): void {
    const length = values.length / this.channels;
    const chunk = Array.from({ length: this.channels }, (_, channel) => {
      const own = new Float32Array(length);
      for (let i = 0; i < length; i++) own[i] = values[i * this.channels + channel] ?? NaN;
      return own;
    });
    chunk.forEach((own, channel) => {
      const { low, high } = this.peaks[channel] as Peaks;
      for (let i = 0; i < length; i += PEAK) {
        let [least, most] = [Infinity, -Infinity];
        for (let j = i; j < Math.min(length, i + PEAK); j++) {
          const value = own[j] as number;
          if (value < least) least = value;
          if (value > most) most = value;
        }
        const block = (index * CHUNK + i) / PEAK;
        low[block] = least === Infinity ? NaN : least;
        high[block] = most === -Infinity ? NaN : most;
      }
    });
    this.#kept.set(index, chunk);
    this.#known[index] = 1;
    const most = Math.max(64, Math.floor(BUDGET_VALUES / CHUNK / this.channels));
    for (const old of this.#kept.keys()) {
      if (this.#kept.size <= most) break;
      this.#kept.delete(old);
    }
  }
}
