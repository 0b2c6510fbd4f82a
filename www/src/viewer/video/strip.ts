// The time line of a clip: its partitions in time, what a crop drops of them, marks of seconds, and the frame on screen.

import type { PartitionGrid } from '../grid';
import { clock, digitsFor, marks, type Timeline } from '../time/timeline';

export interface StripColours {
  readonly accent: string;
  readonly surface: string;
  readonly line: string;
  readonly text: string;
  readonly quiet: string;
}

export interface StripScene {
  readonly timeline: Timeline;
  readonly grid: PartitionGrid;
  /** For each stretch of time, the share of its present partitions that is kept; -1 where none is present. */
  readonly kept: readonly number[];
  readonly rate: number;
  readonly frame: number;
  readonly cropping: boolean;
  readonly colours: StripColours;
  readonly ratio: number;
  readonly height: number;
}

/** CSS pixels of the ruler at the lower edge. */
export const RULER = 20;

export function drawStrip(context: CanvasRenderingContext2D, scene: StripScene): void {
  const { timeline, grid, kept, colours, ratio, height, frame } = scene;
  const { width } = timeline;
  const bottom = height - RULER * ratio;
  context.clearRect(0, 0, width, height);
  for (let plane = 0; plane < grid.planes; plane++) {
    const [x0, x1] = [timeline.x(grid.planeEdges[plane] ?? 0), timeline.x(grid.planeEdges[plane + 1] ?? 0)].map(Math.round) as [number, number];
    const share = kept[plane] ?? 0;
    const gap = x1 - x0 > 4 * ratio ? Math.round(ratio) : 0;
    context.fillStyle = colours.line;
    if (share >= 0) context.fillRect(x0, 6 * ratio, x1 - x0 - gap, bottom - 12 * ratio);
    context.fillStyle = colours.accent;
    const tall = (bottom - 12 * ratio) * Math.max(0, share);
    context.globalAlpha = scene.cropping ? 0.85 : 0.5;
    context.fillRect(x0, bottom - 6 * ratio - tall, x1 - x0 - gap, tall);
    context.globalAlpha = 1;
  }
  const { start, end } = timeline.seen;
  const times = marks(start / scene.rate, end / scene.rate, width / (80 * ratio));
  const step = times.length > 1 ? (times[1] as number) - (times[0] as number) : 1;
  context.font = `${11 * ratio}px system-ui, sans-serif`;
  context.textBaseline = 'middle';
  context.fillStyle = colours.quiet;
  for (const time of times) {
    const x = Math.round(timeline.x(time * scene.rate));
    context.fillRect(x, bottom, Math.max(1, Math.round(ratio)), 5 * ratio);
    const words = clock(time, digitsFor(step));
    if (x + context.measureText(words).width + 6 * ratio < width) context.fillText(words, x + 4 * ratio, bottom + 10 * ratio);
  }
  // The frame on the screen, as wide as it lasts.
  const [x0, x1] = [timeline.x(frame), timeline.x(frame + 1)];
  const wide = Math.max(2 * ratio, x1 - x0);
  const from = Math.round(x0 + (x1 - x0 - wide) / 2);
  context.fillStyle = colours.text;
  context.globalAlpha = 0.25;
  context.fillRect(from, 0, wide, bottom);
  context.globalAlpha = 1;
  const line = Math.max(2, Math.round(2 * ratio));
  const middle = Math.round((x0 + x1) / 2);
  context.fillStyle = colours.surface;
  context.fillRect(middle - line, 0, 2 * line, bottom);
  context.fillStyle = colours.text;
  context.fillRect(middle - Math.round(line / 2), 0, line, bottom);
}
