// Decoding ahead of the clock: which frame is asked for next, and how large.
//
// When decoding is slower than the clip, pictures get smaller; only when the smallest is too slow, frames are skipped.
// The clock never waits.

import type { FrameClock } from './clock';

/** Frames kept ahead. */
const AHEAD = 6;
/** Share of a frame's time that decoding may take. */
const SHARE = 0.85;
/** The smallest picture, as a share of the screen along each side. */
const LEAST = 1 / 12;
/** Sizes are powers of this, so that the picture does not breathe. */
const STEP = Math.SQRT2;

/** A decoded frame. */
export interface Shown<P> {
  readonly frame: number;
  readonly scale: number;
  readonly picture: P;
}

export class Ahead<P> {
  readonly #clock: FrameClock;
  readonly #decode: (frame: number, scale: number) => Promise<P>;
  readonly #release: (picture: P) => void;
  readonly #ready = new Map<number, Shown<P>>();
  #asked: number | null = null;
  #closed = false;
  /** Share of the screen's resolution along each side. */
  scale = 1;
  /** Milliseconds of the last decode. */
  took = 0;
  /** Frames that were shown, and that were due but not ready, since playing began. */
  shown = 0;
  skipped = 0;
  #last: number | null = null;

  constructor(clock: FrameClock, decode: (frame: number, scale: number) => Promise<P>, release: (picture: P) => void) {
    this.#clock = clock;
    this.#decode = decode;
    this.#release = release;
  }

  /** Forgets what is decoded, because the view moved or another range is played. */
  clear(): void {
    for (const { picture } of this.#ready.values()) this.#release(picture);
    this.#ready.clear();
  }

  close(): void {
    this.#closed = true;
    this.clear();
  }

  /** Counts from the beginning. */
  restart(): void {
    this.shown = 0;
    this.skipped = 0;
    this.#last = null;
  }

  /** The frame that is due, where it is ready; asks for those to come. `failed` gets what keeps them from coming. */
  take(now: number, failed: (error: unknown) => void): Shown<P> | null {
    void this.#ask(now, failed);
    const due = this.#clock.frame(now);
    if (due === this.#last) return null;
    const found = this.#ready.get(due);
    if (!found) return null;
    if (this.#last !== null && due > this.#last + 1) this.skipped += due - this.#last - 1;
    this.#last = due;
    this.shown += 1;
    // Whoever shows it keeps it; those before it are late.
    this.#ready.delete(due);
    const soon = new Set(this.#upcoming(now));
    for (const [frame, { picture }] of this.#ready) {
      if (soon.has(frame)) continue;
      this.#release(picture);
      this.#ready.delete(frame);
    }
    return found;
  }

  /** Frames to come that can still be in time. */
  #upcoming(now: number): number[] {
    const clock = this.#clock;
    const late = Math.ceil(this.took / clock.interval);
    const from = this.#last === null && this.took === 0 ? 0 : Math.max(1, late);
    const frames = Array.from({ length: AHEAD }, (_, i) => clock.frame(now + (from + i) * clock.interval));
    return [clock.frame(now), ...frames];
  }

  async #ask(now: number, failed: (error: unknown) => void): Promise<void> {
    if (this.#asked !== null || this.#closed) return;
    const [, ...soon] = this.#upcoming(now);
    const wanted = soon.find((frame) => !this.#ready.has(frame) && frame !== this.#last);
    if (wanted === undefined) return;
    this.#asked = wanted;
    const scale = this.scale;
    const begun = performance.now();
    try {
      const picture = await this.#decode(wanted, scale);
      this.learn(performance.now() - begun, scale);
      if (this.#closed) this.#release(picture);
      else this.#ready.set(wanted, { frame: wanted, scale, picture });
    } catch (error) {
      failed(error);
    } finally {
      this.#asked = null;
    }
  }

  /** Chooses the size of the next pictures from the time that one took. */
  learn(milliseconds: number, scale: number): void {
    this.took = milliseconds;
    const whole = milliseconds / (scale * scale);
    const fits = Math.sqrt((SHARE * this.#clock.interval) / Math.max(whole, 1e-3));
    const step = STEP ** Math.floor(Math.log(fits) / Math.log(STEP));
    const wanted = Math.min(1, Math.max(LEAST, step));
    // Down at once; up a step at a time and only with room to spare, or it would go to and fro.
    if (wanted < this.scale) this.scale = wanted;
    else if (fits > this.scale * STEP * 1.15) this.scale = Math.min(1, this.scale * STEP);
  }
}
