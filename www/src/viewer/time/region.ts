// A crop along time: drags on a time line, and three handles that are buttons: start, whole, end.
//
// The columns of a sound and the planes of a video are times; what a drag leaves of the other axes is up to the crop.

import { dragEdges, type Handle, isRegion, moveRegion, placeRegion, removeStep, stepEdges } from '../crop-model';
import type { CropBox, CropSession } from '../crop-session';
import type { PartitionGrid } from '../grid';
import { dragHandle } from '../handle-drag';
import type { Range } from './range';

export interface TimePlace {
  /** CSS pixels from the left edge of the layer, and back. */
  x(sample: number): number;
  sample(x: number): number;
  /** A time in words. */
  words(sample: number): string;
  say(text: string): void;
}

/** A drag on the time line. */
export interface TimeDrag {
  move(x: number): void;
  /** `moved` is false for a plain click or tap, which takes the partition under it. */
  end(x: number, moved: boolean): void;
  cancel(): void;
}

const SIDES = [
  { name: 'Start', side: -1 },
  { name: 'Move region', side: 0 },
  { name: 'End', side: 1 },
] as const;

export class TimeRegion {
  readonly #crop: CropSession;
  readonly #axis: 'columns' | 'planes';
  readonly #place: TimePlace;
  readonly #layer: HTMLElement;
  readonly #buttons: HTMLButtonElement[];

  constructor(layer: HTMLElement, crop: CropSession, axis: 'columns' | 'planes', place: TimePlace) {
    this.#layer = layer;
    this.#crop = crop;
    this.#axis = axis;
    this.#place = place;
    this.#buttons = SIDES.map(({ side }) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = `handle ${side === 0 ? 'centre' : 'edge'}`;
      button.part.add('handle');
      button.dataset['side'] = String(side);
      button.hidden = true;
      button.addEventListener('keydown', (event) => this.#key(event, side));
      button.addEventListener('pointerdown', (event) => this.#grab(event, button, side));
      layer.append(button);
      return button;
    });
  }

