// Which pieces of the picture to decode, and in what order.
//
// A layer is the whole picture at one zoom, cut into tiles of whole device pixels that are anchored at the picture, not
// at the screen: panning then reuses every tile, and a tile drawn at its own zoom lands on device pixels exactly. The
// visible part is asked for coarsely first wherever nothing better is there to look at. (Decoding the visible rectangle
// anew after each move was the alternative; it repeats nearly all its work during a pan.)

import { type Region, type Size, type View, visibleRegion } from './transform';

/** Edge of a tile in device pixels. What lies off the screen in tiles on its border is decoded in vain, so a third more
 * than is visible on a screen of this decade; half the edge would cost as much again in calls. */
export const TILE = 128;

/** A coarse pass has this many times fewer device pixels per axis than the next finer one. */
export const COARSER = 4;

/** The picture at one zoom. */
export interface Layer {
  readonly key: string;
  /** The whole picture in pixels of this layer. */
  readonly width: number;
  readonly height: number;
  readonly nearest: boolean;
}

/** One piece of a layer. */
export interface Tile {
  readonly key: string;
  readonly layer: Layer;
  /** Position and size in pixels of the layer. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The layer for a zoom. Its size is rounded to whole pixels, so each axis has its own zoom, at most half a pixel off. */
export function layerFor(scale: number, picture: Size, nearest: boolean): Layer {
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  return { key: `${width}x${height}${nearest ? 'n' : ''}`, width, height, nearest };
}

/** The tile at a place of the tile grid. */
export function tileAt(layer: Layer, column: number, row: number): Tile {
  const x = column * TILE;
  const y = row * TILE;
  return {
    key: `${layer.key}/${column},${row}`,
    layer,
    x,
    y,
    width: Math.min(TILE, layer.width - x),
    height: Math.min(TILE, layer.height - y),
  };
}

/** The samples under a tile. */
export function tileRegion(tile: Tile, picture: Size): Region {
  const perColumn = picture.width / tile.layer.width;
  const perRow = picture.height / tile.layer.height;
  return {
    row0: tile.y * perRow,
    row1: tile.y + tile.height === tile.layer.height ? picture.height : (tile.y + tile.height) * perRow,
    column0: tile.x * perColumn,
    column1: tile.x + tile.width === tile.layer.width ? picture.width : (tile.x + tile.width) * perColumn,
  };
}

/** Tiles of a layer that a region of samples touches, nearest to its middle first. */
export function tilesOver(layer: Layer, region: Region, picture: Size): Tile[] {
  const toX = layer.width / picture.width;
  const toY = layer.height / picture.height;
  const last = (end: number, length: number) => Math.min(Math.ceil(end / TILE), Math.ceil(length / TILE));
  const tiles: Tile[] = [];
  for (let row = Math.floor((region.row0 * toY) / TILE); row < last(region.row1 * toY, layer.height); row++) {
    for (let column = Math.floor((region.column0 * toX) / TILE); column < last(region.column1 * toX, layer.width); column++) {
      tiles.push(tileAt(layer, column, row));
    }
  }
  const middleX = ((region.column0 + region.column1) / 2) * toX;
  const middleY = ((region.row0 + region.row1) / 2) * toY;
  const distance = (t: Tile) => Math.hypot(t.x + t.width / 2 - middleX, t.y + t.height / 2 - middleY);
  return tiles.sort((a, b) => distance(a) - distance(b));
}

/** The tiles that a view still needs, in the order to decode them. `has` tells what is there already. */
export function planTiles(view: View, viewport: Size, picture: Size, nearest: boolean, has: (tile: Tile) => boolean, finest: number): Tile[] {
  const region = visibleRegion(view, viewport, picture);
  if (!region) return [];
  const target = layerFor(view.scale, picture, nearest);
  const missing = tilesOver(target, region, picture).filter((tile) => !has(tile));
  if (missing.length === 0) return [];
  // `finest` is the best zoom at which the whole region can be looked at already; 0 where nothing is there yet.
  const coarse: Tile[] = [];
  for (let scale = view.scale / COARSER ** 2; scale < view.scale / 1.5; scale *= COARSER) {
    if (finest >= scale * 0.75) continue;
    const layer = layerFor(scale, picture, nearest);
    if (layer.key === target.key) continue;
    coarse.push(...tilesOver(layer, region, picture).filter((tile) => !has(tile)));
  }
  return [...coarse, ...missing];
}
