// What is kept: an ordered list of steps, evaluated from the first to the last.
//
// Steps (not the resulting set) are the state, because the snap can be switched afterwards, a region can be moved after
// others were added, and a link or a command line can name them again. States are never changed, so undo is a list.

import { type CropBox, type PartitionGrid, type Snap } from './grid';

export type { CropBox } from './grid';

export type RegionKind = 'add' | 'remove';

/** One step of a crop. Boxes are in samples of the original canvas, not yet snapped. */
export type Step =
  | { readonly op: RegionKind; readonly box: CropBox }
  | { readonly op: 'parts'; readonly parts: readonly number[] }
  | { readonly op: 'invert' };

export interface CropState {
  readonly steps: readonly Step[];
  readonly snap: Snap;
  /** The step whose handles are shown; -1 for none. */
  readonly active: number;
  /** What is dropped is hidden, not only dimmed. */
  readonly applied: boolean;
}

export const NO_CROP: CropState = { steps: [], snap: 'outer', active: -1, applied: false };

/** Smallest piece of a box that dragging leaves, in samples. */
const SMALLEST = 1e-3;

/** The partitions that a state keeps, ascending; only `present` ones count. */
export function keptPartitions(state: CropState, grid: PartitionGrid, present: Uint32Array): Uint32Array {
  // A crop that begins by naming what to keep starts from nothing; one that begins by taking away starts from all.
  const first = state.steps[0]?.op;
  const startsEmpty = first === 'add' || first === 'parts';
  const kept = new Uint8Array(grid.count).fill(startsEmpty ? 0 : 1);
  for (const step of state.steps) {
    switch (step.op) {
      case 'invert':
        for (let i = 0; i < kept.length; i++) kept[i] = kept[i] ? 0 : 1;
        break;
      case 'parts':
        for (const part of step.parts) if (part < kept.length) kept[part] = 1;
        break;
      default: {
        const r = grid.snap(step.box, state.snap);
        if (r) for (const part of grid.inside(r)) kept[part] = step.op === 'add' ? 1 : 0;
      }
    }
  }
  return present.filter((part) => kept[part]);
}

/** Whether a state leaves everything in. */
export function isWhole(state: CropState): boolean {
  return state.steps.length === 0;
}

/** Starts over with one region. */
export function replaceWith(state: CropState, box: CropBox): CropState {
  return { ...state, steps: [{ op: 'add', box }], active: 0, applied: false };
}

/** Adds a region to, or takes one out of, what is kept. */
export function append(state: CropState, op: RegionKind, box: CropBox): CropState {
  return { ...state, steps: [...state.steps, { op, box }], active: state.steps.length, applied: false };
}

/** Keeps exactly these partitions; a rectangle of them becomes a region with handles. */
export function keepParts(state: CropState, parts: readonly number[], grid: PartitionGrid): CropState {
  const rectangle = grid.rectangleOf(parts);
  if (rectangle) return replaceWith(state, grid.region(rectangle));
  return { ...state, steps: [{ op: 'parts', parts }], active: -1, applied: false };
}

/** Swaps what is kept and what is dropped; twice is nothing. */
export function invert(state: CropState): CropState {
  const steps = state.steps;
  if (steps[steps.length - 1]?.op === 'invert') {
    return { ...state, steps: steps.slice(0, -1), active: Math.min(state.active, steps.length - 2), applied: false };
  }
  return { ...state, steps: [...steps, { op: 'invert' }], applied: false };
}

/** Takes one region back. */
export function removeStep(state: CropState, index: number): CropState {
  const steps = state.steps.filter((_, i) => i !== index);
  let active = -1;
  for (let i = 0; i < steps.length; i++) if (isRegion(steps[i])) active = i;
  return { ...state, steps, active, applied: false };
}

export function isRegion(step: Step | undefined): step is { readonly op: RegionKind; readonly box: CropBox } {
  return step?.op === 'add' || step?.op === 'remove';
}

function withBox(state: CropState, index: number, box: CropBox): CropState {
  const steps = state.steps.map((step, i) => (i === index && isRegion(step) ? { op: step.op, box } : step));
  return { ...state, steps, active: index, applied: false };
}

/** The edges that a handle moves: -1 the first, 1 the last, 0 none. The body moves both axes whole. */
export interface Handle {
  readonly vertical: -1 | 0 | 1;
  readonly horizontal: -1 | 0 | 1;
  /** Along the planes; only videos and shapes have such handles. */
  readonly deep?: -1 | 0 | 1;
}