  #edges(grid: PartitionGrid): readonly number[] {
    return this.#axis === 'columns' ? grid.columnEdges : grid.planeEdges;
  }

  #range(box: CropBox, grid: PartitionGrid): Range {
    if (this.#axis === 'columns') return { start: box.column0, end: box.column1 };
    return { start: box.plane0 ?? 0, end: box.plane1 ?? grid.planeEdges[grid.planes] ?? 0 };
  }

  #handle(side: -1 | 0 | 1): Handle {
    return this.#axis === 'columns' ? { vertical: 0, horizontal: side } : { vertical: 0, horizontal: 0, deep: side };
  }

  /** A box of a time: of a video with the rectangle that was chosen before. */
  #box(range: Range, grid: PartitionGrid): CropBox {
    const other = this.#crop.mode === 'new' && this.#axis === 'planes' ? (this.#crop.box ?? grid.whole) : grid.whole;
    return this.#axis === 'columns' ? { ...other, column0: range.start, column1: range.end } : { ...other, plane0: range.start, plane1: range.end };
  }

  /** Draws a region from `x` on. */
  claim(event: PointerEvent, x: number): TimeDrag | null {
    const crop = this.#crop;
    const grid = crop.grid;
    if (!crop.active || !grid) return null;
    const mode = crop.modeOf(event);
    const from = this.#place.sample(x);
    const edges = this.#edges(grid);
    const boxTo = (to: number) => this.#box({ start: Math.min(from, to), end: Math.max(from, to) }, grid);
    return {
      move: (to) => crop.draft(crop.withBox(boxTo(this.#place.sample(to)), mode)),
      end: (to, moved) => {
        let box = boxTo(this.#place.sample(to));
        if (!moved) {
          const part = edges.findLastIndex((edge) => edge <= from);
          box = this.#box({ start: edges[part] ?? 0, end: edges[part + 1] ?? 0 }, grid);
        }
        crop.draft(grid.snap(box, 'outer') ? crop.withBox(box, mode) : null);
        crop.settle(true);
      },
      cancel: () => crop.settle(false),
    };
  }

  #key(event: KeyboardEvent, side: -1 | 0 | 1): void {
    const crop = this.#crop;
    const grid = crop.grid;
    const state = crop.withRegion(crop.settled);
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!grid || event.altKey || event.ctrlKey || event.metaKey) return;
    if (by !== undefined) {
      const many = by * (event.shiftKey ? 8 : 1);
      const [right, deeper] = this.#axis === 'columns' ? [many, 0] : [0, many];
      crop.push(side === 0 ? moveRegion(state, state.active, 0, right, grid, deeper) : stepEdges(state, state.active, this.#handle(side), 0, right, grid, deeper));
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      crop.push(removeStep(state, state.active));
      this.#place.say('Region removed.');
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #grab(event: PointerEvent, button: HTMLButtonElement, side: -1 | 0 | 1): void {
    const crop = this.#crop;
    const grid = crop.grid;
    const state = crop.withRegion(crop.settled);
    const step = state.steps[state.active];
    if (!grid || event.button !== 0 || !isRegion(step)) return;
    const { start, end } = this.#range(step.box, grid);
    const origin = this.#place.x(side > 0 ? end : start) - event.clientX;
    const move = (e: PointerEvent) => {
      const to = this.#place.sample(e.clientX + origin);
      const [column, plane] = this.#axis === 'columns' ? [to, undefined] : [step.box.column0, to];
      crop.draft(side === 0
        ? placeRegion(state, state.active, step.box.row0, column, grid, plane)
        : dragEdges(state, state.active, this.#handle(side), step.box.row0, column, grid, plane));
    };
    dragHandle(event, button, crop, move);
  }

  /** Puts the handles at the region, at `y` CSS pixels from the top of the layer. */
  layout(y: number): void {
    const crop = this.#crop;
    const grid = crop.grid;
    const state = grid && crop.active ? crop.withRegion(crop.state) : null;
    const step = state?.steps[state.active];
    const box = grid && state && isRegion(step) ? step.box : null;
    if (!grid || !state || !box) {
      for (const button of this.#buttons) button.hidden = true;
      return;
    }
    const snapped = grid.snap(box, state.snap);
    const { start, end } = this.#range(snapped ? grid.region(snapped) : box, grid);
    const [x0, x1] = [this.#place.x(start), this.#place.x(end)];
    const { clientWidth, clientHeight } = this.#layer;
    const places = handlePlaces(x0, x1, y, clientWidth, clientHeight);
    SIDES.forEach(({ name, side }, i) => {
      const [button, at] = [this.#buttons[i], places[i]];
      if (!button || !at) return;
      button.hidden = false;
      button.style.setProperty('transform', `translate(${at.x}px, ${at.y}px)`);
      const label = side === 0 ? `${name}, ${this.#place.words(start)} to ${this.#place.words(end)}` : `${name}, ${this.#place.words(side < 0 ? start : end)}`;
      if (button.getAttribute('aria-label') !== label) button.setAttribute('aria-label', label);
    });
  }

  /** Adds a region in the middle of a stretch that is seen, and focuses it. */
  put(seen: Range): void {
    const grid = this.#crop.grid;
    if (!grid) return;
    const third = (seen.end - seen.start) / 3;
    this.#crop.push(this.#crop.withBox(this.#box({ start: seen.start + third, end: seen.end - third }, grid), this.#crop.mode));
    this.#buttons[1]?.focus();
  }

  focusFirst(): void {
    this.#buttons.find((button) => !button.hidden)?.focus();
  }
}

/** Half of what a handle takes on the screen, in CSS pixels. */
const HALF = 14;

/**
 * Where the handles of a region from `x0` to `x1` go: start, middle, end, wholly within the layer. In a short region they
 * stand one below the other, and in a layer too low for that side by side.
 */
export function handlePlaces(x0: number, x1: number, y: number, width: number, height: number): readonly { readonly x: number; readonly y: number }[] {
  const [tight, short] = [x1 - x0 < 48, x1 - x0 < 96];
  const within = (x: number) => Math.min(Math.max(x, HALF), Math.max(width - HALF, HALF));
  const middle = (x0 + x1) / 2;
  if (!short || y + 72 + HALF <= height) {
    const [down, up] = [tight ? 72 : short ? 48 : 0, tight ? 24 : 0];
    return [{ x: within(x0), y: y - up }, { x: within(middle), y: y + down }, { x: within(x1), y: y + up }];
  }
  // Three handles and the gaps between them, moved into the layer as one.
  const gap = 2 * HALF + 2;
  const start = Math.min(Math.max(Math.min(x0, middle - gap / 2), HALF), width - HALF - 2 * gap);
  const end = Math.max(within(x1), start + gap);
  return end + gap <= width - HALF ? [{ x: start, y }, { x: end + gap, y }, { x: end, y }] : [{ x: start, y }, { x: start - gap, y }, { x: end, y }];
}
