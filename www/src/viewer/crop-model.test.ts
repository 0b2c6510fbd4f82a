import { describe, expect, it } from 'vitest';
import { append, cropCommand, croppedName, dragEdges, invert, keepParts, keptPartitions, moveRegion, NO_CROP, partsSelector, placeRegion, removeStep, replaceWith, selectorFor, timeSelector, stepEdges } from './crop-model';
import { locate, PartitionGrid } from './grid';

/** The file's rule for axes that do not divide: the first partitions are one sample larger. */
function gridOf(height: number, width: number, rows: number, columns: number): PartitionGrid {
  const edge = (n: number, c: number, i: number) => i * Math.floor(n / c) + Math.min(i, n % c);
  const boxes: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) boxes.push(edge(height, rows, r), edge(height, rows, r + 1), edge(width, columns, c), edge(width, columns, c + 1));
  }
  return new PartitionGrid([rows, columns], Uint32Array.from(boxes));
}

const grid = gridOf(40, 80, 4, 8);
const all = Uint32Array.from({ length: 32 }, (_, i) => i);
const box = (row0: number, row1: number, column0: number, column1: number) => ({ row0, row1, column0, column1 });
const kept = (state: typeof NO_CROP, present = all) => [...keptPartitions(state, grid, present)];

describe('grid', () => {
  it('takes uneven borders from the boxes', () => {
    const uneven = gridOf(7, 5, 2, 3);
    expect(uneven.rowEdges).toEqual([0, 4, 7]);
    expect(uneven.columnEdges).toEqual([0, 2, 4, 5]);
    expect(uneven.at(3.9, 4.5)).toBe(2);
    expect(uneven.at(99, -1)).toBe(3);
    expect(locate([0, 4, 7], 4)).toBe(1);
  });

  it('snaps outwards to what is touched and inwards to what is whole', () => {
    expect(grid.snap(box(5, 25, 11, 30), 'outer')).toEqual(box(0, 3, 1, 3));
    expect(grid.snap(box(5, 25, 11, 30), 'inner')).toEqual(box(1, 2, 2, 3));
    expect(grid.snap(box(10, 20, 10, 20), 'outer')).toEqual(box(1, 2, 1, 2));
    expect(grid.snap(box(10, 20, 10, 20), 'inner')).toEqual(box(1, 2, 1, 2));
    expect(grid.snap(box(11, 19, 11, 19), 'inner')).toBeNull();
    expect(grid.snap(box(0, 40, 0, 80), 'inner')).toEqual(box(0, 4, 0, 8));
    expect(grid.snap(box(-9, 99, -9, 99), 'outer')).toEqual(box(0, 4, 0, 8));
    expect(grid.snap(box(50, 60, 0, 8), 'outer')).toBeNull();
  });

  it('recognises a filled rectangle', () => {
    expect(grid.rectangleOf([9, 10, 17, 18])).toEqual(box(1, 3, 1, 3));
    expect(grid.rectangleOf([9, 10, 17])).toBeNull();
    expect(grid.rectangleOf([])).toBeNull();
  });
});

describe('crop', () => {
  it('keeps all that is present without a step', () => {
    expect(kept(NO_CROP)).toHaveLength(32);
    expect(kept(NO_CROP, Uint32Array.of(3, 9))).toEqual([3, 9]);
  });

  it('adds, removes and inverts in order', () => {
    let state = replaceWith(NO_CROP, box(0, 20, 0, 20));
    expect(kept(state)).toEqual([0, 1, 8, 9]);
    state = append(state, 'add', box(30, 40, 70, 80));
    state = append(state, 'remove', box(0, 10, 0, 10));
    expect(kept(state)).toEqual([1, 8, 9, 31]);
    expect(kept(invert(state))).toHaveLength(28);
    expect(invert(invert(state)).steps).toEqual(state.steps);
  });

  it('starts from everything when it begins by taking away', () => {
    expect(kept(append(NO_CROP, 'remove', box(0, 10, 0, 80)))).toHaveLength(24);
    expect(kept(invert(NO_CROP))).toEqual([]);
  });

  it('never keeps what the file does not hold', () => {
    expect(kept(replaceWith(NO_CROP, box(0, 20, 0, 20)), Uint32Array.of(1, 30))).toEqual([1]);
  });

  it('moves edges by partitions and stops at the border and at one partition', () => {
    let state = replaceWith(NO_CROP, box(10, 20, 10, 30));
    state = stepEdges(state, 0, { vertical: 0, horizontal: 1 }, 0, 8, grid);
    expect(state.steps[0]).toEqual({ op: 'add', box: box(10, 20, 10, 80) });
    state = stepEdges(state, 0, { vertical: 0, horizontal: -1 }, 0, 99, grid);
    expect(state.steps[0]).toEqual({ op: 'add', box: box(10, 20, 70, 80) });
    state = stepEdges(state, 0, { vertical: -1, horizontal: 0 }, -8, 0, grid);
    expect(state.steps[0]).toEqual({ op: 'add', box: box(0, 20, 70, 80) });
  });

  it('starts keyboard steps from what is shown, also after a free drag', () => {
    const state = stepEdges(replaceWith(NO_CROP, box(13, 17, 13, 27)), 0, { vertical: 1, horizontal: 1 }, 1, 1, grid);
    expect(state.steps[0]).toEqual({ op: 'add', box: box(10, 30, 10, 40) });
  });

  it('moves a region with its size kept', () => {
    const state = moveRegion(replaceWith(NO_CROP, box(10, 20, 10, 30)), 0, 8, 1, grid);
    expect(state.steps[0]).toEqual({ op: 'add', box: box(30, 40, 20, 40) });
    const placed = placeRegion(state, 0, -5, 75, grid);
    expect(placed.steps[0]).toEqual({ op: 'add', box: box(0, 10, 60, 80) });
  });

  it('drags an edge but never through the other one', () => {
    const state = dragEdges(replaceWith(NO_CROP, box(10, 20, 10, 30)), 0, { vertical: 1, horizontal: -1 }, 4, 95, grid);
    const step = state.steps[0];
    expect(step && 'box' in step && step.box.row1).toBeGreaterThan(10);
    expect(step && 'box' in step && step.box.column0).toBeLessThan(30);
    expect(kept(state)).toHaveLength(1);
  });

  it('takes a region back and hands the handles to the last one left', () => {
    let state = append(replaceWith(NO_CROP, box(0, 10, 0, 10)), 'add', box(20, 30, 20, 30));
    state = removeStep(state, 1);
    expect(state.active).toBe(0);
    expect(removeStep(state, 0).active).toBe(-1);
  });

  it('gives a rectangle of parts handles', () => {
    expect(keepParts(NO_CROP, [9, 10], grid).active).toBe(0);
    expect(keepParts(NO_CROP, [9, 12], grid).active).toBe(-1);
    expect(kept(keepParts(NO_CROP, [9, 12], grid))).toEqual([9, 12]);
  });
});

