// The crop of the open file: its state, a state in the making, and the history. Every kind of signal has its own way to
// draw and drag a region; what a region means, undo and redo are the same for all.

import { append, type CropBox, type CropState, invert, isRegion, keepParts, keptPartitions, NO_CROP, type RegionKind, replaceWith } from './crop-model';
import type { PartitionGrid, Snap } from './grid';
import { History } from './history';

export type { CropBox } from './crop-model';

/** What the next drag does. */
export type DragMode = 'new' | RegionKind;

/** Arrow keys as partitions down and right. */
export const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
};

export class CropSession {
  readonly #changed: () => void;
  #grid: PartitionGrid | null = null;
  #present: Uint32Array = new Uint32Array();
  #history = new History<CropState>(NO_CROP);
  /** A state in the making, while a pointer is down. */
  #draft: CropState | null = null;
  #entry: CropState = NO_CROP;
  #active = false;
  mode: DragMode = 'new';

  /** `changed` is called after every change, also of a state in the making. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** The current state, with what is being dragged. */
  get state(): CropState {
    return this.#draft ?? this.#history.current;
  }
  /** The current state without what is being dragged. */
  get settled(): CropState {
    return this.#history.current;
  }
  get grid(): PartitionGrid | null {
    return this.#grid;
  }
  get kept(): Uint32Array {
    return this.#grid ? keptPartitions(this.state, this.#grid, this.#present) : this.#present;
  }
  get active(): boolean {
    return this.#active;
  }
  get canUndo(): boolean {
    return this.#history.canUndo;
  }
  get canRedo(): boolean {
    return this.#history.canRedo;
  }

  reset(grid: PartitionGrid | null, present: Uint32Array): void {
    this.#grid = grid;
    this.#present = present;
    this.#history = new History<CropState>(NO_CROP);
    this.#draft = null;
    this.mode = 'new';
    this.#changed();
  }

  enter(): void {
    this.#active = true;
    this.#entry = this.#history.current;
    if (this.#entry.applied) this.#history.push({ ...this.#entry, applied: false });
    this.#changed();
  }

  /** Leaves with everything as it is. */
  leave(): void {
    this.#active = false;
    this.#draft = null;
    this.#changed();
  }

  /** Leaves and goes back to the state at entry (Escape). Undo brings the abandoned crop back. */
  abandon(): void {
    this.#history.push(this.#entry);
    this.leave();
  }

  /** Hides what is dropped. */
  apply(): void {
    const state = this.#history.current;
    if (state.steps.length > 0 && this.kept.length > 0) this.#history.push({ ...state, applied: true });
    this.leave();
  }

  undo(): void {
    this.#history.undo();
    this.#changed();
  }
  redo(): void {
    this.#history.redo();
    this.#changed();
  }
  invert(): void {
    this.push(invert(this.#history.current));
  }
  clear(): void {
    this.push({ ...NO_CROP, snap: this.#history.current.snap });
  }
  setSnap(snap: Snap): void {
    if (snap !== this.#history.current.snap) this.push({ ...this.#history.current, snap });
  }
  keep(parts: readonly number[]): void {
    if (this.#grid) this.push(keepParts(this.#history.current, parts, this.#grid));
  }

  push(state: CropState): void {
    this.#history.push(state);
    this.#changed();
  }

  /** Shows a state in the making; `null` goes back to the current one. */
  draft(state: CropState | null): void {
    this.#draft = state;
    this.#changed();
  }

  /** Takes the state in the making, or drops it. */
  settle(keep: boolean): void {
    const draft = this.#draft;
    this.#draft = null;
    if (keep && draft) this.push(draft);
    else this.#changed();
  }

  /** The state that a region makes of the current one. A box without planes takes those of the region that it replaces:
   * whoever draws a rectangle over a frame has chosen the time before. */
  withBox(box: CropBox, mode: DragMode): CropState {
    const state = this.#history.current;
    if (mode !== 'new') return append(state, mode, box);
    const { plane0, plane1 } = this.box ?? {};
    return replaceWith(state, plane0 === undefined || plane1 === undefined ? box : { plane0, plane1, ...box });
  }

  /** The box of the region whose handles are shown. */
  get box(): CropBox | null {
    const step = this.#history.current.steps[this.#history.current.active];
    return isRegion(step) ? step.box : null;
  }

  /** The mode that the held keys ask for, else the chosen one. */
  modeOf(event: { readonly shiftKey: boolean; readonly ctrlKey: boolean; readonly metaKey: boolean }): DragMode {
    return event.shiftKey ? 'add' : event.ctrlKey || event.metaKey ? 'remove' : this.mode;
  }

  /** The current state; with nothing cropped yet, one whose region is the whole canvas, so that handles have a place. */
  withRegion(state: CropState): CropState {
    return state.steps.length > 0 || !this.#grid ? state : replaceWith(state, this.#grid.whole);
  }
}
