import { beforeEach, describe, expect, it } from 'vitest';
import { CHUNK, Playhead } from './playhead';

/** A sound of two channels whose samples are their own numbers, the second one negative. */
function chunk(index: number): Float32Array[] {
  const own = Float32Array.from({ length: CHUNK }, (_, i) => index * CHUNK + i);
  return [own, own.map((v) => -v)];
}

describe('a playhead', () => {
  let head: Playhead;
  const render = (length: number) => {
    const outputs = [new Float32Array(length).fill(9), new Float32Array(length).fill(9)];
    head.render(outputs);
    return outputs.map((output) => [...output]) as [number[], number[]];
  };

  beforeEach(() => {
    head = new Playhead(2);
    head.range = { start: 0, end: 3 * CHUNK };
    head.playing = true;
    for (const index of [0, 1, 2]) head.put(index, chunk(index));
  });

  it('plays samples as they are, across the border of two chunks', () => {
    head.position = CHUNK - 2;
    expect(render(4)).toEqual([[CHUNK - 2, CHUNK - 1, CHUNK, CHUNK + 1], [2 - CHUNK, 1 - CHUNK, -CHUNK, -CHUNK - 1]]);
    expect(head.starved).toBe(0);
  });

  it('is silent before it plays, and stops at the end', () => {
    head.playing = false;
    expect(render(2)[0]).toEqual([0, 0]);
    head.playing = true;
    head.range = { start: 0, end: 12 };
    head.position = 10;
    expect(render(4)[0]).toEqual([10, 11, 0, 0]);
    expect([head.playing, head.ended, head.position]).toEqual([false, true, 12]);
  });

  it('goes round a loop without a gap', () => {
    head.loop = true;
    head.range = { start: 5, end: 8 };
    head.position = 7;
    expect(render(5)[0]).toEqual([7, 5, 6, 7, 5]);
  });

  it('waits for what is not decoded, and counts it', () => {
    head.drop(1);
    head.position = CHUNK - 1;
    expect(render(3)[0]).toEqual([CHUNK - 1, 0, 0]);
    expect([head.position, head.starved]).toEqual([CHUNK, 2]);
    head.put(1, chunk(1));
    expect(render(1)[0]).toEqual([CHUNK]);
  });

  it('draws a cubic between samples, which is exact on a line', () => {
    head.step = 0.25;
    head.position = CHUNK - 1;
    expect(render(6)[0]).toEqual([0, 0.25, 0.5, 0.75, 1, 1.25].map((v) => CHUNK - 1 + v));
  });
});
