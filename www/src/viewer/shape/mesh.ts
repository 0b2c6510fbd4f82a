// The surface of a field, from coarse to fine, and as a file.

import type { Decoder } from '../../worker/client';
import type { FileInfo } from '../../worker/protocol';
import type { Opened } from '../stage';
import type { Mesh } from './draw';

/** Cells along the longest side, one pass after the other; the last pass takes the stored samples. */
const PASSES = [24, 56, 128];
/** Samples of the finest pass on the screen. */
const MOST_SAMPLES = 1 << 24;

/** What is sampled: a box in sample edges, and how many samples along each axis. */
export interface Sampling {
  readonly edges: readonly number[];
  readonly shape: readonly number[];
}

/** The passes over what is present of a file. */
export function passes(info: Pick<FileInfo, 'bounds'>): Sampling[] {
  const edges = info.bounds.flat();
  const sides = info.bounds.map(([start, end]) => end - start);
  const longest = Math.max(...sides);
  const cut = (cells: number) => ({ edges, shape: sides.map((side) => Math.max(1, Math.round((side * cells) / longest))) });
  const samples = ({ shape }: Sampling) => shape.reduce((product, n) => product * n, 1);
  let finest = longest;
  while (finest > 1 && samples(cut(finest)) > MOST_SAMPLES) finest -= 1;
  return [...PASSES.filter((cells) => cells < finest * 0.75), finest].map(cut);
}

/** Asks for the surface of a box, of all that is present or of some parts of it. */
export async function surface(decoder: Decoder, opened: Opened, sampling: Sampling, parts: Uint32Array | null, options: { signal?: AbortSignal; progress?: (fraction: number) => void }): Promise<Mesh> {
  const { edges, shape } = sampling;
  const found = await decoder.call({ type: 'surface', generation: opened.generation, edges, shape, parts }, options);
  // From the samples that were taken to those of the canvas.
  const [offset, step] = [new Float64Array(3), new Float64Array(3)];
  for (let axis = 0; axis < 3; axis++) {
    const cell = ((edges[2 * axis + 1] ?? 0) - (edges[2 * axis] ?? 0)) / (shape[axis] ?? 1);
    step[axis] = cell;
    offset[axis] = (edges[2 * axis] ?? 0) + 0.5 * cell - 0.5;
  }
  for (let i = 0; i < found.positions.length; i++) found.positions[i] = (found.positions[i] as number) * (step[i % 3] as number) + (offset[i % 3] as number);
  return found;
}

/** A Wavefront OBJ in the coordinates of the source, where the file knows them, else in samples. */
export function obj({ positions, triangles }: Mesh, info: Pick<FileInfo, 'placement'>): Blob {
  const origin = info.placement?.origin ?? [0, 0, 0];
  const spacing = info.placement?.spacing ?? 1;
  const lines: string[] = ['# A surface of a Tessera field'];
  const pieces: string[] = [];
  const flush = () => {
    pieces.push(`${lines.join('\n')}\n`);
    lines.length = 0;
  };
  for (let i = 0; i < positions.length; i += 3) {
    const at = (axis: 0 | 1 | 2) => Number(((origin[axis] ?? 0) + spacing * (positions[i + axis] as number)).toPrecision(7));
    lines.push(`v ${at(0)} ${at(1)} ${at(2)}`);
    if (lines.length > 50_000) flush();
  }
  for (let i = 0; i < triangles.length; i += 3) {
    lines.push(`f ${(triangles[i] as number) + 1} ${(triangles[i + 1] as number) + 1} ${(triangles[i + 2] as number) + 1}`);
    if (lines.length > 50_000) flush();
  }
  flush();
  return new Blob(pieces, { type: 'model/obj' });
}

/** The first triangle that a ray meets: how far away, in its own lengths; `null` for none. */
export function hit({ positions, triangles }: Mesh, from: readonly number[], ray: readonly number[], counts: (point: readonly [number, number, number]) => boolean): readonly [number, number, number] | null {
  let nearest = Infinity;
  const at = (corner: number, axis: number) => positions[(triangles[corner] as number) * 3 + axis] as number;
  const [fx = 0, fy = 0, fz = 0] = from;
  const [dx = 0, dy = 0, dz = 0] = ray;
  const point = (t: number) => [fx + dx * t, fy + dy * t, fz + dz * t] as const;
  // Möller and Trumbore: two cross products per triangle.
  for (let t = 0; t < triangles.length; t += 3) {
    const [x0, y0, z0] = [at(t, 0), at(t, 1), at(t, 2)];
    const [ux, uy, uz] = [at(t + 1, 0) - x0, at(t + 1, 1) - y0, at(t + 1, 2) - z0];
    const [vx, vy, vz] = [at(t + 2, 0) - x0, at(t + 2, 1) - y0, at(t + 2, 2) - z0];
    const [px, py, pz] = [dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx];
    const determinant = ux * px + uy * py + uz * pz;
    if (Math.abs(determinant) < 1e-12) continue;
    const [sx, sy, sz] = [fx - x0, fy - y0, fz - z0];
    const u = (sx * px + sy * py + sz * pz) / determinant;
    if (u < 0 || u > 1) continue;
    const [qx, qy, qz] = [sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux];
    const v = (dx * qx + dy * qy + dz * qz) / determinant;
    if (v < 0 || u + v > 1) continue;
    const distance = (vx * qx + vy * qy + vz * qz) / determinant;
    if (distance > 0 && distance < nearest && counts(point(distance))) nearest = distance;
  }
  return nearest === Infinity ? null : point(nearest);
}
