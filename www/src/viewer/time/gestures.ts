// Pointers on a time line: click to seek, drag to pan or scrub, wheel and pinch to zoom. A crop may claim a drag.

import type { TimeDrag } from './region';
import type { Timeline } from './timeline';

export interface TimeGestureHooks {
  timeline(): Timeline | null;
  ratio(): number;
  /** CSS pixels at the lower edge where every drag seeks. */
  readonly ruler: number;
  /** Claims a drag that starts at CSS pixel `x`, or returns `null`. */
  claim(event: PointerEvent, x: number): TimeDrag | null;
  seek(sample: number): void;
  /** The view moved. */
  moved(): void;
}

/** Movement in CSS pixels that turns a click into a drag. */
const SLOP = 4;

export class TimeGestures {
  readonly #stage: HTMLElement;
  readonly #hooks: TimeGestureHooks;
  readonly #pointers = new Map<number, number>();
  #drag: TimeDrag | null = null;
  #does: 'crop' | 'pan' | 'scrub' | null = null;
  #startX = 0;
  #moved = false;

  constructor(stage: HTMLElement, hooks: TimeGestureHooks) {
    this.#stage = stage;
    this.#hooks = hooks;
    stage.addEventListener('pointerdown', (event) => this.#down(event));
    stage.addEventListener('pointermove', (event) => this.#move(event));
    stage.addEventListener('pointerup', (event) => this.#up(event));
    stage.addEventListener('pointercancel', (event) => {
      this.#pointers.delete(event.pointerId);
      this.cancel();
    });
    stage.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
  }

  /** A pointer is down. */
  get busy(): boolean {
    return this.#pointers.size > 0;
  }

  cancel(): boolean {
    const had = this.#drag !== null;
    this.#drag?.cancel();
    this.#drag = null;
    this.#does = null;
    return had;
  }

  #x(event: MouseEvent): number {
    return event.clientX - this.#stage.getBoundingClientRect().left;
  }

  #seek(x: number): void {
    const timeline = this.#hooks.timeline();
    if (timeline) this.#hooks.seek(timeline.sample(x * this.#hooks.ratio()));
  }

  #down(event: PointerEvent): void {
    const timeline = this.#hooks.timeline();
    if (!timeline || event.target !== this.#stage || event.button > 1) return;
    this.#stage.setPointerCapture(event.pointerId);
    const x = this.#x(event);
    this.#pointers.set(event.pointerId, x);
    if (this.#pointers.size > 1) {
      this.cancel();
      return;
    }
    this.#startX = x;
    this.#moved = false;
    const box = this.#stage.getBoundingClientRect();
    const onRuler = event.clientY > box.bottom - this.#hooks.ruler;
    const whole = timeline.seen.end - timeline.seen.start >= timeline.samples;
    this.#drag = onRuler || event.button === 1 ? null : this.#hooks.claim(event, x);
    this.#does = this.#drag ? 'crop' : onRuler || whole ? 'scrub' : 'pan';
    if (this.#does === 'scrub') this.#seek(x);
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    const timeline = this.#hooks.timeline();
    if (before === undefined || !timeline) return;
    const x = this.#x(event);
    const ratio = this.#hooks.ratio();
    this.#moved ||= Math.abs(x - this.#startX) > SLOP;
    if (this.#pointers.size === 2) {
      const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1] ?? 0;
      const distance = (a: number) => Math.max(16, Math.abs(a - other));
      timeline.zoom(distance(x) / distance(before), ((before + other) / 2) * ratio);
      timeline.pan(((x - before) / 2) * ratio);
      this.#hooks.moved();
    } else if (this.#moved && this.#drag) {
      this.#drag.move(x);
    } else if (this.#moved && this.#does === 'pan') {
      timeline.pan((x - before) * ratio);
      this.#hooks.moved();
    } else if (this.#does === 'scrub') {
      this.#seek(x);
    }
    this.#pointers.set(event.pointerId, x);
  }

  #up(event: PointerEvent): void {
    if (!this.#pointers.delete(event.pointerId)) return;
    const x = this.#x(event);
    const drag = this.#drag;
    this.#drag = null;
    if (drag) drag.end(x, this.#moved);
    else if (this.#does === 'pan' && !this.#moved) this.#seek(x);
    this.#does = null;
  }

  #wheel(event: WheelEvent): void {
    const timeline = this.#hooks.timeline();
    if (!timeline) return;
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 24 : event.deltaMode === WheelEvent.DOM_DELTA_PAGE ? 400 : 1;
    const along = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.shiftKey ? event.deltaY : 0;
    if (along !== 0) timeline.pan(-along * unit * this.#hooks.ratio());
    else {
      const step = Math.max(-300, Math.min(300, event.deltaY * unit));
      timeline.zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.003)), this.#x(event) * this.#hooks.ratio());
    }
    this.#hooks.moved();
  }
}
