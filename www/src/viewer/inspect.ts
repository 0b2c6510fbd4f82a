// Inspecting: what one partition is, under the pointer or under a cursor that the arrow keys move.

import { ARROWS } from './crop-tool';
import type { TesseraViewer } from './element';
import type { Drag, StagePoint } from './gestures';
import { bytes, decibels, exactBytes } from './text';
import { toPicture } from './transform';

export interface Inspected {
  readonly part: number;
  readonly text: string;
  /** Where to show it, in CSS pixels of the stage. */
  readonly x: number;
  readonly y: number;
}

export class InspectTool {
  readonly #viewer: TesseraViewer;
  #active = false;
  inspected: Inspected | null = null;
  /** Called whenever another partition is inspected; `spoken` by the keyboard. */
  changed: (spoken: boolean) => void = () => undefined;

  constructor(viewer: TesseraViewer) {
    this.#viewer = viewer;
  }

  setActive(active: boolean): void {
    this.#active = active;
    this.#set(null, false);
  }

  hover(point: StagePoint | null): void {
    const grid = this.#viewer.grid;
    const size = this.#viewer.screen.size;
    const shows = this.#active || this.#viewer.mode === 'crop';
    if (!shows || !grid || !size) return;
    const at = point && toPicture(this.#viewer.screen.view, point.x, point.y);
    const inside = at && at.row >= 0 && at.column >= 0 && at.row < size.height && at.column < size.width;
    this.#set(inside ? grid.at(at.row, at.column) : null, false);
  }

  /** A tap shows what a hover shows. */
  claim(start: StagePoint): Drag | null {
    if (!this.#active || start.event.pointerType === 'mouse') return null;
    let last = start;
    const screen = this.#viewer.screen;
    return {
      move: (p) => {
        screen.pan(p.x - last.x, p.y - last.y);
        last = p;
      },
      end: (p, moved) => {
        if (!moved) this.hover(p);
      },
      cancel: () => undefined,
    };
  }

  /** Moves the cursor; `true` where the key was one of ours. */
  key(event: KeyboardEvent): boolean {
    const arrow = ARROWS[event.key];
    const grid = this.#viewer.grid;
    if (!this.#active || !arrow || !grid || event.ctrlKey || event.altKey || event.metaKey) return false;
    const many = event.shiftKey ? 8 : 1;
    const { screen } = this.#viewer;
    const middle = toPicture(screen.view, screen.viewport.width / 2, screen.viewport.height / 2);
    const from = this.#viewer.overlay.cursor ?? grid.at(middle.row, middle.column);
    const moves = this.#viewer.overlay.cursor !== null;
    const row = Math.min(grid.rows - 1, Math.max(0, Math.floor(from / grid.columns) + (moves ? arrow[0] * many : 0)));
    const column = Math.min(grid.columns - 1, Math.max(0, (from % grid.columns) + (moves ? arrow[1] * many : 0)));
    this.#set(row * grid.columns + column, true);
    return true;
  }

  #set(part: number | null, spoken: boolean): void {
    const { overlay, screen, grid } = this.#viewer;
    if (overlay.cursor === part && this.inspected?.part === (part ?? undefined)) return;
    overlay.cursor = part;
    this.inspected = null;
    if (part !== null && grid && this.#active) {
      const box = grid.partition(part);
      const { view, ratio } = screen;
      this.inspected = {
        part,
        text: this.#describe(part),
        x: (view.x + box.column1 * view.scale) / ratio,
        y: (view.y + box.row0 * view.scale) / ratio,
      };
    }
    this.changed(spoken);
    screen.invalidate();
  }

  #describe(part: number): string {
    const { grid, file, compareTool } = this.#viewer;
    if (!grid || !file) return '';
    const box = grid.partition(part);
    const row = Math.floor(part / grid.columns);
    const name = `Part ${part} [${row},${part % grid.columns}]`;
    const place = `${box.column1 - box.column0}x${box.row1 - box.row0}+${box.column0}+${box.row0}`;
    const index = file.present.indexOf(part);
    if (index < 0) return `${name}\n${place}\nnot in this file`;
    const size = file.chunkBytes[index] ?? 0;
    const samples = (box.column1 - box.column0) * (box.row1 - box.row0);
    const lines = [name, place, `${size < 1000 ? bytes(size) : `${bytes(size)} (${exactBytes(size)})`}, ${((size * 8) / samples).toFixed(2)} bits per pixel`];
    const psnr = compareTool.result?.partitions[part];
    if (psnr !== undefined && !Number.isNaN(psnr)) lines.push(`PSNR ${decibels(psnr)}`);
    return lines.join('\n');
  }
}
