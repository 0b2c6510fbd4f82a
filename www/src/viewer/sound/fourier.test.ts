import { expect, it } from 'vitest';
import { Spectrum } from './fourier';

it('finds a sine of full scale at its frequency, at 0 dB', () => {
  const spectrum = new Spectrum(256);
  const levels = new Float32Array(128);
  spectrum.levels((i) => Math.sin((2 * Math.PI * 32 * i) / 256), levels);
  expect(levels.indexOf(Math.max(...levels))).toBe(32);
  expect(levels[32]).toBeCloseTo(0, 3);
  expect(levels[60]).toBeLessThan(-80);
});

it('hears nothing in silence', () => {
  const levels = new Float32Array(32);
  new Spectrum(64).levels(() => 0, levels);
  expect(Math.max(...levels)).toBeLessThan(-150);
});
