// Which frame of a clip is due: the arithmetic of time, free of any timer.

import type { Range } from '../time/range';

export class FrameClock {
  /** Frames per second. */
  readonly rate: number;
  #speed = 1;
  #loop = false;
  #range: Range;
  /** Where playing began, in frames, and when, in milliseconds; while it rests, where it stands. */
  #from = 0;
  #since: number | null = null;

  constructor(rate: number, frames: number) {
    this.rate = rate;
    this.#range = { start: 0, end: frames };
  }

  get playing(): boolean {
    return this.#since !== null;
  }
  get loop(): boolean {
    return this.#loop;
  }
  get speed(): number {
    return this.#speed;
  }
  get range(): Range {
    return this.#range;
  }
  /** Milliseconds that a frame lasts. */
  get interval(): number {
    return 1000 / (this.rate * this.#speed);
  }

  setLoop(loop: boolean, now: number): void {
    this.#anchor(now);
    this.#loop = loop;
  }
  setSpeed(speed: number, now: number): void {
    this.#anchor(now);
    this.#speed = speed;
  }
  /** What is played; the position goes to its start where it lies outside. */
  setRange(range: Range, now: number): void {
    this.#anchor(now);
    this.#range = range;
    if (this.#from < range.start || this.#from >= range.end) this.#from = range.start;
  }

  play(now: number): void {
    if (this.playing) return;
    // At the end, playing begins again.
    if (this.#from >= this.#range.end - 1) this.#from = this.#range.start;
    this.#since = now;
  }
  pause(now: number): void {
    this.#from = this.frame(now);
    this.#since = null;
  }
  seek(frame: number, now: number): void {
    this.#from = Math.min(Math.max(Math.floor(frame), 0), Math.max(0, this.#range.end - 1));
    if (this.playing) this.#since = now;
  }

  /** Playing came to the end of the range. */
  over(now: number): boolean {
    return !this.#loop && this.#at(now) >= this.#range.end;
  }

  /** The frame that is due at a time, also one to come. */
  frame(now: number): number {
    const { start, end } = this.#range;
    const at = Math.floor(this.#at(now));
    if (at < end) return at;
    return this.#loop ? start + ((at - start) % Math.max(1, end - start)) : Math.max(start, end - 1);
  }

  #at(now: number): number {
    // A thousandth of a frame, so that rounding never shows a frame for a millisecond too long.
    return this.#since === null ? this.#from : this.#from + (now - this.#since) / this.interval + 1e-3;
  }

  #anchor(now: number): void {
    if (!this.playing) return;
    this.#from = this.frame(now);
    this.#since = now;
  }
}
