// What a renderer of shapes is given. There are two: WebGL, and one without any help from the device.

import type { PartitionGrid } from '../grid';
import type { Matrix, Vector } from './camera';

/** Triangles in the samples of the canvas: axes in array order are x, y and z. */
export interface Mesh {
  readonly positions: Float32Array;
  /** Of length one, outwards. */
  readonly normals: Float32Array;
  readonly triangles: Uint32Array;
}

export type Colour = readonly [red: number, green: number, blue: number];

export interface Look {
  readonly matrix: Matrix;
  /** From the scene to the eye. */
  readonly back: Vector;
  readonly right: Vector;
  readonly up: Vector;
  /** What is dropped is gone, not only pale. */
  readonly applied: boolean;
  /** What lies beyond is cut away; `null` for no section. */
  readonly section: { readonly axis: 0 | 1 | 2; readonly at: number } | null;
  readonly wireframe: boolean;
  readonly surface: Colour;
  /** The back of the surface, seen where a section opened it. */
  readonly inside: Colour;
  readonly ground: Colour;
  readonly line: Colour;
}

export interface Renderer {
  readonly name: string;
  readonly canvas: HTMLCanvasElement;
  setMesh(mesh: Mesh | null): void;
  setGrid(grid: PartitionGrid): void;
  /** Kept and present, by partition; and the ends of the lines around the kept ones, three numbers each. */
  setKept(kept: Uint8Array, lines: Float32Array): void;
  draw(look: Look): void;
}

/** Light on a surface with this normal: from the eye, from above and from the left, never quite dark. */
export function brightness(normal: Vector, { back, right, up }: Pick<Look, 'back' | 'right' | 'up'>): number {
  const along = (a: Vector) => a[0] * normal[0] + a[1] * normal[1] + a[2] * normal[2];
  return 0.3 + 0.45 * Math.max(0, along(back)) + 0.25 * Math.max(0, 0.6 * along(up) - 0.5 * along(right) + 0.5 * along(back));
}

/** The lines around some partitions, each once: positions of both ends, in samples. */
export function wireframe(grid: PartitionGrid, parts: ArrayLike<number>): Float32Array {
  const seen = new Set<string>();
  const ends: number[] = [];
  const edges = [grid.planeEdges, grid.rowEdges, grid.columnEdges] as const;
  for (let i = 0; i < parts.length; i++) {
    const { plane, row, column } = grid.place(parts[i] ?? 0);
    const from = [plane, row, column];
    for (let axis = 0; axis < 3; axis++) {
      const [b, c] = [(axis + 1) % 3, (axis + 2) % 3];
      for (const corner of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
        const start = [...from];
        start[b] = (from[b] as number) + (corner[0] as number);
        start[c] = (from[c] as number) + (corner[1] as number);
        const key = `${axis}:${start}`;
        if (seen.has(key)) continue;
        seen.add(key);
        // A sample covers half a unit to both sides of its place.
        const place = (at: readonly number[]) => at.map((k, a) => (edges[a]?.[k] ?? 0) - 0.5);
        const end = [...start];
        end[axis] = (start[axis] as number) + 1;
        ends.push(...place(start), ...place(end));
      }
    }
  }
  return Float32Array.from(ends);
}

/** The partition of a point in samples. */
export function partitionAt(grid: PartitionGrid, [x, y, z]: Vector): number {
  return grid.at(Math.round(y), Math.round(z), Math.round(x));
}
