// The screen: two canvases at device resolution, the view on them, and which tiles are wanted for it.

import { LayerStore, pictureRectangle } from './layers';
import { planTiles, type Tile, tileRegion } from './tiles';
import type { FromWorker, TileRequest } from '../../worker/protocol';
import { fitRegion, keepInSight, type Region, type Size, type View, visibleRegion, zoomAround } from './transform';

/** Wheel and pinch send dozens of zooms a second; tiles are asked for when they rest this long. */
const SETTLE_MS = 90;
/** After tiles were lost: until the browser draws again. */
const LOST_MS = 300;

export interface ScreenHooks {
  /** Asks the decoder for tiles, in this order, in place of all earlier ones. */
  request(tiles: readonly Omit<TileRequest, 'frame'>[]): void;
  /** Draws what shows through where there are no tiles. */
  drawUnder(context: CanvasRenderingContext2D): void;
  /** Draws over the finished picture on the same canvas (comparison) and on the overlay (grid, selection). */
  drawOver(context: CanvasRenderingContext2D): void;
  drawOverlay(context: CanvasRenderingContext2D): void;
  /** The view moved: handles and the zoom field follow. */
  moved(): void;
  /** Tiles of the current view: how many are there, of how many. */
  quality(done: number, total: number): void;
}

export class Screen {
  readonly picture: HTMLCanvasElement;
  readonly overlay: HTMLCanvasElement;
  readonly #backdrop: HTMLElement;
  readonly #hooks: ScreenHooks;
  readonly #layers = new LayerStore(() => this.#planSoon(LOST_MS));
  readonly #context: CanvasRenderingContext2D;
  readonly #overlayContext: CanvasRenderingContext2D;
  #view: View = { scale: 1, x: 0, y: 0 };
  #viewport: Size = { width: 1, height: 1 };
  #size: Size | null = null;
  #generation = 0;
  #nearest = false;
  #ratio = 1;
  /** The view follows the window until somebody moves it. */
  #fitted: Region | null = null;
  #wanted = new Map<string, Tile>();
  #total = 0;
  /** Frames pass by too fast for tiles. */
  #passing = false;
  /** The browser took the canvas away for now, and what is drawn on it is lost. */
  #lost = false;
  #frame = 0;
  #settling: ReturnType<typeof setTimeout> | undefined;

