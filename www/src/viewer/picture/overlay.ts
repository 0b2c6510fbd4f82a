// What is drawn over the picture: the partition grid, what a crop drops, region outlines, the quality tint, the cursor.

import { colourOf } from '../colours';
import { keptPartitions, type CropState, isRegion } from '../crop-model';
import { locate, type PartitionGrid } from '../grid';
import { pictureRectangle } from './layers';
import type { Screen } from './screen';
import { type Region, visibleRegion } from './transform';

/** Time of a fade in milliseconds. */
const FADE_MS = 160;
/** Partitions smaller than this many device pixels get no lines: they would be a grey veil. */
const SMALLEST_CELL = 5;

export interface OverlayColours {
  readonly accent: string;
  readonly ground: string;
  readonly line: string;
}

export class Overlay {
  readonly #screen: Screen;
  #grid: PartitionGrid | null = null;
  #kept = new Uint8Array();
  #present = new Uint8Array();
  /** How far each partition is faded out, 0 to 1, and how visible the grid is. */
  #faded = new Float32Array();
  #gridAlpha = 0;
  #last = 0;
  #hidden = 0;
  colours: OverlayColours = { accent: '#a83f0b', ground: '#fff', line: '#888' };
  /** The grid is shown (crop, inspect). */
  showGrid = false;
  /** Regions are outlined (crop). */
  crop: CropState | null = null;
  /** PSNR of each partition in dB, to tint them. */
  tint: Float32Array | null = null;
  /** The partition under the pointer or the keyboard cursor. */
  cursor: number | null = null;
  /** The frame of a video that is on the screen. */
  plane = 0;
  /** A rectangle being dragged, in samples. */
  draft: Region | null = null;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** Takes the colours from the style sheet, through an element that has them. */
  readColours(frame: HTMLElement): void {
    const probe = (property: string) => colourOf(frame, property);
    this.colours = { accent: probe('--_accent'), ground: probe('--_ground'), line: probe('--_line') };
  }

  setGrid(grid: PartitionGrid | null, present: Uint32Array): void {
    this.#grid = grid;
    const count = grid?.count ?? 0;
    this.#kept = new Uint8Array(count).fill(1);
    this.#present = new Uint8Array(count);
    for (const part of present) this.#present[part] = 1;
    this.#faded = new Float32Array(count);
    this.#gridAlpha = 0;
    this.tint = null;
    this.cursor = null;
    this.plane = 0;
    this.draft = null;
    this.crop = null;
  }

