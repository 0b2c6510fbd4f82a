// The partition grid of a picture, and what boxes of samples mean on it.
//
// The borders come from the decoder (`partition_boxes`), not from a formula of our own: a second formula could disagree
// with the file's rule by one sample and nobody would see it.

import type { Region } from './transform';

/** A half-open rectangle of partitions. */
export interface PartitionRectangle {
  readonly row0: number;
  readonly row1: number;
  readonly column0: number;
  readonly column1: number;
}

/** Which partitions a box of samples means: those that it touches, or those that lie inside it whole. */
export type Snap = 'outer' | 'inner';

export class PartitionGrid {
  /** Partitions along both axes. */
  readonly rows: number;
  readonly columns: number;
  /** Sample edges between partitions: `rows + 1` and `columns + 1` ascending numbers. */
  readonly rowEdges: readonly number[];
  readonly columnEdges: readonly number[];

  /** `boxes` holds row0, row1, column0, column1 of every partition, row-major over the factors. */
  constructor(factors: readonly number[], boxes: Uint32Array) {
    const [rows = 1, columns = 1] = factors;
    this.rows = rows;
    this.columns = columns;
    this.rowEdges = [0, ...Array.from({ length: rows }, (_, r) => boxes[r * columns * 4 + 1] ?? 0)];
    this.columnEdges = [0, ...Array.from({ length: columns }, (_, c) => boxes[c * 4 + 3] ?? 0)];
  }

  get count(): number {
    return this.rows * this.columns;
  }

  /** Sample box of a rectangle of partitions. */
  region(r: PartitionRectangle): Region {
    return {
      row0: this.rowEdges[r.row0] ?? 0,
      row1: this.rowEdges[r.row1] ?? 0,
      column0: this.columnEdges[r.column0] ?? 0,
      column1: this.columnEdges[r.column1] ?? 0,
    };
  }

  /** Sample box of one partition. */
  partition(index: number): Region {
    const row = Math.floor(index / this.columns);
    const column = index % this.columns;
    return this.region({ row0: row, row1: row + 1, column0: column, column1: column + 1 });
  }

  /** The smallest region around some partitions; of none, one that ends before it begins. */
  boundsOf(parts: Iterable<number>): Region {
    const box = { row0: Infinity, row1: 0, column0: Infinity, column1: 0 };
    for (const part of parts) {
      const p = this.partition(part);
      box.row0 = Math.min(box.row0, p.row0);
      box.row1 = Math.max(box.row1, p.row1);
      box.column0 = Math.min(box.column0, p.column0);
      box.column1 = Math.max(box.column1, p.column1);
    }
    return box;
  }

  /** The partition that holds a point; points outside belong to the border. */
  at(row: number, column: number): number {
    return locate(this.rowEdges, row) * this.columns + locate(this.columnEdges, column);
  }

  /** The partitions that a box of samples means; `null` for none (an empty box, or nothing whole inside). */
  snap(box: Region, snap: Snap): PartitionRectangle | null {
    const rows = snapAxis(this.rowEdges, box.row0, box.row1, snap);
    const columns = snapAxis(this.columnEdges, box.column0, box.column1, snap);
    return rows && columns ? { row0: rows[0], row1: rows[1], column0: columns[0], column1: columns[1] } : null;
  }

  /** The one rectangle that a set of partitions fills exactly; `null` for any other shape. */
  rectangleOf(partitions: Iterable<number>): PartitionRectangle | null {
    let row0 = this.rows, row1 = 0, column0 = this.columns, column1 = 0, count = 0;
    for (const index of partitions) {
      const row = Math.floor(index / this.columns);
      const column = index % this.columns;
      row0 = Math.min(row0, row);
      row1 = Math.max(row1, row + 1);
      column0 = Math.min(column0, column);
      column1 = Math.max(column1, column + 1);
      count += 1;
    }
    return count > 0 && (row1 - row0) * (column1 - column0) === count ? { row0, row1, column0, column1 } : null;
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