  constructor(picture: HTMLCanvasElement, overlay: HTMLCanvasElement, backdrop: HTMLElement, hooks: ScreenHooks) {
    this.picture = picture;
    this.overlay = overlay;
    this.#backdrop = backdrop;
    this.#hooks = hooks;
    this.#context = picture.getContext('2d', { willReadFrequently: false }) as CanvasRenderingContext2D;
    this.#overlayContext = overlay.getContext('2d') as CanvasRenderingContext2D;
    // A browser whose GPU process ended, or that tried in vain to present from a device, gives emptied canvases back.
    picture.addEventListener('contextlost', () => (this.#lost = true));
    picture.addEventListener('contextrestored', () => (this.#lost = false));
    for (const canvas of [picture, overlay]) canvas.addEventListener('contextrestored', () => this.invalidate());
  }

  get view(): View {
    return this.#view;
  }
  get viewport(): Size {
    return this.#viewport;
  }
  /** Samples of the open picture; `null` when none is open. */
  get size(): Size | null {
    return this.#size;
  }
  /** Device pixels per CSS pixel. */
  get ratio(): number {
    return this.#ratio;
  }
  /** The view follows the window, because nobody has moved it. */
  get fitted(): boolean {
    return this.#fitted !== null;
  }
  get nearest(): boolean {
    return this.#nearest;
  }
  /** All of the view is on the screen at full quality. */
  get complete(): boolean {
    return this.#wanted.size === 0 && this.#settling === undefined && !this.#isLost();
  }

  /** Not every browser says so itself; one that does is believed, as its events may be late or missing. */
  #isLost(): boolean {
    if (!this.#lost) return false;
    const { isContextLost } = this.#context as Partial<CanvasRenderingContext2D>;
    if (isContextLost?.call(this.#context) === false) {
      this.#lost = false;
      this.invalidate();
    }
    return this.#lost;
  }

  set nearest(nearest: boolean) {
    if (nearest === this.#nearest) return;
    this.#nearest = nearest;
    this.#layers.keepOnly(nearest);
    this.#plan();
  }

  /** Starts with another picture, or with none. `generation` is the number of its opening, which its tiles carry. */
  reset(size: Size | null, generation = 0): void {
    this.#generation = generation;
    this.#passing = false;
    this.#layers.clear();
    this.#wanted.clear();
    this.#size = size;
    this.#fitted = size ? { row0: 0, row1: size.height, column0: 0, column1: size.width } : null;
    clearTimeout(this.#settling);
    this.#settling = undefined;
    this.#backdrop.hidden = size === null;
    this.invalidate();
  }

  /** Follows the size of the element, in CSS pixels. */
  resize(width: number, height: number, ratio: number): void {
    const next = { width: Math.max(1, Math.round(width * ratio)), height: Math.max(1, Math.round(height * ratio)) };
    if (next.width === this.#viewport.width && next.height === this.#viewport.height && ratio === this.#ratio) return;
    const zoom = ratio / this.#ratio;
    this.#ratio = ratio;
    const before = this.#viewport;
    this.#viewport = next;
    for (const canvas of [this.picture, this.overlay]) {
      canvas.width = next.width;
      canvas.height = next.height;
    }
    if (this.#fitted && this.#recentre(before, zoom)) {
      // A strip of buttons appeared or went away: the same zoom, so that nothing has to be decoded again.
    } else if (this.#fitted) this.fit(this.#fitted);
    else {
      const { scale, x, y } = this.#view;
      this.#move({ scale: scale * zoom, x: (x - before.width / 2) * zoom + next.width / 2, y: (y - before.height / 2) * zoom + next.height / 2 });
    }
    this.paint();
  }

  /** Keeps the zoom of a fitted view where only the height changed and the region still fits about as well. */
  #recentre(before: Size, zoom: number): boolean {
    const region = this.#fitted;
    if (!region || zoom !== 1 || before.width !== this.#viewport.width) return false;
    const { scale } = this.#view;
    const room = this.#viewport.height - (region.row1 - region.row0) * scale;
    const roomAcross = this.#viewport.width - (region.column1 - region.column0) * scale;
    const limit = 96 * this.#ratio;
    if (room < 0 || Math.min(room, roomAcross) > limit) return false;
    this.#move({ scale, x: this.#view.x, y: this.#viewport.height / 2 - ((region.row0 + region.row1) / 2) * scale });
    return true;
  }

  /** Shows a region, by default the picture, as large as possible. */
  fit(region?: Region): void {
    if (!this.#size) return;
    const wanted = region ?? { row0: 0, row1: this.#size.height, column0: 0, column1: this.#size.width };
    this.#fitted = wanted;
    this.#move(fitRegion(wanted, this.#viewport, this.#size, Math.min(32 * this.#ratio, this.#viewport.width / 16)));
  }

  show(view: View): void {
    this.#fitted = null;
    if (this.#size) this.#move(keepInSight(view, this.#viewport, this.#size));
  }

  pan(dx: number, dy: number): void {
    this.show({ ...this.#view, x: this.#view.x + dx, y: this.#view.y + dy });
  }

  /** Zooms around a point in device pixels, by default the middle. */
  zoom(scale: number, px = this.#viewport.width / 2, py = this.#viewport.height / 2): void {
    if (this.#size) this.show(zoomAround(this.#view, scale, px, py, this.#size));
  }

  #move(view: View): void {
    const zoomed = view.scale !== this.#view.scale;
    this.#view = view;
    this.#hooks.moved();
    this.invalidate();
    // Not within this call: a drag moves several times per frame.
    this.#planSoon(!zoomed ? 8 : this.#wanted.size > 0 ? SETTLE_MS : SETTLE_MS / 3);
  }

  #planSoon(milliseconds: number): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      this.#plan();
    }, milliseconds);
  }

  /** Asks again for everything that the view lacks (after a restart of the decoder). */
  refresh(): void {
    this.#plan();
  }

  /** Forgets all tiles, because another frame takes their place, and asks for its own unless it only passes by. */
  replaced(plan: boolean): void {
    this.#layers.clear();
    this.#wanted.clear();
    this.#passing = !plan;
    clearTimeout(this.#settling);
    this.#settling = undefined;
    if (plan) this.#plan();
    else this.#hooks.request([]);
    this.invalidate();
  }

  #plan(): void {
    if (!this.#size || this.#passing) return;
    const region = visibleRegion(this.#view, this.#viewport, this.#size);
    const finest = region ? this.#layers.finest(region, this.#size, this.#nearest) : 0;
    const tiles = planTiles(this.#view, this.#viewport, this.#size, this.#nearest, (tile) => this.#layers.has(tile), finest);
    this.#wanted = new Map(tiles.map((tile) => [tile.key, tile]));
    this.#total = tiles.length;
    const size = this.#size;
    this.#hooks.request(
      tiles.map((tile) => ({
        generation: this.#generation,
        key: tile.key,
        region: tileRegion(tile, size),
        rows: tile.height,
        columns: tile.width,
        nearest: tile.layer.nearest,
      })),
    );
    this.#hooks.quality(0, this.#total);
    this.invalidate();
  }

  /** Takes rows from the decoder where the view wants them; `false` for rows of another file or of an earlier view. */
  receive(band: Extract<FromWorker, { kind: 'band' }>): boolean {
    const tile = band.generation === this.#generation ? this.#wanted.get(band.key) : undefined;
    if (!tile || tile.width !== band.columns) {
      if ('close' in band.pixels) band.pixels.close();
      return false;
    }
    this.#layers.put(tile, band.row, band.rows, band.pixels);
    if (band.done) {
      this.#wanted.delete(band.key);
      this.#hooks.quality(this.#total - this.#wanted.size, this.#total);
    }
    this.invalidate();
    return true;
  }

  /** Paints before the next frame. */
  invalidate(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => this.paint());
  }

  /** Paints now. */
  paint(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { width, height } = this.#viewport;
    this.#context.clearRect(0, 0, width, height);
    this.#overlayContext.clearRect(0, 0, width, height);
    if (!this.#size) return;
    const place = pictureRectangle(this.#view, this.#size);
    const css = this.#backdrop.style;
    css.setProperty('transform', `translate(${place.x / this.#ratio}px, ${place.y / this.#ratio}px)`);
    css.setProperty('width', `${place.width / this.#ratio}px`);
    css.setProperty('height', `${place.height / this.#ratio}px`);
    this.#hooks.drawUnder(this.#context);
    this.#layers.draw(this.#context, this.#view, this.#viewport, this.#size, this.#nearest);
    this.#hooks.drawOver(this.#context);
    this.#hooks.drawOverlay(this.#overlayContext);
  }

  /** The picture as it is on the screen: the visible part, without overlays. */
  visiblePixels(): { readonly x: number; readonly y: number; readonly data: ImageData } | null {
    if (!this.#size) return null;
    this.paint();
    const place = pictureRectangle(this.#view, this.#size);
    const x0 = Math.max(0, place.x);
    const y0 = Math.max(0, place.y);
    const x1 = Math.min(this.#viewport.width, place.x + place.width);
    const y1 = Math.min(this.#viewport.height, place.y + place.height);
    if (x1 <= x0 || y1 <= y0) return null;
    return { x: x0 - place.x, y: y0 - place.y, data: this.#context.getImageData(x0, y0, x1 - x0, y1 - y0) };
  }
}
