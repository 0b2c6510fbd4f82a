// What a PNG and a JPEG take for the same picture, by the browser's own encoders.
//
// A JPEG of the same quality is found by its PSNR against the original, like the file's own: without an original nobody can
// say how much quality either has lost.

import type { JpegRival } from './protocol';
import { psnr } from './samples';

const BEST = 100;

/** Straight RGBA of 8 bits. */
export interface Picture {
  readonly rows: number;
  readonly columns: number;
  readonly pixels: Uint8Array;
}

/** Encodes a picture; `quality` is 0 to 100. `null` where the browser has no such encoder. */
export type Encode = (picture: Picture, type: 'image/png' | 'image/jpeg', quality?: number) => Promise<Blob | null>;
/** Decodes what an encoder gave. */
export type Decode = (blob: Blob, rows: number, columns: number) => Promise<Uint8Array>;

export const encode: Encode = async ({ rows, columns, pixels }, type, quality) => {
  const canvas = new OffscreenCanvas(columns, rows);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('The browser gave no memory for a picture of this size.');
  context.putImageData(new ImageData(new Uint8ClampedArray(pixels), columns), 0, 0);
  const blob = await canvas.convertToBlob(quality === undefined ? { type } : { type, quality: quality / BEST });
  // Browsers answer with a PNG where they do not know a type.
  return blob.type === type ? blob : null;
};

export const decode: Decode = async (blob, rows, columns) => {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  const context = new OffscreenCanvas(columns, rows).getContext('2d');
  if (!context) throw new Error('The browser gave no memory for a picture of this size.');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return new Uint8Array(context.getImageData(0, 0, columns, rows).data.buffer);
};

/** PSNR in dB of the colours of two opaque pictures of one size. */
export function colourPsnr(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 4) {
    for (let c = i; c < i + 3; c++) sum += ((a[c] ?? 0) - (b[c] ?? 0)) ** 2;
  }
  return psnr(sum / ((a.length / 4) * 3));
}

/** Whether all pixels are opaque. */
export function isOpaque(pixels: Uint8Array): boolean {
  for (let i = 3; i < pixels.length; i += 4) if (pixels[i] !== 255) return false;
  return true;
}

/**
 * The JPEG of the lowest quality whose PSNR against the original is at least `wanted`, by bisection over the encoder's
 * settings; the best one where none is. `null` where the browser has no encoder. `step` is called before every try, with how
 * much is done, and may throw to give up.
 */
export async function jpegOf(original: Picture, wanted: number, step: (fraction: number) => void, by: { encode: Encode; decode: Decode } = { encode, decode }): Promise<JpegRival | null> {
  const tries = Math.ceil(Math.log2(BEST + 2));
  let tried = 0;
  const measure = async (quality: number): Promise<JpegRival | null> => {
    step(Math.min(1, tried++ / tries));
    const blob = await by.encode(original, 'image/jpeg', quality);
    if (!blob) return null;
    const psnrDb = colourPsnr(await by.decode(blob, original.rows, original.columns), original.pixels);
    return { bytes: blob.size, quality, psnrDb, reached: psnrDb >= wanted };
  };
  let found: JpegRival | null = null;
  let [low, high] = [0, BEST + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const jpeg = await measure(middle);
    if (!jpeg) return null;
    if (jpeg.reached) [found, high] = [jpeg, middle];
    else {
      if (middle === BEST) return jpeg;
      low = middle + 1;
    }
  }
  return found;
}
