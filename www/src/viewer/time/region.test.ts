import { expect, it } from 'vitest';
import { handlePlaces } from './region';

const HALF = 14;
const apart = (places: readonly { x: number; y: number }[]) =>
  Math.min(...places.flatMap((a, i) => places.slice(i + 1).map((b) => Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y)))));

it('keeps the handles of a long region on its edges and in its middle', () => {
  expect(handlePlaces(100, 300, 20, 400, 40)).toEqual([{ x: 100, y: 20 }, { x: 200, y: 20 }, { x: 300, y: 20 }]);
});

it.each([['a high layer', 300], ['a low layer', 40]])('keeps the handles of short regions apart and within %s', (_, height) => {
  for (const [x0, x1] of [[0, 12], [0, 41], [3, 90], [180, 190], [340, 360], [300, 360], [359, 360]] as const) {
    const places = handlePlaces(x0, x1, 20, 360, height);
    expect(apart(places)).toBeGreaterThanOrEqual(2 * HALF - 4);
    for (const { x, y } of places) {
      expect(x).toBeGreaterThanOrEqual(HALF);
      expect(x).toBeLessThanOrEqual(360 - HALF);
      expect(y + HALF).toBeLessThanOrEqual(Math.max(height, 20 + HALF));
    }
  }
});
