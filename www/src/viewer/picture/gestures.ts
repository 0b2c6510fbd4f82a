// Wheel, drag, pinch and double click on the stage. A tool (crop, inspect) may claim a one-finger drag or a hover.

import type { Screen } from './screen';

/** A point of the stage in device pixels, and the event behind it. */
export interface StagePoint {
  readonly x: number;
  readonly y: number;
  readonly event: PointerEvent;
}

/** A drag that a tool has claimed. */
export interface Drag {
  move(point: StagePoint): void;
  /** `moved` is false for a plain click or tap. */
  end(point: StagePoint, moved: boolean): void;
  /** A second finger or Escape took over. */
  cancel(): void;
}

export interface GestureHooks {
  /** Claims a drag that starts here, or returns `null` to let it pan. */
  claim(point: StagePoint): Drag | null;
  hover(point: StagePoint | null): void;
}

/** Movement in CSS pixels that turns a click into a drag. */
const SLOP = 4;

export class Gestures {
  readonly #stage: HTMLElement;
  readonly #screen: Screen;
  readonly #hooks: GestureHooks;
  readonly #pointers = new Map<number, { x: number; y: number }>();
  #drag: Drag | null = null;
  #start: { x: number; y: number } | null = null;
  #moved = false;
  /** Held: a drag pans whatever the tool is. */
  spaceHeld = false;

  constructor(stage: HTMLElement, screen: Screen, hooks: GestureHooks) {
    this.#stage = stage;
    this.#screen = screen;
    this.#hooks = hooks;
    stage.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    stage.addEventListener('pointerdown', (event) => this.#down(event));
    stage.addEventListener('pointermove', (event) => this.#move(event));
    stage.addEventListener('pointerup', (event) => this.#up(event));
    stage.addEventListener('pointercancel', (event) => this.#cancel(event));
    stage.addEventListener('pointerleave', () => this.#hooks.hover(null));
    stage.addEventListener('dblclick', (event) => this.#doubleClick(event));
  }

  /** Gives up a drag in progress (Escape). */
  cancelDrag(): boolean {
    if (!this.#drag) return false;
    this.#drag.cancel();
    this.#drag = null;
    this.#start = null;
    return true;
  }

  #point(event: PointerEvent | WheelEvent | MouseEvent): { x: number; y: number } {
    const box = this.#stage.getBoundingClientRect();
    return { x: (event.clientX - box.left) * this.#screen.ratio, y: (event.clientY - box.top) * this.#screen.ratio };
  }

  #wheel(event: WheelEvent): void {
    if (!this.#screen.size) return;
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 24 : event.deltaMode === WheelEvent.DOM_DELTA_PAGE ? 400 : 1;
    // A pinch on a touch pad arrives as a wheel with Control and much smaller steps.
    const speed = event.ctrlKey ? 0.01 : 0.0018;
    const step = Math.max(-300, Math.min(300, event.deltaY * unit));
    const { x, y } = this.#point(event);
    this.#screen.zoom(this.#screen.view.scale * Math.exp(-step * speed), x, y);
  }

  #down(event: PointerEvent): void {
    if (!this.#screen.size || event.target !== this.#stage || event.button > 1) return;
    this.#stage.setPointerCapture(event.pointerId);
    const point = this.#point(event);
    this.#pointers.set(event.pointerId, point);
    if (this.#pointers.size === 2) {
      // The second finger makes it a pinch.
      this.#drag?.cancel();
      this.#drag = null;
      this.#start = null;
      return;
    }
    if (this.#pointers.size > 2) return;
    this.#start = { x: event.clientX, y: event.clientY };
    this.#moved = false;
    const pans = event.button === 1 || this.spaceHeld;
    if (event.button === 1) event.preventDefault();
    this.#drag = pans ? null : this.#hooks.claim({ ...point, event });
    if (!this.#drag) this.#stage.classList.add('panning');
  }

  #move(event: PointerEvent): void {
    const point = this.#point(event);
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      if (event.target === this.#stage) this.#hooks.hover({ ...point, event });
      return;
    }
    if (this.#start && !this.#moved) {
      this.#moved = Math.hypot(event.clientX - this.#start.x, event.clientY - this.#start.y) > SLOP;
      if (!this.#moved) return;
    }
    if (this.#pointers.size === 2) {
      this.#pinch(event.pointerId, before, point);
    } else if (this.#drag) {
      this.#drag.move({ ...point, event });
    } else if (this.#start) {
      this.#screen.pan(point.x - before.x, point.y - before.y);
    }
    this.#pointers.set(event.pointerId, point);
  }

  #pinch(moving: number, before: { x: number; y: number }, after: { x: number; y: number }): void {
    const other = [...this.#pointers].find(([id]) => id !== moving)?.[1];
    if (!other) return;
    const distance = (p: { x: number; y: number }) => Math.max(8, Math.hypot(p.x - other.x, p.y - other.y));
    const middle = { x: (before.x + other.x) / 2, y: (before.y + other.y) / 2 };
    this.#screen.zoom((this.#screen.view.scale * distance(after)) / distance(before), middle.x, middle.y);
    this.#screen.pan((after.x - before.x) / 2, (after.y - before.y) / 2);
  }

  #up(event: PointerEvent): void {
    const known = this.#pointers.delete(event.pointerId);
    this.#stage.classList.remove('panning');
    if (!known || !this.#start) return;
    const drag = this.#drag;
    this.#drag = null;
    this.#start = null;
    drag?.end({ ...this.#point(event), event }, this.#moved);
  }

  #cancel(event: PointerEvent): void {
    this.#pointers.delete(event.pointerId);
    this.#stage.classList.remove('panning');
    this.cancelDrag();
  }

  #doubleClick(event: MouseEvent): void {
    if (!this.#screen.size || event.target !== this.#stage || this.#stage.classList.contains('cropping')) return;
    const { x, y } = this.#point(event);
    if (Math.abs(this.#screen.view.scale - 1) < 1e-6) this.#screen.fit();
    else this.#screen.zoom(1, x, y);
  }
}
