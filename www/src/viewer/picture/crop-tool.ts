// The crop tool of the picture: drags on the stage, and nine handles that are buttons.
//
// Handles are real buttons in the page, not shapes on a canvas: they get focus, names and target sizes from the browser.

import { type CropState, dragEdges, type Handle, isRegion, moveRegion, placeRegion, removeStep, stepEdges } from '../crop-model';
import { ARROWS, type CropSession } from '../crop-session';
import { dragHandle } from '../handle-drag';
import type { Drag, StagePoint } from './gestures';
import type { PartitionGrid } from '../grid';
import { pictureRectangle } from './layers';
import type { Screen } from './screen';
import { type Region, toPicture, visibleRegion } from './transform';

export interface CropHooks {
  /** A rectangle follows the pointer. */
  draft(region: Region | null): void;
  /** Words for a screen reader. */
  say(text: string): void;
}

const HANDLES: readonly (Handle & { readonly name: string })[] = [
  { name: 'Top left corner', vertical: -1, horizontal: -1 },
  { name: 'Top edge', vertical: -1, horizontal: 0 },
  { name: 'Top right corner', vertical: -1, horizontal: 1 },
  { name: 'Left edge', vertical: 0, horizontal: -1 },
  { name: 'Move', vertical: 0, horizontal: 0 },
  { name: 'Right edge', vertical: 0, horizontal: 1 },
  { name: 'Bottom left corner', vertical: 1, horizontal: -1 },
  { name: 'Bottom edge', vertical: 1, horizontal: 0 },
  { name: 'Bottom right corner', vertical: 1, horizontal: 1 },
];

export class CropTool {
  readonly #screen: Screen;
  readonly #layer: HTMLElement;
  readonly #crop: CropSession;
  readonly #hooks: CropHooks;
  readonly #buttons: HTMLButtonElement[];
  #chips: HTMLButtonElement[] = [];

  constructor(screen: Screen, layer: HTMLElement, crop: CropSession, hooks: CropHooks) {
    this.#screen = screen;
    this.#layer = layer;
    this.#crop = crop;
    this.#hooks = hooks;
    this.#buttons = HANDLES.map((handle) => this.#button(handle));
  }

