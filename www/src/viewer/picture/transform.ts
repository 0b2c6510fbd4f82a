// The view: where the picture lies on the screen.
//
// Everything is in device pixels and sample edges, and one number (device pixels per sample) is the zoom: at 100 % a
// sample is exactly one device pixel. CSS pixels appear only at the borders, in the gesture code, because a view in CSS
// pixels cannot say "one to one" on a screen with a fractional ratio.

/** Zoom and position of the picture in a viewport, in device pixels. */
export interface View {
  /** Device pixels per sample. */
  readonly scale: number;
  /** Device pixels from the viewport's left edge to the picture's left edge; negative when scrolled in. */
  readonly x: number;
  /** The same for the upper edge. */
  readonly y: number;
}

/** Width and height, in samples or in device pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A rectangle in sample edges: the whole picture is `0, 0, rows, columns`. */
export interface Region {
  readonly row0: number;
  readonly row1: number;
  readonly column0: number;
  readonly column1: number;
}

export const MAXIMUM_SCALE = 128;

/** The smallest useful zoom: the longer side still covers some pixels. */
export function minimumScale(picture: Size): number {
  return Math.min(1, 16 / Math.max(picture.width, picture.height, 1));
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** Shows `region` as large as possible, centred, with `margin` device pixels around it. */
export function fitRegion(region: Region, viewport: Size, picture: Size, margin: number): View {
  const width = Math.max(region.column1 - region.column0, 1e-6);
  const height = Math.max(region.row1 - region.row0, 1e-6);
  const wanted = Math.min((viewport.width - 2 * margin) / width, (viewport.height - 2 * margin) / height);
  const scale = clamp(wanted, minimumScale(picture), MAXIMUM_SCALE);
  return {
    scale,
    x: viewport.width / 2 - ((region.column0 + region.column1) / 2) * scale,
    y: viewport.height / 2 - ((region.row0 + region.row1) / 2) * scale,
  };
}

/** Sets the zoom while the picture stays put under the point (`px`, `py`) of the viewport. */
export function zoomAround(view: View, scale: number, px: number, py: number, picture: Size): View {
  const next = clamp(scale, minimumScale(picture), MAXIMUM_SCALE);
  const ratio = next / view.scale;
  return { scale: next, x: px - (px - view.x) * ratio, y: py - (py - view.y) * ratio };
}

/** Keeps at least a quarter of the viewport, or of the picture where that is smaller, covered on both axes. */
export function keepInSight(view: View, viewport: Size, picture: Size): View {
  const along = (offset: number, length: number, room: number) => {
    const overlap = Math.min(length, room) / 4;
    return clamp(offset, overlap - length, room - overlap);
  };
  return {
    scale: view.scale,
    x: along(view.x, picture.width * view.scale, viewport.width),
    y: along(view.y, picture.height * view.scale, viewport.height),
  };
}

/** The part of the picture that the viewport shows; `null` where it shows none. */
export function visibleRegion(view: View, viewport: Size, picture: Size): Region | null {
  const region = {
    row0: clamp(-view.y / view.scale, 0, picture.height),
    row1: clamp((viewport.height - view.y) / view.scale, 0, picture.height),
    column0: clamp(-view.x / view.scale, 0, picture.width),
    column1: clamp((viewport.width - view.x) / view.scale, 0, picture.width),
  };
  return region.row1 > region.row0 && region.column1 > region.column0 ? region : null;
}

/** Viewport point (device pixels) to sample edges. */
export function toPicture(view: View, px: number, py: number): { row: number; column: number } {
  return { row: (py - view.y) / view.scale, column: (px - view.x) / view.scale };
}

/** What a link keeps of a view: the picture point in the middle of the screen, in samples, and the zoom. */
export interface SharedView {
  readonly column: number;
  readonly row: number;
  readonly scale: number;
}

export function shareView(view: View, viewport: Size): SharedView {
  const middle = toPicture(view, viewport.width / 2, viewport.height / 2);
  return { column: middle.column, row: middle.row, scale: view.scale };
}

export function restoreView(shared: SharedView, viewport: Size, picture: Size): View {
  const scale = clamp(shared.scale, minimumScale(picture), MAXIMUM_SCALE);
  const view = { scale, x: viewport.width / 2 - shared.column * scale, y: viewport.height / 2 - shared.row * scale };
  return keepInSight(view, viewport, picture);
}

/** The next zoom of the buttons: steps of about 1.25 that hit 100 % exactly. */
export function nextScale(scale: number, direction: 1 | -1): number {
  const step = Math.log(1.25);
  const position = Math.log(scale) / step;
  const snapped = direction > 0 ? Math.floor(position + 1e-6) + 1 : Math.ceil(position - 1e-6) - 1;
  return Math.exp(snapped * step);
}
