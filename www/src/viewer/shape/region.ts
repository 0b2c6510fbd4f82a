// The crop box of a shape: seven handles that are buttons, one in the middle of each side and one to move the whole.

import { dragEdges, type Handle, isRegion, moveRegion, placeRegion, removeStep, stepEdges } from '../crop-model';
import type { CropBox, CropSession } from '../crop-session';
import type { PartitionGrid, Snap } from '../grid';
import { dragHandle } from '../handle-drag';
import type { Vector } from './camera';

export interface SpacePlace {
  /** A point in samples to CSS pixels of the layer; `null` where it is not in sight. */
  project(point: Vector): { x: number; y: number } | null;
  say(text: string): void;
}

type Axis = 0 | 1 | 2;
const NAMES = ['X', 'Y', 'Z'] as const;
const SIDES: readonly { readonly axis: Axis; readonly side: -1 | 0 | 1 }[] = [
  { axis: 0, side: -1 }, { axis: 0, side: 1 }, { axis: 1, side: -1 }, { axis: 1, side: 1 }, { axis: 2, side: -1 }, { axis: 2, side: 1 }, { axis: 0, side: 0 },
];

export class SpaceRegion {
  readonly #crop: CropSession;
  readonly #place: SpacePlace;
  readonly #buttons: HTMLButtonElement[];

  constructor(layer: HTMLElement, crop: CropSession, place: SpacePlace) {
    this.#crop = crop;
    this.#place = place;
    this.#buttons = SIDES.map(({ axis, side }) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = `handle ${side === 0 ? 'centre' : 'side'}`;
      button.part.add('handle');
      button.dataset['side'] = side === 0 ? 'move' : `${NAMES[axis]}${side < 0 ? '-' : '+'}`;
      button.hidden = true;
      button.addEventListener('keydown', (event) => this.#key(event, axis, side));
      button.addEventListener('pointerdown', (event) => this.#grab(event, button, axis, side));
      layer.append(button);
      return button;
    });
  }

