// Decoded tiles, by layer, and how they are put together on the screen.

import { layerFor, type Layer, type Tile, tilesOver } from './tiles';
import type { Region, Size, View } from './transform';
import type { Pixels } from '../../worker/protocol';

/** Pixels of tiles kept in memory (4 bytes each); what is on screen is kept in any case. */
const BUDGET_PIXELS = 24 << 20;

interface Entry {
  readonly tile: Tile;
  readonly canvas: OffscreenCanvas;
  readonly context: OffscreenCanvasRenderingContext2D;
  /** Rows decoded so far. */
  rows: number;
  /** Number of the last paint that showed it. */
  shown: number;
}

/** Where the picture lies on the screen, in whole device pixels. */
export interface PictureRectangle extends Size {
  readonly x: number;
  readonly y: number;
}

export function pictureRectangle(view: View, picture: Size): PictureRectangle {
  const layer = layerFor(view.scale, picture, false);
  return { x: Math.round(view.x), y: Math.round(view.y), width: layer.width, height: layer.height };
}

export class LayerStore {
  readonly #entries = new Map<string, Entry>();
  readonly #lost: () => void;
  #paint = 0;

  /** `lost` is called where the browser takes tiles away, as it does when its GPU process ends. */
  constructor(lost: () => void) {
    this.#lost = lost;
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Whether a tile is there in full. */
  has(tile: Tile): boolean {
    const entry = this.#entries.get(tile.key);
    return entry !== undefined && entry.rows === tile.height;
  }

  /** Puts some rows into a tile, and closes them where they are an image. */
  put(tile: Tile, row: number, rows: number, pixels: Pixels): void {
    let entry = this.#entries.get(tile.key);
    if (!entry) {
      const canvas = new OffscreenCanvas(tile.width, tile.height);
      const context = canvas.getContext('2d');
      if (!context) return;
      const made = { tile, canvas, context, rows: 0, shown: this.#paint };
      canvas.addEventListener('contextlost', () => {
        if (this.#entries.get(tile.key) !== made) return;
        this.#entries.delete(tile.key);
        this.#lost();
      });
      this.#entries.set(tile.key, made);
      entry = made;
    }
    if ('buffer' in pixels) entry.context.putImageData(new ImageData(pixels, tile.width, rows), 0, row);
    else {
      // What was there must not shine through transparent parts.
      entry.context.clearRect(0, row, tile.width, rows);
      entry.context.drawImage(pixels, 0, row);
      pixels.close();
    }
    entry.rows = Math.max(entry.rows, row + rows);
  }

  /** The best zoom at which a whole region can be looked at already; 0 for none. */
  finest(region: Region, picture: Size, nearest: boolean): number {
    let best = 0;
    for (const layer of this.#layers()) {
      if (layer.nearest !== nearest) continue;
      const scale = layer.width / picture.width;
      if (scale > best && tilesOver(layer, region, picture).every((tile) => this.has(tile))) best = scale;
    }
    return best;
  }

  #layers(): Layer[] {
    const layers = new Map<string, Layer>();
    for (const { tile } of this.#entries.values()) layers.set(tile.layer.key, tile.layer);
    return [...layers.values()];
  }

  /** Draws what is there: coarse layers first, the layer of the view last, each tile replacing what lies under it. */
  draw(context: CanvasRenderingContext2D, view: View, viewport: Size, picture: Size, nearest: boolean): void {
    this.#paint += 1;
    const target = layerFor(view.scale, picture, nearest);
    const place = pictureRectangle(view, picture);
    const ordered = [...this.#entries.values()].sort((a, b) => {
      const rank = (e: Entry) => (e.tile.layer.key === target.key ? Infinity : e.tile.layer.width);
      const [left, right] = [rank(a), rank(b)];
      return left === right ? 0 : left - right;
    });
    for (const entry of ordered) {
      const { tile } = entry;
      if (entry.rows === 0) continue;
      const zoomX = place.width / tile.layer.width;
      const zoomY = place.height / tile.layer.height;
      // Rounded edges, not rounded sizes: neighbours meet without a seam.
      const x0 = place.x + Math.round(tile.x * zoomX);
      const y0 = place.y + Math.round(tile.y * zoomY);
      const x1 = place.x + Math.round((tile.x + tile.width) * zoomX);
      const y1 = place.y + Math.round((tile.y + entry.rows) * zoomY);
      if (x1 <= 0 || y1 <= 0 || x0 >= viewport.width || y0 >= viewport.height || x1 <= x0 || y1 <= y0) continue;
      entry.shown = this.#paint;
      context.imageSmoothingEnabled = !tile.layer.nearest || zoomX < 1;
      context.imageSmoothingQuality = zoomX < 1 ? 'medium' : 'low';
      context.clearRect(x0, y0, x1 - x0, y1 - y0);
      context.drawImage(entry.canvas, 0, 0, tile.width, entry.rows, x0, y0, x1 - x0, y1 - y0);
    }
    this.#trim();
  }

  #trim(): void {
    let pixels = 0;
    for (const { canvas } of this.#entries.values()) pixels += canvas.width * canvas.height;
    if (pixels <= BUDGET_PIXELS) return;
    for (const [key, entry] of [...this.#entries].sort((a, b) => a[1].shown - b[1].shown)) {
      if (pixels <= BUDGET_PIXELS || entry.shown === this.#paint) return;
      pixels -= entry.canvas.width * entry.canvas.height;
      this.#entries.delete(key);
    }
  }

  /** Forgets tiles of the other kind of sampling, which would shine through. */
  keepOnly(nearest: boolean): void {
    for (const [key, { tile }] of this.#entries) if (tile.layer.nearest !== nearest) this.#entries.delete(key);
  }
}