describe('selectors', () => {
  it('writes runs', () => {
    expect(partsSelector([0, 1, 2, 3, 7, 9, 10])).toBe('parts=0-3,7,9-10');
  });

  const picture = { kind: 'picture', rate: [0, 1] } as const;

  it('prefers a box', () => {
    expect(selectorFor(Uint32Array.of(9, 10, 17, 18), grid, picture)).toBe('20x20+10+10');
    expect(selectorFor(Uint32Array.of(9, 18), grid, picture)).toBe('parts=9,18');
    // What is absent anyway needs no naming.
    expect(selectorFor(Uint32Array.of(9, 18), grid, picture, Uint32Array.of(9, 18, 40))).toBe('20x20+10+10');
  });

  it('names the times of a sound with as few digits as mean its samples', () => {
    const sound = new PartitionGrid([4], Uint32Array.of(0, 11025, 11025, 22050, 22050, 33075, 33075, 44100));
    const signal = { kind: 'sound', rate: [44100, 1] } as const;
    expect(sound.rows).toBe(1);
    expect(selectorFor(Uint32Array.of(1, 2), sound, signal)).toBe('t=0.25..0.75');
    expect(selectorFor(Uint32Array.of(2, 3), sound, signal)).toBe('t=0.5..');
    expect(selectorFor(Uint32Array.of(0, 3), sound, signal)).toBe('parts=0,3');
    for (const [start, end] of [[12345, 23457], [1, 44099], [7, 8]] as const) {
      const [from, to] = timeSelector(start, end, 44100, 44100).slice(2).split('..').map(Number) as [number, number];
      expect([Math.floor(from * 44100 + 1e-6), Math.ceil(to * 44100 - 1e-6)]).toEqual([start, end]);
    }
  });

  it('knows the planes of a video', () => {
    const boxes = [0, 1].flatMap((t) => [0, 1].flatMap((r) => [0, 1].flatMap((c) => [t * 5, t * 5 + 5, r * 8, r * 8 + 8, c * 9, c * 9 + 9])));
    const video = new PartitionGrid([2, 2, 2], Uint32Array.from(boxes));
    const signal = { kind: 'video', rate: [10, 1] } as const;
    expect([video.planeEdges, video.rowEdges, video.columnEdges]).toEqual([[0, 5, 10], [0, 8, 16], [0, 9, 18]]);
    expect(video.at(9, 3, 7)).toBe(6);
    expect(selectorFor(Uint32Array.of(0, 1, 2, 3), video, signal)).toBe('t=0..0.5');
    expect(selectorFor(Uint32Array.of(1, 5), video, signal)).toBe('9x8+9+0');
    expect(selectorFor(Uint32Array.of(5), video, signal)).toBe('9x8+9+0@t=0.5..');
    expect(selectorFor(Uint32Array.of(0, 5), video, signal)).toBe('parts=0,5');
    expect(selectorFor(Uint32Array.of(1, 5), video, { kind: 'shape', rate: [0, 1] })).toBe('box=0..10,0..8,9..18');
    const all = Uint32Array.from({ length: 8 }, (_, i) => i);
    const box = replaceWith(NO_CROP, { row0: 1, row1: 2, column0: 1, column1: 2 });
    expect([...keptPartitions(box, video, all)]).toEqual([0, 4]);
    const later = stepEdges(box, 0, { vertical: 0, horizontal: 0, deep: -1 }, 0, 0, video, 1);
    expect([...keptPartitions(later, video, all)]).toEqual([4]);
    expect([...keptPartitions(moveRegion(later, 0, 0, 1, video, -1), video, all)]).toEqual([1]);
  });

  it('quotes file names for a shell', () => {
    expect(cropCommand('photo.inr', [1, 2])).toBe("tessera crop photo.inr -o photo-cropped.inr --keep 'parts=1-2'");
    expect(cropCommand("my dog's.inr", [1])).toBe("tessera crop 'my dog'\\''s.inr' -o 'my dog'\\''s-cropped.inr' --keep 'parts=1'");
    expect(cropCommand('-x.inr', [1])).toContain('./-x.inr');
    expect(croppedName('photo-cropped.inr', 'png')).toBe('photo-cropped.png');
  });
});
