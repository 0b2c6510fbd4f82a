// The partition grid of a signal, and what boxes of samples mean on it.
//
// The borders come from the decoder (`partition_boxes`), not from a formula of our own: a second formula could disagree
// with the file's rule by one sample and nobody would see it.

import type { Region } from './picture/transform';

/** A half-open box of partitions. Without planes it reaches through all of them; grids of pictures and sounds have one. */
export interface PartitionRectangle {
  readonly row0: number;
  readonly row1: number;
  readonly column0: number;
  readonly column1: number;
  readonly plane0?: number;
  readonly plane1?: number;
}

/** A box of samples, in edges; without planes it reaches through all of them. */
export interface CropBox extends Region {
  readonly plane0?: number;
  readonly plane1?: number;
}

/** Which partitions a box of samples means: those that it touches, or those that lie inside it whole. */
export type Snap = 'outer' | 'inner';

export class PartitionGrid {
  /** Partitions along the axes. A sound is one plane of one row, a picture one plane; the planes of a video are times,
   * those of a shape its first direction. */
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  /** Sample edges between partitions: ascending, one more than there are partitions. */
  readonly planeEdges: readonly number[];
  readonly rowEdges: readonly number[];
  readonly columnEdges: readonly number[];

  /** `boxes` holds start and end along every axis of every partition, row-major over the factors. */
  constructor(factors: readonly number[], boxes: Uint32Array) {
    const axes = factors.length;
    const missing = 3 - axes;
    const edges = Array.from({ length: 3 }, (_, place) => {
      const axis = place - missing;
      if (axis < 0) return [0, 1];
      const stride = factors.slice(axis + 1).reduce((product, n) => product * n, 1);
      return [0, ...Array.from({ length: factors[axis] ?? 1 }, (_, i) => boxes[i * stride * 2 * axes + 2 * axis + 1] ?? 0)];
    });
    [this.planeEdges = [0, 1], this.rowEdges = [0, 1], this.columnEdges = [0, 1]] = edges;
    this.planes = this.planeEdges.length - 1;
    this.rows = this.rowEdges.length - 1;
    this.columns = this.columnEdges.length - 1;
  }

  get count(): number {
    return this.planes * this.rows * this.columns;
  }

  /** All samples. */
  get whole(): CropBox {
    return this.region({ plane0: 0, plane1: this.planes, row0: 0, row1: this.rows, column0: 0, column1: this.columns });
  }

  /** Sample box of a box of partitions. */
  region(r: PartitionRectangle): CropBox {
    return {
      row0: this.rowEdges[r.row0] ?? 0,
      row1: this.rowEdges[r.row1] ?? 0,
      column0: this.columnEdges[r.column0] ?? 0,
      column1: this.columnEdges[r.column1] ?? 0,
      ...(this.planes > 1 ? { plane0: this.planeEdges[r.plane0 ?? 0] ?? 0, plane1: this.planeEdges[r.plane1 ?? this.planes] ?? 0 } : {}),
    };
  }

  /** Plane, row and column of a partition. */
  place(index: number): { readonly plane: number; readonly row: number; readonly column: number } {
    const column = index % this.columns;
    const row = Math.floor(index / this.columns) % this.rows;
    return { plane: Math.floor(index / (this.columns * this.rows)), row, column };
  }

  /** The partitions of a box of partitions, ascending. */
  inside(r: PartitionRectangle): number[] {
    const parts: number[] = [];
    for (let plane = r.plane0 ?? 0; plane < (r.plane1 ?? this.planes); plane++) {
      for (let row = r.row0; row < r.row1; row++) {
        for (let column = r.column0; column < r.column1; column++) parts.push((plane * this.rows + row) * this.columns + column);
      }
    }
    return parts;
  }

  /** Sample box of one partition. */
  partition(index: number): CropBox {
    const { plane, row, column } = this.place(index);
    return this.region({ plane0: plane, plane1: plane + 1, row0: row, row1: row + 1, column0: column, column1: column + 1 });
  }

