import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { TileRequest as Request } from '../../worker/protocol';

type TileRequest = Omit<Request, 'frame'>;
import { Screen } from './screen';

// The screen only passes pixels on; a canvas that swallows every call is enough here.
const context = new Proxy({}, { get: () => () => undefined, set: () => true });
const made: FakeCanvas[] = [];
class FakeCanvas extends EventTarget {
  hidden = false;
  readonly style = { setProperty: () => undefined };
  constructor(public width = 1, public height = 1) {
    super();
    made.push(this);
  }
  getContext() { return context; }
}
vi.stubGlobal('OffscreenCanvas', FakeCanvas);
vi.stubGlobal('ImageData', class {});
vi.stubGlobal('requestAnimationFrame', () => 1);
vi.stubGlobal('cancelAnimationFrame', () => undefined);

describe('screen', () => {
  let asked: readonly Omit<TileRequest, 'frame'>[] = [];
  let screen: Screen;
  let picture: FakeCanvas;
  let painted = 0;

  const show = (generation: number) => {
    screen.reset({ width: 64, height: 64 }, generation);
    screen.fit();
    screen.refresh();
  };
  const answer = (tile: TileRequest, generation = tile.generation) =>
    screen.receive({
      kind: 'band', frame: 0, generation, key: tile.key, row: 0, rows: tile.rows, columns: tile.columns,
      pixels: new Uint8ClampedArray(tile.rows * tile.columns * 4), done: true,
    });

  beforeEach(() => {
    vi.useFakeTimers();
    const canvas = () => new FakeCanvas() as unknown as HTMLCanvasElement;
    picture = new FakeCanvas();
    screen = new Screen(picture as unknown as HTMLCanvasElement, canvas(), canvas(), {
      request: (tiles) => { asked = tiles; },
      drawUnder: () => { painted += 1; }, drawOver: () => {}, drawOverlay: () => {}, moved: () => {}, quality: () => {},
    });
    screen.resize(100, 100, 1);
    return () => vi.useRealTimers();
  });

  it('asks for the tiles of the open file, and takes them', () => {
    show(1);
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.every((tile) => tile.generation === 1)).toBe(true);
    for (const tile of asked) expect(answer(tile)).toBe(true);
    vi.runAllTimers();
    expect(screen.complete).toBe(true);
  });

  it('takes no rows of the file before, though places have the same keys', () => {
    show(1);
    const before = asked;
    show(2);
    expect(asked.map((tile) => tile.key)).toEqual(before.map((tile) => tile.key));
    for (const tile of before) expect(answer(tile)).toBe(false);
    expect(screen.complete).toBe(false);
    for (const tile of asked) expect(answer(tile)).toBe(true);
  });

  it('asks again for tiles that the browser lost', () => {
    show(1);
    for (const tile of asked) answer(tile);
    vi.runAllTimers();
    made.at(-1)?.dispatchEvent(new Event('contextlost'));
    expect(screen.complete).toBe(false);
    vi.runAllTimers();
    expect(asked.length).toBe(1);
    for (const tile of asked) expect(answer(tile)).toBe(true);
    expect(screen.complete).toBe(true);
  });

  it('draws again what the browser lost, and is not complete before', () => {
    show(1);
    for (const tile of asked) answer(tile);
    vi.runAllTimers();
    screen.paint();
    picture.dispatchEvent(new Event('contextlost'));
    expect(screen.complete).toBe(false);
    const before = painted;
    vi.stubGlobal('requestAnimationFrame', (paint: () => void) => (paint(), 0));
    picture.dispatchEvent(new Event('contextrestored'));
    expect(painted).toBe(before + 1);
    expect(screen.complete).toBe(true);
    vi.stubGlobal('requestAnimationFrame', () => 1);
  });
});
