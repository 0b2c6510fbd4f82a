import { describe, expect, it } from 'vitest';
import { PartitionGrid } from '../grid';
import { partitionAt, wireframe } from './draw';
import { hit, obj, passes } from './mesh';

/** Two triangles in the plane x = 2, seen from larger x. */
const square = {
  positions: Float32Array.of(2, 0, 0, 2, 4, 0, 2, 4, 4, 2, 0, 4),
  normals: new Float32Array(12),
  triangles: Uint32Array.of(0, 1, 2, 0, 2, 3),
};

it('goes from coarse to the stored samples', () => {
  const found = passes({ bounds: [[0, 64], [16, 48], [0, 100]] });
  expect(found.map(({ shape }) => shape)).toEqual([[15, 8, 24], [36, 18, 56], [64, 32, 100]]);
  expect(found[0]?.edges).toEqual([0, 64, 16, 48, 0, 100]);
  expect(passes({ bounds: [[0, 1], [0, 2], [0, 3]] }).map(({ shape }) => shape)).toEqual([[1, 2, 3]]);
  const large = passes({ bounds: [[0, 2000], [0, 2000], [0, 2000]] });
  expect(large.at(-1)?.shape).toEqual([256, 256, 256]);
});

describe('a ray', () => {
  it('meets the nearest triangle', () => {
    expect(hit(square, [9, 1, 2], [-1, 0, 0], () => true)).toEqual([2, 1, 2]);
    expect(hit(square, [9, 5, 2], [-1, 0, 0], () => true)).toBeNull();
    expect(hit(square, [1, 1, 2], [-1, 0, 0], () => true)).toBeNull();
  });

  it('passes through what is cut away', () => {
    expect(hit(square, [9, 1, 2], [-1, 0, 0], ([x]) => x < 1)).toBeNull();
  });
});

it('writes an OBJ in the coordinates of the source', async () => {
  const text = await obj(square, { placement: { origin: [-1, 0, 10], spacing: 0.5 } }).text();
  expect(text).toContain('v 0 2 12\n');
  expect(text.trimEnd().endsWith('f 1 3 4')).toBe(true);
  expect(await obj(square, { placement: null }).text()).toContain('v 2 4 4\n');
});

it('draws every edge between partitions once', () => {
  const boxes = [0, 1].flatMap((z) => [0, 4, 0, 4, z * 5, z * 5 + 5]);
  const grid = new PartitionGrid([1, 1, 2], Uint32Array.from(boxes));
  expect(wireframe(grid, [0]).length / 6).toBe(12);
  expect(wireframe(grid, [0, 1]).length / 6).toBe(20);
  expect(partitionAt(grid, [3, 3, 4])).toBe(0);
  expect(partitionAt(grid, [3, 3, 5])).toBe(1);
});
