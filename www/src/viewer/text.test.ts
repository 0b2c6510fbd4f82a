import { expect, it } from 'vitest';
import { bytes, decibels, duration, exactBytes, parsePercent, percent, sizeLine } from './text';

it('writes sizes with three figures', () => {
  expect([0, 1, 999, 1000, 9994, 9996, 82_640, 826_400, 999_499, 999_600, 1_240_000, 3e9, 5e12].map(bytes)).toEqual([
    '0 bytes', '1 byte', '999 bytes', '1.00 KB', '9.99 KB', '10.0 KB', '82.6 KB', '826 KB', '999 KB', '1.00 MB', '1.24 MB', '3.00 GB', '5000 GB',
  ]);
  expect(exactBytes(276112)).toBe('276,112 bytes');
});

it('writes the size line', () => {
  expect(sizeLine(64, 256, 826_440, 276_112)).toBe('64 of 256 parts, 826 KB to 276 KB');
  expect(sizeLine(256, 256, 826_440, 826_440)).toBe('256 of 256 parts, 826 KB');
  expect(sizeLine(1, 1, 900, 900)).toBe('1 of 1 part, 900 bytes');
});

it('reads and writes zoom', () => {
  expect([1, 1.25, 0.034].map(percent)).toEqual(['100 %', '125 %', '3.4 %']);
  expect(['150', ' 12,5 %', '33.3%', '0', '-4', 'x', ''].map(parsePercent)).toEqual([1.5, 0.125, 0.33299999999999996, null, null, null, null]);
});

it('writes times and ratios', () => {
  expect([duration(37.6), duration(1400)]).toEqual(['38 ms', '1.4 s']);
  expect([decibels(29.068), decibels(Infinity)]).toEqual(['29.07 dB', 'identical']);
});