/** Moves the edges of a region to a point in samples, keeping it inside the picture and at least one partition wide. */
export function dragEdges(state: CropState, index: number, handle: Handle, row: number, column: number, grid: PartitionGrid, plane = 0): CropState {
  const step = state.steps[index];
  if (!isRegion(step)) return state;
  const rows = axisTo(step.box.row0, step.box.row1, handle.vertical, row, grid.rowEdges);
  const columns = axisTo(step.box.column0, step.box.column1, handle.horizontal, column, grid.columnEdges);
  const planes = axisTo(step.box.plane0 ?? 0, step.box.plane1 ?? lastOf(grid.planeEdges), handle.deep ?? 0, plane, grid.planeEdges);
  return withBox(state, index, { ...step.box, ...withPlanes(grid, planes), row0: rows[0], row1: rows[1], column0: columns[0], column1: columns[1] });
}

function axisTo(start: number, end: number, side: -1 | 0 | 1, to: number, edges: readonly number[]): [number, number] {
  const last = lastOf(edges);
  if (side < 0) return [Math.max(0, Math.min(to, end - SMALLEST)), end];
  if (side > 0) return [start, Math.min(last, Math.max(to, start + SMALLEST))];
  return [start, end];
}

function lastOf(edges: readonly number[]): number {
  return edges[edges.length - 1] ?? 0;
}

function withPlanes(grid: PartitionGrid, [plane0, plane1]: readonly [number, number]): { plane0?: number; plane1?: number } {
  return grid.planes > 1 ? { plane0, plane1 } : {};
}

/** Moves the edges of a region by whole partitions (arrow keys). */
export function stepEdges(state: CropState, index: number, handle: Handle, down: number, right: number, grid: PartitionGrid, deeper = 0): CropState {
  const step = state.steps[index];
  if (!isRegion(step)) return state;
  const r = grid.snap(step.box, state.snap) ?? grid.snap(step.box, 'outer');
  if (!r) return state;
  const axis = (a: number, b: number, side: number, by: number, count: number): [number, number] => {
    if (side < 0) return [Math.max(0, Math.min(a + by, b - 1)), b];
    if (side > 0) return [a, Math.min(count, Math.max(b + by, a + 1))];
    return [a, b];
  };
  const rows = axis(r.row0, r.row1, handle.vertical, down, grid.rows);
  const columns = axis(r.column0, r.column1, handle.horizontal, right, grid.columns);
  const planes = axis(r.plane0 ?? 0, r.plane1 ?? grid.planes, handle.deep ?? 0, deeper, grid.planes);
  return withBox(state, index, grid.region({ plane0: planes[0], plane1: planes[1], row0: rows[0], row1: rows[1], column0: columns[0], column1: columns[1] }));
}

/** Moves a whole region by partitions; it stops at the border with its size kept. */
export function moveRegion(state: CropState, index: number, down: number, right: number, grid: PartitionGrid, deeper = 0): CropState {
  const step = state.steps[index];
  if (!isRegion(step)) return state;
  const r = grid.snap(step.box, state.snap) ?? grid.snap(step.box, 'outer');
  if (!r) return state;
  const dy = Math.max(-r.row0, Math.min(down, grid.rows - r.row1));
  const dx = Math.max(-r.column0, Math.min(right, grid.columns - r.column1));
  const [plane0, plane1] = [r.plane0 ?? 0, r.plane1 ?? grid.planes];
  const dz = Math.max(-plane0, Math.min(deeper, grid.planes - plane1));
  return withBox(state, index, grid.region({ plane0: plane0 + dz, plane1: plane1 + dz, row0: r.row0 + dy, row1: r.row1 + dy, column0: r.column0 + dx, column1: r.column1 + dx }));
}

/** Moves a region to start at a point in samples, size kept (dragging its body). */
export function placeRegion(state: CropState, index: number, row: number, column: number, grid: PartitionGrid, plane?: number): CropState {
  const step = state.steps[index];
  if (!isRegion(step)) return state;
  const height = step.box.row1 - step.box.row0;
  const width = step.box.column1 - step.box.column0;
  const row0 = Math.max(0, Math.min(row, lastOf(grid.rowEdges) - height));
  const column0 = Math.max(0, Math.min(column, lastOf(grid.columnEdges) - width));
  const moved = { ...step.box, row0, row1: row0 + height, column0, column1: column0 + width };
  if (plane === undefined || step.box.plane0 === undefined || step.box.plane1 === undefined) return withBox(state, index, moved);
  const depth = step.box.plane1 - step.box.plane0;
  const plane0 = Math.max(0, Math.min(plane, lastOf(grid.planeEdges) - depth));
  return withBox(state, index, { ...moved, plane0, plane1: plane0 + depth });
}