  /** Adds a region in the middle of what is seen and puts the focus on it: the way without a drag. */
  place(): void {
    const size = this.#screen.size;
    const seen = size && visibleRegion(this.#screen.view, this.#screen.viewport, size);
    if (!seen) return;
    const box = {
      row0: seen.row0 + (seen.row1 - seen.row0) / 3, row1: seen.row1 - (seen.row1 - seen.row0) / 3,
      column0: seen.column0 + (seen.column1 - seen.column0) / 3, column1: seen.column1 - (seen.column1 - seen.column0) / 3,
    };
    this.#crop.push(this.#crop.withBox(box, this.#crop.mode));
    this.#buttons[4]?.focus();
  }

  /** A drag on the stage draws a rectangle; a plain click takes the partition under it. */
  claim(start: StagePoint): Drag | null {
    const crop = this.#crop;
    const grid = crop.grid;
    if (!crop.active || !grid || !this.#screen.size) return null;
    const mode = crop.modeOf(start.event);
    const from = toPicture(this.#screen.view, start.x, start.y);
    const boxTo = (p: StagePoint): Region => {
      const to = toPicture(this.#screen.view, p.x, p.y);
      return {
        row0: Math.min(from.row, to.row), row1: Math.max(from.row, to.row),
        column0: Math.min(from.column, to.column), column1: Math.max(from.column, to.column),
      };
    };
    const preview = (box: Region) => {
      this.#hooks.draft(box);
      crop.draft(crop.withBox(box, mode));
    };
    return {
      move: (p) => preview(boxTo(p)),
      end: (p, moved) => {
        this.#hooks.draft(null);
        const { row0, row1, column0, column1 } = grid.partition(grid.at(from.row, from.column));
        const box = moved ? boxTo(p) : { row0, row1, column0, column1 };
        const size = this.#screen.size;
        const inside = size && (moved || (from.row >= 0 && from.column >= 0 && from.row < size.height && from.column < size.width));
        crop.draft(inside && grid.snap(box, 'outer') ? crop.withBox(box, mode) : null);
        crop.settle(true);
      },
      cancel: () => {
        this.#hooks.draft(null);
        crop.settle(false);
      },
    };
  }

  #button(handle: Handle & { readonly name: string }): HTMLButtonElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = `handle ${handle.vertical === 0 && handle.horizontal === 0 ? 'centre' : ''}`;
    button.part.add('handle');
    button.dataset['handle'] = `${handle.vertical},${handle.horizontal}`;
    button.hidden = true;
    this.#layer.append(button);
    button.addEventListener('keydown', (event) => this.#key(event, handle));
    button.addEventListener('pointerdown', (event) => this.#grab(event, button, handle));
    return button;
  }

  #key(event: KeyboardEvent, handle: Handle): void {
    const arrow = ARROWS[event.key];
    const crop = this.#crop;
    const grid = crop.grid;
    const state = crop.withRegion(crop.settled);
    if (!grid || event.altKey || event.ctrlKey || event.metaKey) return;
    if (arrow) {
      const many = event.shiftKey ? 8 : 1;
      const [down, right] = [arrow[0] * many, arrow[1] * many];
      const centre = handle.vertical === 0 && handle.horizontal === 0;
      crop.push(centre ? moveRegion(state, state.active, down, right, grid) : stepEdges(state, state.active, handle, down, right, grid));
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      crop.push(removeStep(state, state.active));
      this.#hooks.say('Region removed.');
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #grab(event: PointerEvent, button: HTMLButtonElement, handle: Handle): void {
    const crop = this.#crop;
    const grid = crop.grid;
    if (!grid || event.button !== 0) return;
    const state = crop.withRegion(crop.settled);
    const step = state.steps[state.active];
    if (!isRegion(step)) return;
    const centre = handle.vertical === 0 && handle.horizontal === 0;
    const box = step.box;
    const ratio = this.#screen.ratio / this.#screen.view.scale;
    const start = { x: event.clientX, y: event.clientY };
    const move = (e: PointerEvent) => {
      const down = (e.clientY - start.y) * ratio;
      const right = (e.clientX - start.x) * ratio;
      crop.draft(centre
        ? placeRegion(state, state.active, box.row0 + down, box.column0 + right, grid)
        : dragEdges(state, state.active, handle, (handle.vertical < 0 ? box.row0 : box.row1) + down, (handle.horizontal < 0 ? box.column0 : box.column1) + right, grid));
    };
    dragHandle(event, button, crop, move);
  }

  /** Puts the handles where the region is. */
  layout(): void {
    const size = this.#screen.size;
    const grid = this.#crop.grid;
    const shown = this.#crop.active && size && grid;
    const state = this.#crop.withRegion(this.#crop.state);
    const step = state.steps[state.active];
    const region = shown && isRegion(step) ? grid.snap(step.box, state.snap) : null;
    const box = shown && isRegion(step) ? (region ? grid.region(region) : step.box) : null;
    if (!box || !size || !grid) {
      for (const button of this.#buttons) button.hidden = true;
    } else {
      const place = pictureRectangle(this.#screen.view, size);
      const ratio = this.#screen.ratio;
      const x = (column: number) => (place.x + (column * place.width) / size.width) / ratio;
      const y = (row: number) => (place.y + (row * place.height) / size.height) / ratio;
      const tight = { x: x(box.column1) - x(box.column0) < 84, y: y(box.row1) - y(box.row0) < 84 };
      const room = matchMedia('(pointer: coarse)').matches ? 48 : 32;
      const part = region ?? grid.snap(step && isRegion(step) ? step.box : box, 'outer');
      this.#buttons.forEach((button, i) => {
        const h = HANDLES[i];
        if (!h) return;
        const centre = h.vertical === 0 && h.horizontal === 0;
        // In a small region the corners stay, and the middle moves out of their way.
        button.hidden = !centre && ((h.vertical === 0 && tight.y) || (h.horizontal === 0 && tight.x));
        const left = h.horizontal < 0 ? x(box.column0) : h.horizontal > 0 ? x(box.column1) : (x(box.column0) + x(box.column1)) / 2;
        const top = h.vertical < 0 ? y(box.row0) : h.vertical > 0 ? y(box.row1) : (y(box.row0) + y(box.row1)) / 2;
        const away = centre && (tight.x || tight.y) ? (y(box.row1) - y(box.row0)) / 2 + room : 0;
        button.style.setProperty('transform', `translate(${left}px, ${top + away}px)`);
        button.setAttribute('aria-label', part ? describe(h, part, grid) : h.name);
      });
    }
    this.#layoutChips(shown ? state : null);
  }

  /** A small numbered button at every other region, to choose it. */
  #layoutChips(state: CropState | null): void {
    const size = this.#screen.size;
    const crop = this.#crop;
    const grid = crop.grid;
    const regions = state && grid && size ? state.steps.flatMap((step, index) => (isRegion(step) && index !== state.active ? [{ index, step }] : [])) : [];
    while (this.#chips.length > regions.length) this.#chips.pop()?.remove();
    while (this.#chips.length < regions.length) {
      const chip = document.createElement('button');
      chip.type = 'button';
      chip.className = 'chip';
      chip.addEventListener('click', () => {
        crop.push({ ...crop.settled, active: Number(chip.dataset['index']) });
        this.#buttons[4]?.focus();
      });
      this.#layer.append(chip);
      this.#chips.push(chip);
    }
    regions.forEach(({ index, step }, i) => {
      const chip = this.#chips[i];
      if (!chip || !size || !grid || !state) return;
      const place = pictureRectangle(this.#screen.view, size);
      const r = grid.snap(step.box, state.snap);
      const box = r ? grid.region(r) : step.box;
      const left = (place.x + (box.column0 * place.width) / size.width) / this.#screen.ratio;
      const top = (place.y + (box.row0 * place.height) / size.height) / this.#screen.ratio;
      chip.dataset['index'] = String(index);
      chip.textContent = `${step.op === 'add' ? '+' : '−'}${index + 1}`;
      chip.setAttribute('aria-label', `Choose region ${index + 1} of ${state.steps.length}, ${step.op === 'add' ? 'added' : 'taken out'}`);
      chip.style.setProperty('transform', `translate(${left}px, ${top}px)`);
    });
  }

  focusFirst(): void {
    this.#buttons.find((button) => !button.hidden)?.focus();
  }
}

function describe(h: Handle & { readonly name: string }, r: { row0: number; row1: number; column0: number; column1: number }, grid: PartitionGrid): string {
  const rows = `rows ${r.row0 + 1} to ${r.row1} of ${grid.rows}`;
  const columns = `columns ${r.column0 + 1} to ${r.column1} of ${grid.columns}`;
  if (h.vertical === 0 && h.horizontal === 0) return `Move region, ${rows}, ${columns}`;
  return `${h.name}, ${[h.vertical === 0 ? '' : rows, h.horizontal === 0 ? '' : columns].filter(Boolean).join(', ')}`;
}
