// Comparing with the original: slider, flicker, difference map, and the figures beside them.

import { pictureRectangle } from './layers';
import type { Screen } from './screen';
import type { Comparison, Quality } from '../../worker/protocol';
import type { Region, Size } from './transform';

export type CompareView = 'slider' | 'flicker' | 'difference';

/** Time between the two pictures: below three changes a second, the limit for flashes. */
const FLICKER_MS = 700;
/** Differences are small; a map that shows them as they are is black. */
const DIFFERENCE_GAIN = 8;

export interface Original {
  readonly name: string;
  /** On the canvas of the field, RGBA, transparent outside the original. */
  readonly pixels: Uint8Array;
  readonly canvas: OffscreenCanvas;
}

export class OriginalError extends Error {}

/** Decodes a picture file with the browser and puts it in its place on the canvas of the field. */
export async function readOriginal(blob: Blob, name: string, canvas: Size, bounds: Region): Promise<Original> {
  let bitmap: ImageBitmap;
  try {
    // No colour conversion: the field was trained on the code values as they are in the file.
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none', premultiplyAlpha: 'none', imageOrientation: 'from-image' });
  } catch {
    throw new OriginalError(`${name} is not a picture that this browser can read. PNG, JPEG, WebP, AVIF and GIF work; convert it to PNG.`);
  }
  const cropped = { width: bounds.column1 - bounds.column0, height: bounds.row1 - bounds.row0 };
  const fits = (size: Size) => bitmap.width === size.width && bitmap.height === size.height;
  if (!fits(canvas) && !fits(cropped)) {
    const sizes = cropped.width === canvas.width && cropped.height === canvas.height ? '' : ` or ${cropped.width} x ${cropped.height}, its kept part,`;
    const found = `${bitmap.width} x ${bitmap.height}`;
    bitmap.close();
    throw new OriginalError(`${name} has ${found} samples; a comparison needs ${canvas.width} x ${canvas.height}${sizes} like the open file. Choose the picture that was encoded.`);
  }
  const surface = new OffscreenCanvas(canvas.width, canvas.height);
  const context = surface.getContext('2d');
  if (!context) throw new OriginalError('The browser gave no memory for a picture of this size.');
  const whole = fits(canvas);
  context.drawImage(bitmap, whole ? 0 : bounds.column0, whole ? 0 : bounds.row0);
  bitmap.close();
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  surface.addEventListener('contextrestored', () => context.putImageData(image, 0, 0));
  return { name, pixels: new Uint8Array(image.data.buffer), canvas: surface };
}

export class CompareTool {
  readonly #screen: Screen;
  readonly #changed: () => void;
  #original: Original | null = null;
  #difference: OffscreenCanvas | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #active = false;
  #view: CompareView = 'slider';
  /** The original is on screen (flicker). */
  #showsOriginal = false;
  /** Place of the divider, 0 (left edge of the stage) to 1. */
  split = 0.5;
  result: Comparison | null = null;
  visible: Quality | null = null;

  constructor(screen: Screen, changed: () => void) {
    this.#screen = screen;
    this.#changed = changed;
  }

  get original(): Original | null {
    return this.#original;
  }
  get view(): CompareView {
    return this.#view;
  }
  get showsOriginal(): boolean {
    return this.#showsOriginal;
  }
  get flickers(): boolean {
    return this.#timer !== undefined;
  }
  /** The divider is on screen. */
  get divides(): boolean {
    return this.#active && this.#view === 'slider' && this.#original !== null;
  }

  setOriginal(original: Original | null): void {
    this.#original = original;
    this.result = null;
    this.visible = null;
    this.#difference = null;
    this.#update();
  }

  setResult(result: Comparison | null): void {
    this.result = result;
    this.#difference = null;
    const original = this.#original;
    if (result && original) this.#difference = heatMap(result.difference, original.canvas.width, original.canvas.height);
    this.#changed();
  }

  setActive(active: boolean): void {
    this.#active = active;
    this.#update();
  }

  setView(view: CompareView): void {
    this.#view = view;
    this.#update();
  }

  /** Shows the other picture at once, and stops the clock: whoever steps by hand wants to look. */
  swap(): void {
    this.#stopClock();
    this.#showsOriginal = !this.#showsOriginal;
    this.#changed();
  }

  /** Starts or stops the clock of the flicker. */
  toggleClock(): void {
    if (this.#timer === undefined) this.#startClock();
    else this.#stopClock();
    this.#changed();
  }

  #update(): void {
    const flicker = this.#active && this.#view === 'flicker' && this.#original !== null;
    // Nothing blinks by itself for people who asked for less motion; the Swap button works all the same.
    if (flicker && !matchMedia('(prefers-reduced-motion: reduce)').matches) this.#startClock();
    else this.#stopClock();
    if (!flicker) this.#showsOriginal = false;
    this.#changed();
  }

  #startClock(): void {
    this.#timer ??= setInterval(() => {
      this.#showsOriginal = !this.#showsOriginal;
      this.#changed();
    }, FLICKER_MS);
  }

  #stopClock(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Draws the original, or the map, over the decoded picture. */
  draw(context: CanvasRenderingContext2D): void {
    const size = this.#screen.size;
    if (!this.#active || !this.#original || !size) return;
    const place = pictureRectangle(this.#screen.view, size);
    const show = (source: OffscreenCanvas) => {
      context.imageSmoothingEnabled = !this.#screen.nearest;
      context.imageSmoothingQuality = 'medium';
      context.drawImage(source, place.x, place.y, place.width, place.height);
    };
    if (this.#view === 'difference') {
      if (this.#difference) show(this.#difference);
      return;
    }
    if (this.#view === 'flicker') {
      if (!this.#showsOriginal) return;
      context.clearRect(place.x, place.y, place.width, place.height);
      show(this.#original.canvas);
      return;
    }
    const edge = Math.round(this.split * this.#screen.viewport.width);
    context.save();
    context.beginPath();
    context.rect(0, 0, edge, this.#screen.viewport.height);
    context.clip();
    context.clearRect(0, 0, edge, this.#screen.viewport.height);
    show(this.#original.canvas);
    context.restore();
  }
}

/** Black over violet and orange to white: brightness alone carries the order. */
function heatMap(difference: Uint8Array, width: number, height: number): OffscreenCanvas | null {
  const surface = new OffscreenCanvas(width, height);
  const context = surface.getContext('2d');
  if (!context) return null;
  const stops = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]] as const;
  const table = new Uint32Array(256);
  for (let v = 0; v < 256; v++) {
    const t = (Math.min(255, v * DIFFERENCE_GAIN) / 255) * (stops.length - 1);
    const i = Math.min(stops.length - 2, Math.floor(t));
    const [a, b] = [stops[i] ?? stops[0], stops[i + 1] ?? stops[0]];
    const mix = (k: 0 | 1 | 2) => Math.round(a[k] + (b[k] - a[k]) * (t - i));
    table[v] = (255 << 24) | (mix(2) << 16) | (mix(1) << 8) | mix(0);
  }
  const draw = () => {
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[difference[i] ?? 0] ?? 0;
    context.putImageData(image, 0, 0);
  };
  surface.addEventListener('contextrestored', draw);
  draw();
  return surface;
}
