// Inspecting: what one partition is, under the pointer or under a cursor that the arrow keys move.

import { ARROWS } from '../crop-session';
import type { Drag, StagePoint } from './gestures';
import type { PictureStage } from './stage';
import { bytes, decibels, exactBytes } from '../text';
import { toPicture } from './transform';

export interface Inspected {
  readonly part: number;
  readonly text: string;
  /** Where to show it, in CSS pixels of the stage. */
  readonly x: number;
  readonly y: number;
}

export class InspectTool {
  readonly #stage: PictureStage;
  #active = false;
  inspected: Inspected | null = null;
  /** Called whenever another partition is inspected; `spoken` by the keyboard. */
  changed: (spoken: boolean) => void = () => undefined;

  constructor(stage: PictureStage) {
    this.#stage = stage;
  }

  setActive(active: boolean): void {
    this.#active = active;
    this.#set(null, false);
  }

  hover(point: StagePoint | null): void {
    const grid = this.#stage.opened?.grid;
    const size = this.#stage.screen.size;
    const shows = this.#active || this.#stage.host.mode === 'crop';
    if (!shows || !grid || !size) return;
    const at = point && toPicture(this.#stage.screen.view, point.x, point.y);
    const inside = at && at.row >= 0 && at.column >= 0 && at.row < size.height && at.column < size.width;
    this.#set(inside ? grid.at(at.row, at.column, this.#stage.frame) : null, false);
  }

  /** A tap shows what a hover shows. */
  claim(start: StagePoint): Drag | null {
    if (!this.#active || start.event.pointerType === 'mouse') return null;
    let last = start;
    const screen = this.#stage.screen;
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
    const grid = this.#stage.opened?.grid;
    if (!this.#active || !arrow || !grid || event.ctrlKey || event.altKey || event.metaKey) return false;
    const many = event.shiftKey ? 8 : 1;
    const { screen } = this.#stage;
    const middle = toPicture(screen.view, screen.viewport.width / 2, screen.viewport.height / 2);
    const from = this.#stage.overlay.cursor ?? grid.at(middle.row, middle.column, this.#stage.frame);
    const moves = this.#stage.overlay.cursor !== null;
    const at = grid.place(from);
    const row = Math.min(grid.rows - 1, Math.max(0, at.row + (moves ? arrow[0] * many : 0)));
    const column = Math.min(grid.columns - 1, Math.max(0, at.column + (moves ? arrow[1] * many : 0)));
    this.#set((at.plane * grid.rows + row) * grid.columns + column, true);
    return true;
  }

  #set(part: number | null, spoken: boolean): void {
    const { overlay, screen } = this.#stage;
    const grid = this.#stage.opened?.grid;
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
    const { opened, compareTool } = this.#stage;
    const { grid, file } = opened ?? {};
    if (!grid || !file) return '';
    const box = grid.partition(part);
    const { plane, row, column } = grid.place(part);
    const name = `Part ${part} [${[...(grid.planes > 1 ? [plane] : []), row, column].join(',')}]`;
    const place = `${box.column1 - box.column0}x${box.row1 - box.row0}+${box.column0}+${box.row0}`;
    const index = file.present.indexOf(part);
    if (index < 0) return `${name}\n${place}\nnot in this file`;
    const size = file.chunkBytes[index] ?? 0;
    const samples = (box.column1 - box.column0) * (box.row1 - box.row0) * ((box.plane1 ?? 1) - (box.plane0 ?? 0));
    const lines = [name, place, `${size < 1000 ? bytes(size) : `${bytes(size)} (${exactBytes(size)})`}, ${((size * 8) / samples).toFixed(2)} bits per pixel`];
    const psnr = compareTool.result?.partitions[part];
    if (psnr !== undefined && !Number.isNaN(psnr)) lines.push(`PSNR ${decibels(psnr)}`);
    return lines.join('\n');
  }
}
