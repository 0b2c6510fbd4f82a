// Where playing is, and what it sounds like there: the arithmetic of the player, free of any audio interface.
//
// It runs on the audio thread. A buffer source for every decoded chunk was the alternative: the browser resamples each
// of them by itself, which clicks at every border as soon as the rate is not one.

import type { Range } from '../time/range';

/** Samples of a chunk. */
export const CHUNK = 8192;

export class Playhead {
  readonly #channels: number;
  readonly #chunks = new Map<number, readonly Float32Array[]>();
  /** In samples of the file; between samples while the rate is not one. */
  position = 0;
  /** Samples of the file per sample of the output. */
  step = 1;
  playing = false;
  loop = false;
  range: Range = { start: 0, end: 0 };
  /** Output samples that were silent because nothing was decoded yet. */
  starved = 0;
  /** Playing came to the end of the range. */
  ended = false;

  constructor(channels: number) {
    this.#channels = channels;
  }

  put(index: number, channels: readonly Float32Array[]): void {
    this.#chunks.set(index, channels);
  }

  drop(index: number): void {
    this.#chunks.delete(index);
  }

  /** Writes the next samples of every channel. */
  render(outputs: readonly Float32Array[]): void {
    const length = outputs[0]?.length ?? 0;
    for (let i = 0; i < length; i++) {
      if (!this.#advanceable()) {
        for (const output of outputs) output.fill(0, i);
        return;
      }
      const whole = Math.floor(this.position);
      const part = this.position - whole;
      if (!this.#chunks.has(Math.floor(whole / CHUNK))) {
        for (const output of outputs) output.fill(0, i);
        this.starved += length - i;
        return;
      }
      for (let c = 0; c < outputs.length; c++) {
        const channel = Math.min(c, this.#channels - 1);
        (outputs[c] as Float32Array)[i] = part === 0 ? this.#at(channel, whole) : this.#between(channel, whole, part);
      }
      this.position += this.step;
    }
  }

  /** Wraps or stops at the end of the range; `false` where nothing plays. */
  #advanceable(): boolean {
    const { start, end } = this.range;
    if (!this.playing || end <= start) return false;
    if (this.position < start) this.position = start;
    if (this.position < end) return true;
    if (this.loop) {
      this.position = start + ((this.position - start) % (end - start));
      return true;
    }
    this.position = end;
    this.playing = false;
    this.ended = true;
    return false;
  }

  #at(channel: number, sample: number): number {
    const index = Math.floor(sample / CHUNK);
    return this.#chunks.get(index)?.[channel]?.[sample - index * CHUNK] ?? 0;
  }

  /** A cubic through four samples (Catmull-Rom). */
  #between(channel: number, whole: number, part: number): number {
    const [a, b, c, d] = [this.#at(channel, whole - 1), this.#at(channel, whole), this.#at(channel, whole + 1), this.#at(channel, whole + 2)];
    return b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)));
  }
}
