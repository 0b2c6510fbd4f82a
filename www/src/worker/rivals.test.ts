import { describe, expect, it, vi } from 'vitest';
import { colourPsnr, type Decode, type Encode, isOpaque, jpegOf } from './rivals';

const original = { rows: 8, columns: 8, pixels: new Uint8Array(256).fill(100).map((v, i) => (i % 4 === 3 ? 255 : v)) };

/** An encoder whose pictures are off by `100 - quality` code values, and as large as their quality. */
const encode: Encode = async (_picture, _type, quality = 100) => new Blob([new Uint8Array(10 + quality)]);
const decode: Decode = async (blob) => original.pixels.map((v, i) => (i % 4 === 3 ? 255 : v - (110 - blob.size)));
const psnrAt = (quality: number) => 10 * Math.log10(255 ** 2 / (100 - quality) ** 2);

describe('the JPEG of the same quality', () => {
  it('is the smallest one that reaches it, after seven tries', async () => {
    for (const quality of [0, 1, 42, 63, 98, 99]) {
      const tries = vi.fn();
      const found = await jpegOf(original, psnrAt(quality), tries, { encode, decode });
      expect(found).toMatchObject({ quality, bytes: 10 + quality, reached: true });
      expect(found?.psnrDb).toBeCloseTo(psnrAt(quality), 9);
      expect(tries.mock.calls.length).toBeLessThanOrEqual(7);
    }
  });

  it('takes the next better one where no setting hits it', async () => {
    expect(await jpegOf(original, psnrAt(42) + 0.01, () => {}, { encode, decode })).toMatchObject({ quality: 43 });
  });

  it('says so where even the best is worse', async () => {
    const poor: Decode = async () => original.pixels.map((v) => v ^ 7);
    expect(await jpegOf(original, 90, () => {}, { encode, decode: poor })).toMatchObject({ quality: 100, bytes: 110, reached: false });
  });

  it('can be given up, and knows browsers without an encoder', async () => {
    await expect(jpegOf(original, 30, () => { throw new Error('given up'); }, { encode, decode })).rejects.toThrow('given up');
    expect(await jpegOf(original, 30, () => {}, { encode: async () => null, decode })).toBeNull();
  });
});

it('PSNR counts colours alone', () => {
  const other = original.pixels.map((v, i) => (i % 4 === 3 ? 7 : v + 1));
  expect(colourPsnr(other, original.pixels)).toBeCloseTo(48.1308, 3);
  expect(colourPsnr(original.pixels, original.pixels)).toBe(Infinity);
  expect([isOpaque(original.pixels), isOpaque(other)]).toEqual([true, false]);
});
