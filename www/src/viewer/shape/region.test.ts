import { expect, it } from 'vitest';
import { spread } from './region';

it('keeps handles of a small box apart', () => {
  const points = Array.from({ length: 7 }, (_, i) => ({ x: 50 + (i % 2), y: 50 }));
  spread(points, 30);
  for (const [i, a] of points.entries()) for (const b of points.slice(i + 1)) expect(Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y))).toBeGreaterThan(28);
});

it('leaves handles that are apart where they are', () => {
  const points = [{ x: 0, y: 0 }, { x: 40, y: 0 }];
  spread(points, 30);
  expect(points).toEqual([{ x: 0, y: 0 }, { x: 40, y: 0 }]);
});

it('keeps handles on a slope from covering each other', () => {
  const points = [{ x: 0, y: 0 }, { x: 21, y: 21 }];
  spread(points, 30);
  expect(points[1]!.x - points[0]!.x).toBeGreaterThan(29.9);
});
