import { describe, expect, it } from 'vitest';
import { clock, digitsFor, marks, Timeline } from './timeline';

describe('a time line', () => {
  it('zooms around a point and stays inside', () => {
    const line = new Timeline(1000);
    line.width = 100;
    line.zoom(4, 50);
    expect(line.seen).toEqual({ start: 375, end: 625 });
    expect(line.x(500)).toBe(50);
    line.pan(1e6);
    expect(line.seen).toEqual({ start: 0, end: 250 });
    line.zoom(1e-3);
    expect(line.seen).toEqual({ start: 0, end: 1000 });
    line.zoom(1e9);
    expect(line.scale).toBe(16);
  });

  it('turns the page when the sample leaves it', () => {
    const line = new Timeline(1000);
    line.width = 100;
    line.zoom(10, 0);
    expect(line.follow(50)).toBe(false);
    expect(line.follow(100)).toBe(true);
    expect(line.seen).toEqual({ start: 100, end: 200 });
  });
});

it('marks round times', () => {
  expect(marks(0, 4, 10)).toEqual([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]);
  expect(marks(0.1, 0.13, 4).map((t) => t.toFixed(2))).toEqual(['0.10', '0.11', '0.12', '0.13']);
  expect(marks(0, 600, 6)).toEqual([0, 120, 240, 360, 480, 600]);
});

it('writes times', () => {
  expect(clock(0)).toBe('0:00.00');
  expect(clock(62.345)).toBe('1:02.35');
  expect(clock(59.999)).toBe('1:00.00');
  expect(clock(9.96, 1)).toBe('0:10.0');
  expect([digitsFor(0.5), digitsFor(1), digitsFor(0.01)]).toEqual([1, 0, 2]);
});