  #key(event: KeyboardEvent, axis: Axis, side: -1 | 0 | 1): void {
    const crop = this.#crop;
    const grid = crop.grid;
    const state = crop.withRegion(crop.settled);
    if (!grid || event.altKey || event.ctrlKey || event.metaKey) return;
    const many = event.shiftKey ? 8 : 1;
    // A side moves along its own axis. The whole moves along x and y, and along z by Page Up and Down.
    const move = { ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], ArrowUp: [0, 1, 0], ArrowDown: [0, -1, 0], PageUp: [0, 0, 1], PageDown: [0, 0, -1] }[event.key];
    if (event.key === 'Delete' || event.key === 'Backspace') {
      crop.push(removeStep(state, state.active));
      this.#place.say('Region removed.');
    } else if (move && side === 0) {
      const [x = 0, y = 0, z = 0] = move.map((step) => step * many);
      crop.push(moveRegion(state, state.active, y, z, grid, x));
    } else if (move) {
      const step = move.reduce((sum, k) => sum + k, 0) * many;
      const [x, y, z] = [0, 1, 2].map((a) => (a === axis ? step : 0)) as [number, number, number];
      crop.push(stepEdges(state, state.active, handle(axis, side), y, z, grid, x));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #grab(event: PointerEvent, button: HTMLButtonElement, axis: Axis, side: -1 | 0 | 1): void {
    const crop = this.#crop;
    const grid = crop.grid;
    const state = crop.withRegion(crop.settled);
    const step = state.steps[state.active];
    if (!grid || event.button !== 0 || !isRegion(step)) return;
    const box = corners(step.box, grid);
    const start = side === 0 ? middle(box) : centre(box, axis, side);
    const begun = { x: event.clientX, y: event.clientY };
    const directions = ([0, 1, 2] as const).map((a) => this.#direction(start, a));
    const move = (e: PointerEvent) => {
      const [dx, dy] = [e.clientX - begun.x, e.clientY - begun.y];
      /** Samples along an axis for the pointer's way on the screen. */
      const along = (a: Axis) => {
        const { x, y } = directions[a] ?? { x: 0, y: 0 };
        return (dx * x + dy * y) / Math.max(1e-6, x * x + y * y);
      };
      if (side !== 0) {
        const to = (start[axis] as number) + along(axis);
        crop.draft(dragEdges(state, state.active, handle(axis, side), to, to, grid, to));
        return;
      }
      // The whole follows along the two axes that lie flattest on the screen.
      const flat = ([0, 1, 2] as const).toSorted((a, b) => size(directions[b]) - size(directions[a])).slice(0, 2) as [Axis, Axis];
      const [first, second] = solve(directions[flat[0]], directions[flat[1]], dx, dy);
      const by = [0, 0, 0];
      by[flat[0]] = first;
      by[flat[1]] = second;
      crop.draft(placeRegion(state, state.active, box.low[1] + (by[1] ?? 0), box.low[2] + (by[2] ?? 0), grid, box.low[0] + (by[0] ?? 0)));
    };
    dragHandle(event, button, crop, move);
  }

  /** How a sample along an axis looks on the screen at a point, in CSS pixels. */
  #direction(at: Vector, axis: Axis): { x: number; y: number } {
    const next = at.map((v, a) => (a === axis ? v + 1 : v)) as unknown as Vector;
    const [a, b] = [this.#place.project(at), this.#place.project(next)];
    return a && b ? { x: b.x - a.x, y: b.y - a.y } : { x: 0, y: 0 };
  }

  /** The active region with its grid; `null` while there is none. */
  #active(): { grid: PartitionGrid; box: CropBox; snap: Snap } | null {
    const crop = this.#crop;
    const { grid } = crop;
    const state = grid && crop.active ? crop.withRegion(crop.state) : null;
    const step = state?.steps[state.active];
    return grid && state && isRegion(step) ? { grid, box: step.box, snap: state.snap } : null;
  }

  /** The partitions of the active region, whether they are kept or not; none where there is no region. */
  partitions(): number[] {
    const active = this.#active();
    const part = active?.grid.snap(active.box, active.snap);
    return active && part ? active.grid.inside(part) : [];
  }

  layout(): void {
    const active = this.#active();
    if (!active) {
      for (const button of this.#buttons) button.hidden = true;
      return;
    }
    const { grid, box: asked, snap } = active;
    const snapped = grid.snap(asked, snap);
    const part = snapped ?? grid.snap(asked, 'outer');
    const box = corners(snapped ? grid.region(snapped) : asked, grid);
    const words = (axis: Axis) => {
      const [from, to, of] = [[part?.plane0, part?.plane1, grid.planes], [part?.row0, part?.row1, grid.rows], [part?.column0, part?.column1, grid.columns]][axis] ?? [];
      return `${NAMES[axis]} ${(from ?? 0) + 1} to ${to ?? of} of ${of}`;
    };
    const places = SIDES.map(({ axis, side }) => this.#place.project(side === 0 ? middle(box) : centre(box, axis, side)));
    spread(places.filter((at) => at !== null), matchMedia('(pointer: coarse)').matches ? 46 : 30);
    SIDES.forEach(({ axis, side }, i) => {
      const [button, at] = [this.#buttons[i], places[i] ?? null];
      if (!button) return;
      button.hidden = at === null;
      if (!at) return;
      button.style.setProperty('transform', `translate(${at.x}px, ${at.y}px)`);
      const label = side === 0 ? `Move region, ${([0, 1, 2] as const).map(words).join(', ')}` : `${side < 0 ? 'Low' : 'High'} side along ${NAMES[axis]}, ${words(axis)}`;
      if (button.getAttribute('aria-label') !== label) button.setAttribute('aria-label', label);
    });
  }

  focusFirst(): void {
    this.#buttons.find((button) => !button.hidden)?.focus();
  }

  /** Adds a box in the middle of another, and focuses it. */
  put(low: Vector, high: Vector): void {
    const third = (a: Axis): [number, number] => [low[a] + (high[a] - low[a]) / 3, high[a] - (high[a] - low[a]) / 3];
    const [[plane0, plane1], [row0, row1], [column0, column1]] = [third(0), third(1), third(2)];
    this.#crop.push(this.#crop.withBox({ plane0, plane1, row0, row1, column0, column1 }, this.#crop.mode));
    this.#buttons[6]?.focus();
  }
}

function handle(axis: Axis, side: -1 | 0 | 1): Handle {
  return { vertical: axis === 1 ? side : 0, horizontal: axis === 2 ? side : 0, deep: axis === 0 ? side : 0 };
}

/** A crop box as two corners, in sample edges. */
export function corners(box: CropBox, grid: PartitionGrid): { readonly low: Vector; readonly high: Vector } {
  return {
    low: [box.plane0 ?? 0, box.row0, box.column0],
    high: [box.plane1 ?? grid.planeEdges[grid.planes] ?? 0, box.row1, box.column1],
  };
}

function middle({ low, high }: { low: Vector; high: Vector }): Vector {
  return [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2];
}

function centre(box: { low: Vector; high: Vector }, axis: Axis, side: -1 | 0 | 1): Vector {
  return middle(box).map((v, a) => (a === axis ? (side < 0 ? box.low[axis] : box.high[axis]) : v)) as unknown as Vector;
}

/** Moves points apart until each pair is at least `distance` apart along one axis of the screen, so that squares of that
 * size around them do not overlap: handles of a small box must still be hit one by one. */
export function spread(points: { x: number; y: number }[], distance: number): void {
  for (let round = 0; round < 200; round++) {
    let moved = false;
    for (const [i, a] of points.entries()) {
      for (const [j, b] of points.entries()) {
        if (j <= i) continue;
        const [dx, dy] = [b.x - a.x, b.y - a.y];
        const apart = Math.max(Math.abs(dx), Math.abs(dy));
        if (apart >= distance - 0.01) continue;
        // Points in one place part in a direction of their own.
        const [ux, uy] = apart > 1e-6 ? [dx / apart, dy / apart] : [Math.cos(i + 2 * j), Math.sin(i + 2 * j)];
        const by = (distance - apart) / 2 + 0.01;
        Object.assign(a, { x: a.x - ux * by, y: a.y - uy * by });
        Object.assign(b, { x: b.x + ux * by, y: b.y + uy * by });
        moved = true;
      }
    }
    if (!moved) return;
  }
}

function size(direction: { x: number; y: number } | undefined): number {
  return direction ? Math.hypot(direction.x, direction.y) : 0;
}

/** Steps along two directions of the screen that lead to (`dx`, `dy`). */
function solve(a: { x: number; y: number } = { x: 1, y: 0 }, b: { x: number; y: number } = { x: 0, y: 1 }, dx: number, dy: number): [number, number] {
  const determinant = a.x * b.y - b.x * a.y;
  if (Math.abs(determinant) < 1e-6) return [0, 0];
  return [(dx * b.y - b.x * dy) / determinant, (a.x * dy - dx * a.y) / determinant];
}