  /** What a crop keeps, and whether the rest is hidden or only dimmed. */
  setKept(state: CropState, present: Uint32Array): void {
    if (!this.#grid) return;
    this.#kept.fill(0);
    for (const part of keptPartitions(state, this.#grid, present)) this.#kept[part] = 1;
    this.#hidden = state.applied ? 1 : 0;
    this.#screen.invalidate();
  }

  draw(context: CanvasRenderingContext2D): void {
    const grid = this.#grid;
    const size = this.#screen.size;
    if (!grid || !size) return;
    const visible = visibleRegion(this.#screen.view, this.#screen.viewport, size);
    if (!visible) return;
    const moving = this.#animate();
    const place = pictureRectangle(this.#screen.view, size);
    const xs = grid.columnEdges.map((edge) => place.x + Math.round((edge * place.width) / size.width));
    const ys = grid.rowEdges.map((edge) => place.y + Math.round((edge * place.height) / size.height));
    const cells: Cells = {
      grid, xs, ys,
      first: locate(grid.planeEdges, this.plane) * grid.rows * grid.columns,
      row0: locate(grid.rowEdges, visible.row0),
      row1: locate(grid.rowEdges, visible.row1 - 1e-6) + 1,
      column0: locate(grid.columnEdges, visible.column0),
      column1: locate(grid.columnEdges, visible.column1 - 1e-6) + 1,
    };
    if (this.tint) this.#drawTint(context, cells, this.tint);
    this.#drawFaded(context, cells);
    this.#drawGrid(context, cells, place);
    if (this.crop && !this.crop.applied) this.#drawRegions(context, cells, this.crop);
    if (this.draft) this.#drawDraft(context, this.draft);
    if (this.cursor !== null) this.#drawCursor(context, cells, this.cursor);
    if (moving) this.#screen.invalidate();
  }

  /** Moves every fade a step towards its goal; `true` while some have not arrived. */
  #animate(): boolean {
    const now = performance.now();
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const step = still ? 1 : Math.min(1, Math.max(0.05, (now - this.#last) / FADE_MS));
    this.#last = now;
    let moving = false;
    const approach = (value: number, goal: number) => {
      if (value === goal) return value;
      const next = value < goal ? Math.min(goal, value + step) : Math.max(goal, value - step);
      moving ||= next !== goal;
      return next;
    };
    const dim = this.#hidden ? 1 : 0.78;
    for (let i = 0; i < this.#faded.length; i++) {
      this.#faded[i] = approach(this.#faded[i] ?? 0, this.#kept[i] || !this.#present[i] ? 0 : dim);
      // 32-bit storage never meets 0.78 exactly.
      if (Math.abs((this.#faded[i] ?? 0) - dim) < 1e-3 && !this.#kept[i]) this.#faded[i] = dim;
    }
    this.#gridAlpha = approach(this.#gridAlpha, this.showGrid ? 1 : 0);
    return moving;
  }

  #drawFaded(context: CanvasRenderingContext2D, { grid, first, xs, ys, row0, row1, column0, column1 }: Cells): void {
    context.fillStyle = this.colours.ground;
    for (let row = row0; row < row1; row++) {
      for (let column = column0; column < column1; ) {
        const alpha = this.#faded[first + row * grid.columns + column] ?? 0;
        let end = column + 1;
        while (end < column1 && this.#faded[first + row * grid.columns + end] === alpha) end += 1;
        if (alpha > 0) {
          context.globalAlpha = Math.min(1, alpha);
          fillCell(context, xs[column], ys[row], xs[end], ys[row + 1]);
        }
        column = end;
      }
    }
    context.globalAlpha = 1;
  }

  #drawTint(context: CanvasRenderingContext2D, { grid, xs, ys, row0, row1, column0, column1 }: Cells, tint: Float32Array): void {
    context.globalAlpha = 0.55;
    for (let row = row0; row < row1; row++) {
      for (let column = column0; column < column1; column++) {
        const value = tint[row * grid.columns + column] ?? NaN;
        if (Number.isNaN(value)) continue;
        context.fillStyle = qualityColour(value);
        fillCell(context, xs[column], ys[row], xs[column + 1], ys[row + 1]);
      }
    }
    context.globalAlpha = 1;
  }

  #drawGrid(context: CanvasRenderingContext2D, { grid, first, xs, ys, row0, row1, column0, column1 }: Cells, place: { width: number; height: number }): void {
    if (this.#gridAlpha === 0) return;
    const small = place.width / grid.columns < SMALLEST_CELL || place.height / grid.rows < SMALLEST_CELL;
    const width = Math.max(1, Math.round(this.#screen.ratio));
    const left = xs[column0] ?? 0, right = xs[column1] ?? 0, top = ys[row0] ?? 0, bottom = ys[row1] ?? 0;
    if (!small) {
      // Two tones, so that the lines show on any picture.
      for (const [colour, offset] of [['rgb(0 0 0 / 0.28)', 0], ['rgb(255 255 255 / 0.34)', width]] as const) {
        context.globalAlpha = this.#gridAlpha;
        context.fillStyle = colour;
        for (let c = column0; c <= column1; c++) context.fillRect((xs[c] ?? 0) + offset - width, top, width, bottom - top);
        for (let r = row0; r <= row1; r++) context.fillRect(left, (ys[r] ?? 0) + offset - width, right - left, width);
      }
    }
    // The border between what is kept and what is dropped, in the accent colour.
    context.globalAlpha = this.#gridAlpha;
    context.fillStyle = this.colours.accent;
    const kept = (row: number, column: number) =>
      row >= 0 && column >= 0 && row < grid.rows && column < grid.columns && this.#kept[first + row * grid.columns + column] === 1;
    const thick = 2 * width;
    const whole = this.#kept.every((v) => v === 1);
    for (let row = row0; row < row1 && !whole; row++) {
      for (let column = column0; column < column1; column++) {
        if (!kept(row, column)) continue;
        const x0 = xs[column] ?? 0, x1 = xs[column + 1] ?? 0, y0 = ys[row] ?? 0, y1 = ys[row + 1] ?? 0;
        if (!kept(row - 1, column)) context.fillRect(x0 - width, y0 - width, x1 - x0 + thick, thick);
        if (!kept(row + 1, column)) context.fillRect(x0 - width, y1 - width, x1 - x0 + thick, thick);
        if (!kept(row, column - 1)) context.fillRect(x0 - width, y0 - width, thick, y1 - y0 + thick);
        if (!kept(row, column + 1)) context.fillRect(x1 - width, y0 - width, thick, y1 - y0 + thick);
      }
    }
    context.globalAlpha = 1;
  }

  #drawRegions(context: CanvasRenderingContext2D, cells: Cells, state: CropState): void {
    const unit = this.#screen.ratio;
    state.steps.forEach((step, index) => {
      const r = isRegion(step) ? cells.grid.snap(step.box, state.snap) : null;
      if (!r || index === state.active) return;
      const x = cells.xs[r.column0] ?? 0, y = cells.ys[r.row0] ?? 0;
      context.strokeStyle = this.colours.accent;
      context.lineWidth = unit;
      context.setLineDash([4 * unit, 4 * unit]);
      context.strokeRect(x + 0.5, y + 0.5, (cells.xs[r.column1] ?? 0) - x - 1, (cells.ys[r.row1] ?? 0) - y - 1);
      context.setLineDash([]);
    });
  }

  #drawDraft(context: CanvasRenderingContext2D, draft: Region): void {
    const { scale, x, y } = this.#screen.view;
    context.setLineDash([5 * this.#screen.ratio, 4 * this.#screen.ratio]);
    context.lineWidth = this.#screen.ratio;
    for (const [colour, dash] of [['rgb(0 0 0 / 0.7)', 0], ['rgb(255 255 255 / 0.9)', 5 * this.#screen.ratio]] as const) {
      context.strokeStyle = colour;
      context.lineDashOffset = dash;
      context.strokeRect(x + draft.column0 * scale, y + draft.row0 * scale, (draft.column1 - draft.column0) * scale, (draft.row1 - draft.row0) * scale);
    }
    context.setLineDash([]);
  }

  #drawCursor(context: CanvasRenderingContext2D, { grid, xs, ys }: Cells, part: number): void {
    const { row, column } = grid.place(part);
    const x = xs[column] ?? 0, y = ys[row] ?? 0;
    const width = Math.max(2, Math.round(2 * this.#screen.ratio));
    for (const [colour, inset] of [['rgb(0 0 0 / 0.6)', -width], [this.colours.accent, 0]] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(x + inset, y + inset, (xs[column + 1] ?? 0) - x - 2 * inset, (ys[row + 1] ?? 0) - y - 2 * inset);
    }
  }
}

interface Cells {
  readonly grid: PartitionGrid;
  /** The first partition of the plane that is shown. */
  readonly first: number;
  readonly xs: readonly number[];
  readonly ys: readonly number[];
  readonly row0: number;
  readonly row1: number;
  readonly column0: number;
  readonly column1: number;
}

function fillCell(context: CanvasRenderingContext2D, x0 = 0, y0 = 0, x1 = 0, y1 = 0): void {
  context.fillRect(x0, y0, x1 - x0, y1 - y0);
}

/** Ends of the tint's scale in dB. */
export const TINT_FROM_DB = 20;
export const TINT_TO_DB = 40;

/** Dark violet for 20 dB over green to bright yellow for 40 dB: ordered by brightness, so it also reads without colour. */
export function qualityColour(decibels: number): string {
  const stops = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]] as const;
  const t = Math.min(1, Math.max(0, (decibels - TINT_FROM_DB) / (TINT_TO_DB - TINT_FROM_DB))) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(Number.isFinite(t) ? t : stops.length - 1));
  const [a, b] = [stops[i] ?? stops[0], stops[i + 1] ?? stops[0]];
  const mix = (k: 0 | 1 | 2) => Math.round(a[k] + (b[k] - a[k]) * (t - i));
  return `rgb(${mix(0)} ${mix(1)} ${mix(2)})`;
}
