// The view on a stretch of time: what part of it the screen shows, and the marks of its ruler. In samples and device
// pixels; no browser needed.

import type { Range } from './range';

/** The closest look: device pixels per sample. */
const MOST_SCALE = 16;

export class Timeline {
  readonly samples: number;
  #start = 0;
  #end: number;
  width = 1;

  constructor(samples: number) {
    this.samples = samples;
    this.#end = samples;
  }

  /** What is seen, in samples. */
  get seen(): Range {
    return { start: this.#start, end: this.#end };
  }
  /** Device pixels per sample. */
  get scale(): number {
    return this.width / (this.#end - this.#start);
  }

  x(sample: number): number {
    return (sample - this.#start) * this.scale;
  }
  sample(x: number): number {
    return this.#start + x / this.scale;
  }

  /** Shows a range, with a little room around it. */
  fit(range: Range): void {
    const room = range.start > 0 || range.end < this.samples ? (range.end - range.start) * 0.05 : 0;
    this.#show(range.start - room, range.end + room);
  }

  /** Zooms by a factor while the sample under `x` stays where it is. */
  zoom(factor: number, x = this.width / 2): void {
    const at = this.sample(x);
    const length = Math.min(this.samples, Math.max(this.width / MOST_SCALE, (this.#end - this.#start) / factor));
    const start = at - (x / this.width) * length;
    this.#show(start, start + length);
  }

  /** Moves by device pixels; positive shows what is earlier. */
  pan(dx: number): void {
    const by = -dx / this.scale;
    this.#show(this.#start + by, this.#end + by);
  }

  /** Brings a sample into sight, at the left edge of the next page as in reading. */
  follow(sample: number): boolean {
    if (sample >= this.#start && sample < this.#end) return false;
    const length = this.#end - this.#start;
    this.#show(sample, sample + length);
    return true;
  }

  #show(start: number, end: number): void {
    const length = Math.min(end - start, this.samples);
    this.#start = Math.min(Math.max(0, start), this.samples - length);
    this.#end = this.#start + length;
  }
}

/** Times in seconds for the marks of a ruler that shows `from` to `to`: round ones, at most `most` of them. */
export function marks(from: number, to: number, most: number): number[] {
  const rough = (to - from) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = rough >= 20 ? [30, 60, 120, 300, 600, 1800, 3600].find((s) => s >= rough) ?? 7200 : ([1, 2, 5, 10].find((s) => s * power >= rough) ?? 10) * power;
  const found: number[] = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to; i++) found.push(i * step + 0);
  return found;
}

/** `1:02.35`, with as many digits as `step` seconds need. */
export function clock(seconds: number, digits = 2): string {
  const scale = 10 ** digits;
  const total = Math.round(Math.max(0, seconds) * scale) / scale;
  const minutes = Math.floor(total / 60);
  const rest = (total - minutes * 60).toFixed(digits);
  return `${minutes}:${total - minutes * 60 < 10 && !rest.startsWith('10') ? '0' : ''}${rest}`;
}

/** Digits behind the point that tell marks of this distance apart. */
export function digitsFor(step: number): number {
  return Math.max(0, Math.min(4, Math.ceil(-Math.log10(step) - 1e-9)));
}
