import { describe, expect, it } from 'vitest';
import { fitRegion, keepInSight, MAXIMUM_SCALE, minimumScale, nextScale, restoreView, shareView, toPicture, visibleRegion, zoomAround } from './transform';

const viewport = { width: 1000, height: 600 };
const picture = { width: 512, height: 512 };
const whole = { row0: 0, row1: 512, column0: 0, column1: 512 };

describe('view', () => {
  it('fits and centres the picture', () => {
    const view = fitRegion(whole, viewport, picture, 44);
    expect(view.scale).toBe(1);
    expect([view.x, view.y]).toEqual([244, 44]);
  });

  it('keeps the point under the pointer while zooming', () => {
    const before = { scale: 1.3, x: -40, y: 17 };
    const after = zoomAround(before, 5.2, 333, 222, picture);
    expect(toPicture(after, 333, 222).row).toBeCloseTo(toPicture(before, 333, 222).row, 9);
    expect(toPicture(after, 333, 222).column).toBeCloseTo(toPicture(before, 333, 222).column, 9);
  });

  it('bounds the zoom on both sides', () => {
    const view = { scale: 1, x: 0, y: 0 };
    expect(zoomAround(view, 1e9, 0, 0, picture).scale).toBe(MAXIMUM_SCALE);
    expect(zoomAround(view, 0, 0, 0, picture).scale).toBe(minimumScale(picture));
  });

  it('never loses the picture', () => {
    for (const [x, y] of [[-1e6, 0], [1e6, 1e6], [0, -1e6]] as const) {
      expect(visibleRegion(keepInSight({ scale: 2, x, y }, viewport, picture), viewport, picture)).not.toBeNull();
    }
  });

  it('reports the visible region in samples', () => {
    expect(visibleRegion({ scale: 2, x: -100, y: 20 }, viewport, picture)).toEqual({ row0: 0, row1: 290, column0: 50, column1: 512 });
    expect(visibleRegion({ scale: 1, x: 2000, y: 0 }, viewport, picture)).toBeNull();
  });

  it('survives a link, also on another screen', () => {
    const view = { scale: 3, x: -700, y: -400 };
    const again = restoreView(shareView(view, viewport), viewport, picture);
    expect(again.scale).toBe(3);
    expect(again.x).toBeCloseTo(view.x, 9);
    const other = { width: 400, height: 300 };
    expect(shareView(restoreView(shareView(view, viewport), other, picture), other).column).toBeCloseTo(shareView(view, viewport).column, 9);
  });

  it('steps through 100 % in both directions', () => {
    expect(nextScale(0.9, 1)).toBeCloseTo(1, 12);
    expect(nextScale(1.1, -1)).toBeCloseTo(1, 12);
    expect(nextScale(1, 1)).toBeCloseTo(1.25, 12);
    expect(nextScale(1, -1)).toBeCloseTo(0.8, 12);
  });
});
