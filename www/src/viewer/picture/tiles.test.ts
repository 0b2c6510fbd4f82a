import { describe, expect, it } from 'vitest';
import { layerFor, planTiles, TILE, tileRegion, tilesOver } from './tiles';

const picture = { width: 600, height: 400 };
const whole = { row0: 0, row1: 400, column0: 0, column1: 600 };
const viewport = { width: 1000, height: 700 };

describe('tiles', () => {
  it('cover every pixel of a layer once, at any zoom', () => {
    for (const scale of [0.01, 0.37, 1, 1.7, 5]) {
      const layer = layerFor(scale, picture, false);
      const tiles = tilesOver(layer, whole, picture);
      expect(tiles.reduce((sum, t) => sum + t.width * t.height, 0)).toBe(layer.width * layer.height);
      expect(tiles.every((t) => t.width > 0 && t.height > 0 && t.width <= TILE)).toBe(true);
      expect(new Set(tiles.map((t) => t.key)).size).toBe(tiles.length);
    }
  });

  it('meet samples exactly at 100 % and end at the border of the picture', () => {
    const tiles = tilesOver(layerFor(1, picture, false), whole, picture);
    for (const t of tiles) {
      expect(tileRegion(t, picture)).toEqual({ row0: t.y, row1: t.y + t.height, column0: t.x, column1: t.x + t.width });
    }
    const odd = tilesOver(layerFor(0.333, picture, false), whole, picture);
    expect(Math.max(...odd.map((t) => tileRegion(t, picture).column1))).toBe(600);
    expect(Math.max(...odd.map((t) => tileRegion(t, picture).row1))).toBe(400);
  });

  it('start in the middle of what is seen', () => {
    const [first] = tilesOver(layerFor(4, picture, false), whole, picture);
    const region = tileRegion(first!, picture);
    expect(region.row0).toBeLessThanOrEqual(200);
    expect(region.row1).toBeGreaterThanOrEqual(200);
  });

  it('are asked for coarse first when nothing is there, and only fine ones else', () => {
    const view = { scale: 1, x: 0, y: 0 };
    const scales = (finest: number, has = (_: { key: string }) => false) => [
      ...new Set(planTiles(view, viewport, picture, false, has, finest).map((t) => t.layer.width)),
    ];
    expect(scales(0)).toEqual([38, 150, 600]);
    expect(scales(1 / 16)).toEqual([150, 600]);
    expect(scales(0.5)).toEqual([600]);
    expect(scales(0, () => true)).toEqual([]);
  });

  it('are none when the picture is out of sight', () => {
    expect(planTiles({ scale: 1, x: 5000, y: 0 }, viewport, picture, false, () => false, 0)).toEqual([]);
  });
});
