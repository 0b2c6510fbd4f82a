import { describe, expect, it } from 'vitest';
import { layOut } from './curve';

describe('the curve of a training', () => {
  it('spans the box from its first to its best value', () => {
    const curve = layOut([[0, 10], [50, 15], [100, 20]], 100, 200, 50);
    expect(curve).toEqual({ path: 'M0.0 50.0L100.0 25.0L200.0 0.0', low: 10, high: 20 });
  });
  it('leaves the fall of the first steps out', () => {
    const points = Array.from({ length: 100 }, (_, i): [number, number] => [i, i < 3 ? 2 : 30 + i / 100]);
    expect(layOut(points, 100, 100, 10)?.low).toBe(30);
  });
  it('draws nothing of a single point, and a level line of equal ones', () => {
    expect(layOut([[1, 20]], 10, 10, 10)).toBeNull();
    expect(layOut([[0, 20], [1, 20]], 1, 10, 10)?.path).toBe('M0.0 10.0L10.0 10.0');
  });
});
