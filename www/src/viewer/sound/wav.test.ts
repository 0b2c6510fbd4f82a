import { expect, it } from 'vitest';
import { wav } from './wav';

it('writes 16 bits with the ends of the scale, and silence for what is absent', async () => {
  const view = new DataView(await wav(Float32Array.of(1, -1, NaN, 0.5), { rate: 8000, channels: 2, bits: 16 }).arrayBuffer());
  expect(view.byteLength).toBe(44 + 8);
  expect([view.getUint16(20, true), view.getUint16(22, true), view.getUint32(24, true), view.getUint32(28, true)]).toEqual([1, 2, 8000, 32000]);
  expect([0, 1, 2, 3].map((i) => view.getInt16(44 + 2 * i, true))).toEqual([32767, -32768, 0, 16384]);
});

it('keeps floats', async () => {
  const view = new DataView(await wav(Float32Array.of(0.1, -0.2), { rate: 44100, channels: 1, bits: 32 }).arrayBuffer());
  expect([view.getUint16(20, true), view.getUint16(34, true), view.getFloat32(44, true), view.getFloat32(48, true)]).toEqual([3, 32, Math.fround(0.1), Math.fround(-0.2)]);
});

it('writes 8 bits without a sign', async () => {
  const view = new DataView(await wav(Float32Array.of(1, -1, 0), { rate: 8000, channels: 1, bits: 8 }).arrayBuffer());
  expect([0, 1, 2].map((i) => view.getUint8(44 + i))).toEqual([255, 0, 128]);
});
