import { describe, expect, it } from 'vitest';
import { cut, Measurement, psnr, wholeSamples } from './samples';
import type { OpenedFile } from './protocol';
import type { CpuModule } from './wasm';

describe('samples', () => {
  it('cuts boxes', () => {
    const pixels = Uint8Array.from({ length: 4 * 3 * 4 }, (_, i) => i >> 2);
    expect([...cut(pixels, 4, { row0: 1, row1: 3, column0: 2, column1: 4 })].filter((_, i) => i % 4 === 0)).toEqual([6, 7, 10, 11]);
    expect(wholeSamples({ row0: -1, row1: 2.1, column0: 0.9, column1: 99 }, 8, 9)).toEqual({ row0: 0, row1: 3, column0: 0, column1: 9 });
  });

  it('knows the ratio of known errors', () => {
    expect(psnr(0)).toBe(Infinity);
    expect(psnr(1)).toBeCloseTo(48.1308, 4);
  });

  it('measures present partitions only, and leaves the window index out where one is absent', () => {
    // Two partitions side by side, 2 x 2 samples each; the right one is absent.
    const calls: number[][] = [];
    const module = { compare: (_a: Uint8Array, _b: Uint8Array, rows: number, columns: number) => (calls.push([rows, columns]), { psnr_db: 1, ssim: 0.5, mse: 0 }) } as unknown as CpuModule;
    const opened = {
      info: { shape: [2, 4], partitions: 2, alpha: false },
      present: Uint32Array.of(0),
      boxes: Uint32Array.of(0, 2, 0, 2, 0, 2, 2, 4),
    } as unknown as OpenedFile;
    const original = new Uint8Array(2 * 4 * 4).fill(100).map((v, i) => (i % 4 === 3 ? 255 : v));
    const decoded = new Uint8Array(2 * 4 * 4);
    for (let i = 0; i < 8; i++) if (i % 4 < 2) decoded.set([101, 99, 101, 255], i * 4);
    const measurement = new Measurement(module, opened, decoded, original);
    const whole = measurement.whole();
    expect(whole?.whole.ssim).toBeNull();
    expect(whole?.whole.psnrDb).toBeCloseTo(48.1308, 4);
    expect(whole?.partitions[0]).toBeCloseTo(48.1308, 3);
    expect(whole?.partitions[1]).toBeNaN();
    expect([...(whole?.difference ?? [])]).toEqual([1, 1, 0, 0, 1, 1, 0, 0]);
    expect(measurement.region({ row0: 0, row1: 2, column0: 2, column1: 4 })).toBeNull();
    expect(measurement.region({ row0: 0, row1: 1.5, column0: 0.2, column1: 1 })).toEqual({ psnrDb: 1, ssim: 0.5 });
    expect(calls).toEqual([[2, 1]]);
  });

  it('counts colours as they are seen, and opacity as a channel', () => {
    const opened = { info: { shape: [1, 1], partitions: 1, alpha: true }, present: Uint32Array.of(0), boxes: Uint32Array.of(0, 1, 0, 1) } as unknown as OpenedFile;
    const module = { compare: () => ({ psnr_db: 0, ssim: 0, mse: 0 }) } as unknown as CpuModule;
    const whole = (decoded: number[], original: number[]) => new Measurement(module, opened, Uint8Array.from(decoded), Uint8Array.from(original)).whole();
    // Invisible colours may differ as they like.
    expect(whole([255, 0, 9, 0], [0, 255, 0, 0])?.partitions[0]).toBe(Infinity);
    expect(whole([100, 100, 100, 255], [100, 100, 100, 253])?.difference[0]).toBe(2);
    expect(whole([0, 0, 0, 253], [0, 0, 0, 255])?.partitions[0]).toBeCloseTo(psnr(1), 3);
  });
});