/** `parts=0-3,7` of the selector grammar. */
export function partsSelector(parts: ArrayLike<number>): string {
  const runs: string[] = [];
  for (let i = 0; i < parts.length; ) {
    let j = i;
    while (j + 1 < parts.length && parts[j + 1] === (parts[j] ?? 0) + 1) j += 1;
    runs.push(j > i ? `${parts[i]}-${parts[j]}` : `${parts[i]}`);
    i = j + 1;
  }
  return `parts=${runs.join(',')}`;
}

/** What the selector of a set depends on beside the grid. */
export interface SelectedSignal {
  readonly kind: 'picture' | 'sound' | 'video' | 'shape';
  readonly rate: readonly [number, number];
}

/** The shortest selector for a set: `WxH+X+Y` for a box of a picture or of all frames, `t=1.2..3.4` for a time, both
 * joined by `@` for a box during a time, `box=0..8,0..8,4..8` for a box of a shape, else the list. Of `present`, where it
 * is given, a box needs to hold no others. */
export function selectorFor(parts: Uint32Array, grid: PartitionGrid, signal: SelectedSignal, present: Uint32Array | null = null): string {
  const r = grid.rectangleOf(parts, present);
  if (!r) return partsSelector(parts);
  const box = grid.region(r);
  if (signal.kind === 'shape') return `box=${box.plane0 ?? 0}..${box.plane1 ?? lastOf(grid.planeEdges)},${box.row0}..${box.row1},${box.column0}..${box.column1}`;
  const rate = signal.rate[0] / signal.rate[1];
  if (signal.kind === 'sound') return rate > 0 ? timeSelector(box.column0, box.column1, lastOf(grid.columnEdges), rate) : partsSelector(parts);
  const plane = `${box.column1 - box.column0}x${box.row1 - box.row0}+${box.column0}+${box.row0}`;
  if (grid.planes === 1 || (r.plane0 === 0 && r.plane1 === grid.planes)) return plane;
  const whole = r.row0 === 0 && r.column0 === 0 && r.row1 === grid.rows && r.column1 === grid.columns;
  if (!(rate > 0)) return partsSelector(parts);
  const time = timeSelector(box.plane0 ?? 0, box.plane1 ?? 0, lastOf(grid.planeEdges), rate);
  return whole ? time : `${plane}@${time}`;
}

/** `t=1.2..3.4` with as few digits as name exactly the samples `start..end` of `count`. A time counts as a sample edge
 * when it is within a millionth of a sample of it. */
export function timeSelector(start: number, end: number, count: number, rate: number): string {
  const from = start === 0 ? '0' : shortest(start / rate, (start + 0.9) / rate);
  const to = end >= count ? '' : shortest((end - 0.9) / rate, end / rate);
  return `t=${from}..${to}`;
}

/** The decimal with the fewest digits between two numbers. */
function shortest(low: number, high: number): string {
  for (let digits = 0; digits < 12; digits++) {
    const scale = 10 ** digits;
    const found = Math.ceil(low * scale - 1e-9) / scale;
    if (found <= high + 1e-12) return found.toFixed(digits);
  }
  return high.toString();
}

/** A word of a POSIX shell: quoted only where it has to be. */
export function shellWord(text: string): string {
  return /^[\w@%+:,./-]+$/.test(text) && !text.startsWith('-') ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The command line that makes the same crop. */
export function cropCommand(name: string, parts: ArrayLike<number>): string {
  const file = name.startsWith('-') ? `./${name}` : name;
  return `tessera crop ${shellWord(file)} -o ${shellWord(croppedName(file, 'inr'))} --keep '${partsSelector(parts)}'`;
}

/** `photo.inr` to `photo-cropped.inr`. */
export function croppedName(name: string, extension: string): string {
  return `${name.replace(/\.inr$/i, '').replace(/-cropped$/, '')}-cropped.${extension}`;
}