  /** The smallest box around some partitions; of none, one that ends before it begins. */
  boundsOf(parts: Iterable<number>): CropBox {
    const box = { plane0: Infinity, plane1: 0, row0: Infinity, row1: 0, column0: Infinity, column1: 0 };
    for (const part of parts) {
      const p = this.partition(part);
      box.plane0 = Math.min(box.plane0, p.plane0 ?? 0);
      box.plane1 = Math.max(box.plane1, p.plane1 ?? 1);
      box.row0 = Math.min(box.row0, p.row0);
      box.row1 = Math.max(box.row1, p.row1);
      box.column0 = Math.min(box.column0, p.column0);
      box.column1 = Math.max(box.column1, p.column1);
    }
    const { plane0, plane1, ...rest } = box;
    return this.planes > 1 ? box : rest;
  }

  /** The partition that holds a point; points outside belong to the border. */
  at(row: number, column: number, plane = 0): number {
    return (locate(this.planeEdges, plane) * this.rows + locate(this.rowEdges, row)) * this.columns + locate(this.columnEdges, column);
  }

  /** The partitions that a box of samples means; `null` for none (an empty box, or nothing whole inside). */
  snap(box: CropBox, snap: Snap): PartitionRectangle | null {
    const rows = snapAxis(this.rowEdges, box.row0, box.row1, snap);
    const columns = snapAxis(this.columnEdges, box.column0, box.column1, snap);
    const planes = snapAxis(this.planeEdges, box.plane0 ?? 0, box.plane1 ?? Infinity, snap);
    if (!rows || !columns || !planes) return null;
    return {
      row0: rows[0], row1: rows[1], column0: columns[0], column1: columns[1],
      ...(this.planes > 1 ? { plane0: planes[0], plane1: planes[1] } : {}),
    };
  }

  /** The one box of which a set of partitions is all that counts: all of it, or with `present` all of it that is present;
   * `null` for any other set. */
  rectangleOf(partitions: Iterable<number>, present: Uint32Array | null = null): PartitionRectangle | null {
    let plane0 = this.planes, plane1 = 0, row0 = this.rows, row1 = 0, column0 = this.columns, column1 = 0, count = 0;
    for (const index of partitions) {
      const { plane, row, column } = this.place(index);
      plane0 = Math.min(plane0, plane);
      plane1 = Math.max(plane1, plane + 1);
      row0 = Math.min(row0, row);
      row1 = Math.max(row1, row + 1);
      column0 = Math.min(column0, column);
      column1 = Math.max(column1, column + 1);
      count += 1;
    }
    const inside = (index: number) => {
      const { plane, row, column } = this.place(index);
      return plane >= plane0 && plane < plane1 && row >= row0 && row < row1 && column >= column0 && column < column1;
    };
    const all = present ? present.reduce((sum, index) => sum + (inside(index) ? 1 : 0), 0) : (plane1 - plane0) * (row1 - row0) * (column1 - column0);
    if (count === 0 || all !== count) return null;
    return { row0, row1, column0, column1, ...(this.planes > 1 ? { plane0, plane1 } : {}) };
  }
}

/** Index of the interval of `edges` that holds `value`. */
export function locate(edges: readonly number[], value: number): number {
  let low = 0;
  let high = edges.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((edges[middle] ?? 0) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

function snapAxis(edges: readonly number[], start: number, end: number, snap: Snap): [number, number] | null {
  const last = edges[edges.length - 1] ?? 0;
  const from = Math.max(start, 0);
  const to = Math.min(end, last);
  if (!(to > from)) return null;
  let first = locate(edges, from);
  // The interval that ends at or after `to`: an end on a border does not touch the next partition.
  let final = locate(edges, to);
  if ((edges[final] ?? 0) < to) final += 1;
  if (snap === 'inner') {
    if ((edges[first] ?? 0) < from) first += 1;
    final = locate(edges, to);
    if ((edges[final + 1] ?? Infinity) <= to) final += 1;
  }
  return final > first ? [first, final] : null;
}
