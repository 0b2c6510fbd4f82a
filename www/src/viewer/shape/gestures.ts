// Pointers on a shape: a drag turns it, with Shift or the other buttons it moves it; wheel and pinch zoom.

import type { Camera } from './camera';

export interface OrbitHooks {
  moved(): void;
  /** A click or tap, in CSS pixels of the stage. */
  tap(event: PointerEvent, x: number, y: number): void;
}

const SLOP = 4;
/** Half a turn for a drag over the height of the stage. */
const TURN = Math.PI;

export class OrbitGestures {
  readonly #stage: HTMLElement;
  readonly #camera: Camera;
  readonly #hooks: OrbitHooks;
  readonly #pointers = new Map<number, { x: number; y: number }>();
  #start = { x: 0, y: 0 };
  #moved = false;
  #pans = false;

  constructor(stage: HTMLElement, camera: Camera, hooks: OrbitHooks) {
    this.#stage = stage;
    this.#camera = camera;
    this.#hooks = hooks;
    stage.addEventListener('pointerdown', (event) => this.#down(event));
    stage.addEventListener('pointermove', (event) => this.#move(event));
    stage.addEventListener('pointerup', (event) => this.#up(event));
    stage.addEventListener('pointercancel', (event) => {
      this.#pointers.delete(event.pointerId);
      this.cancel();
    });
    stage.addEventListener('contextmenu', (event) => event.preventDefault());
    stage.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
  }

  /** A turn or move stays as it is; there is nothing to take back. */
  cancel(): boolean {
    const had = this.#pointers.size > 0;
    this.#pointers.clear();
    this.#stage.classList.remove('panning');
    return had;
  }

  #at(event: MouseEvent): { x: number; y: number } {
    const box = this.#stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #down(event: PointerEvent): void {
    if (event.target !== this.#stage) return;
    this.#stage.setPointerCapture(event.pointerId);
    const at = this.#at(event);
    this.#pointers.set(event.pointerId, at);
    if (this.#pointers.size > 1) {
      this.#moved = true;
      return;
    }
    this.#start = at;
    this.#moved = false;
    this.#pans = event.button !== 0;
    this.#stage.classList.add('panning');
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const at = this.#at(event);
    const height = Math.max(1, this.#stage.clientHeight);
    this.#moved ||= Math.hypot(at.x - this.#start.x, at.y - this.#start.y) > SLOP;
    if (!this.#moved) return;
    const [dx, dy] = [(at.x - before.x) / height, (at.y - before.y) / height];
    if (this.#pointers.size === 2) {
      const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1] ?? at;
      const distance = (p: { x: number; y: number }) => Math.max(16, Math.hypot(p.x - other.x, p.y - other.y));
      this.#camera.zoom(distance(at) / distance(before));
      this.#camera.pan(dx / 2, -dy / 2);
    } else if (this.#pans || event.shiftKey) {
      this.#camera.pan(dx, -dy);
    } else {
      this.#camera.orbit(-dx * TURN, dy * TURN);
    }
    this.#pointers.set(event.pointerId, at);
    this.#hooks.moved();
  }

  #up(event: PointerEvent): void {
    if (!this.#pointers.delete(event.pointerId)) return;
    this.#stage.classList.remove('panning');
    const { x, y } = this.#at(event);
    if (!this.#moved && event.button === 0) this.#hooks.tap(event, x, y);
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 24 : event.deltaMode === WheelEvent.DOM_DELTA_PAGE ? 400 : 1;
    const step = Math.max(-300, Math.min(300, event.deltaY * unit));
    this.#camera.zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0018)));
    this.#hooks.moved();
  }
}
