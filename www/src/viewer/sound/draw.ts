// What the sound's canvas shows: the waveform by channel, or the spectrogram, the partitions, what a crop drops, the
// ruler, and where playing is.

import { locate, type PartitionGrid } from '../grid';
import { clock, digitsFor, marks, type Timeline } from '../time/timeline';
import { PEAK, type SoundData } from './data';
import { Spectrum } from './fourier';

export interface Colours {
  readonly accent: string;
  readonly ground: string;
  readonly line: string;
  readonly text: string;
  readonly quiet: string;
}

export interface Scene {
  readonly data: SoundData;
  readonly timeline: Timeline;
  readonly grid: PartitionGrid;
  /** Kept and present, by partition. */
  readonly kept: Uint8Array;
  readonly present: Uint8Array;
  readonly applied: boolean;
  readonly showGrid: boolean;
  readonly colours: Colours;
  /** Device pixels per CSS pixel. */
  readonly ratio: number;
  readonly width: number;
  readonly height: number;
}

/** CSS pixels of the ruler at the lower edge. */
export const RULER = 24;

/** Lanes of the channels, one above the other. */
function lanes(scene: Scene): { top: number; height: number }[] {
  const height = (scene.height - RULER * scene.ratio) / scene.data.channels;
  return scene.data.peaks.map((_, channel) => ({ top: channel * height, height }));
}

export function drawWaveform(context: CanvasRenderingContext2D, scene: Scene): void {
  const { data, timeline, colours, width, ratio } = scene;
  context.lineWidth = Math.max(1, ratio);
  lanes(scene).forEach(({ top, height }, channel) => {
    const middle = top + height / 2;
    const y = (value: number) => middle - (value / data.peak) * (height / 2 - 6 * ratio);
    context.fillStyle = colours.line;
    context.fillRect(0, Math.round(middle), width, 1);
    if (channel > 0) context.fillRect(0, Math.round(top), width, 1);
    context.fillStyle = colours.accent;
    if (timeline.scale > 0.5) return drawCurve(context, scene, channel, y);
    for (let x = 0; x < width; x++) {
      const found = extent(data, channel, timeline.sample(x), timeline.sample(x + 1));
      if (!found) continue;
      const [upper, lower] = [y(found.high), y(found.low)];
      context.globalAlpha = found.coarse ? 0.45 : 1;
      context.fillRect(x, upper, 1, Math.max(ratio, lower - upper));
    }
    context.globalAlpha = 1;
  });
}

/** Close by, samples are points of a line. */
function drawCurve(context: CanvasRenderingContext2D, { data, timeline, colours, ratio }: Scene, channel: number, y: (value: number) => number): void {
  const { start, end } = timeline.seen;
  const dots = timeline.scale > 6 * ratio;
  context.strokeStyle = colours.accent;
  context.lineWidth = 1.5 * ratio;
  context.beginPath();
  let drawing = false;
  for (let i = Math.max(0, Math.floor(start) - 1); i <= Math.min(data.samples - 1, Math.ceil(end)); i++) {
    const value = data.at(channel, i);
    // A sample covers the stretch up to the next one; its point is in the middle.
    const x = timeline.x(i + 0.5);
    if (Number.isNaN(value)) drawing = false;
    else if (drawing) context.lineTo(x, y(value));
    else context.moveTo(x, y(value));
    drawing = !Number.isNaN(value);
    if (drawing && dots) context.fillRect(x - 2 * ratio, y(value) - 2 * ratio, 4 * ratio, 4 * ratio);
  }
  context.stroke();
}

/** Lowest and highest value of a stretch, from the finest that is known of it. */
function extent(data: SoundData, channel: number, from: number, to: number): { low: number; high: number; coarse: boolean } | null {
  const peaks = data.peaks[channel];
  if (!peaks) return null;
  let [low, high] = [Infinity, -Infinity];
  const last = Math.max(Math.floor(from / PEAK) + 1, Math.ceil(to / PEAK));
  for (let block = Math.floor(from / PEAK); block < last; block++) {
    if ((peaks.low[block] ?? NaN) < low) low = peaks.low[block] as number;
    if ((peaks.high[block] ?? NaN) > high) high = peaks.high[block] as number;
  }
  if (low <= high) return { low, high, coarse: false };
  const { coarse } = data;
  if (!coarse) return null;
  const count = coarse.length / data.channels;
  const first = Math.floor((from / data.samples) * count);
  for (let i = first; i <= Math.min(count - 1, Math.floor((to / data.samples) * count)); i++) {
    const value = coarse[i * data.channels + channel] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? { low, high, coarse: true } : null;
}

/** Samples of one spectrum, and the levels in dB at both ends of the colours. */
const WINDOW = 1024;
const LEVELS = { dark: -100, bright: -20 };

/** Draws columns of the spectrogram from `from` on, as many as take about `milliseconds`; returns the next one. */
export function drawSpectrogram(context: CanvasRenderingContext2D, scene: Scene, from: number, milliseconds: number): number {
  const { data, timeline, width } = scene;
  const spectrum = new Spectrum(WINDOW);
  const levels = new Float32Array(WINDOW / 2);
  const begun = performance.now();
  for (let x = from; x < width; x++) {
    if (performance.now() - begun > milliseconds) return x;
    const middle = Math.round(timeline.sample(x + 0.5));
    lanes(scene).forEach(({ top, height }, channel) => {
      const rows = Math.floor(height) - 2;
      if (rows < 1) return;
      const image = context.createImageData(1, rows);
      if (!Number.isNaN(data.at(channel, middle))) {
        spectrum.levels((i) => data.at(channel, middle + i - WINDOW / 2) || 0, levels);
        for (let row = 0; row < rows; row++) {
          // Low frequencies get more room, as ears give them.
          const bin = Math.min(levels.length - 1, Math.floor(levels.length * (1 - (row + 0.5) / rows) ** 1.6));
          const t = ((levels[bin] as number) - LEVELS.dark) / (LEVELS.bright - LEVELS.dark);
          image.data.set(heat(t), row * 4);
        }
      }
      context.putImageData(image, x, Math.ceil(top) + 1);
    });
  }
  return width;
}

const STOPS = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]] as const;

/** Black over violet and orange to white: brightness alone carries the order. */
function heat(t: number): [number, number, number, number] {
  const at = Math.min(1, Math.max(0, t)) * (STOPS.length - 1);
  const i = Math.min(STOPS.length - 2, Math.floor(at));
  const [a, b] = [STOPS[i] ?? STOPS[0], STOPS[i + 1] ?? STOPS[0]];
  const mix = (k: 0 | 1 | 2) => Math.round(a[k] + (b[k] - a[k]) * (at - i));
  return [mix(0), mix(1), mix(2), 255];
}

/** Partitions, what is dropped, the ruler. */
export function drawOver(context: CanvasRenderingContext2D, scene: Scene, position: number): void {
  const { timeline, grid, kept, present, colours, ratio, height } = scene;
  const bottom = height - RULER * ratio;
  const edge = (column: number) => Math.round(timeline.x(grid.columnEdges[column] ?? 0));
  const whole = kept.every((k, i) => k === present[i]);
  for (let part = locate(grid.columnEdges, timeline.seen.start); part < grid.columns && (grid.columnEdges[part] ?? 0) < timeline.seen.end; part++) {
    const [x0, x1] = [edge(part), edge(part + 1)];
    if (present[part] && !kept[part]) {
      context.globalAlpha = scene.applied ? 1 : 0.78;
      context.fillStyle = colours.ground;
      context.fillRect(x0, 0, x1 - x0, bottom);
      context.globalAlpha = 1;
    }
    const line = Math.max(1, Math.round(ratio));
    if (scene.showGrid && x1 - x0 >= 5 && part > 0) {
      context.fillStyle = colours.quiet;
      context.globalAlpha = 0.5;
      context.fillRect(x0, 0, line, bottom);
      context.globalAlpha = 1;
    }
    if (scene.showGrid && !whole && kept[part]) {
      context.fillStyle = colours.accent;
      if (!kept[part - 1]) context.fillRect(x0 - line, 0, 2 * line, bottom);
      if (!kept[part + 1]) context.fillRect(x1 - line, 0, 2 * line, bottom);
      context.fillRect(x0, bottom - 3 * line, x1 - x0, 3 * line);
    }
  }
  drawRuler(context, scene, bottom);
  const x = Math.round(timeline.x(position));
  // With an edge of the other tone, so that it shows on a spectrogram too.
  const thick = Math.max(2, Math.round(2 * ratio));
  context.fillStyle = colours.ground;
  context.fillRect(x - thick, 0, 2 * thick, height);
  context.fillStyle = colours.text;
  context.fillRect(x - Math.round(thick / 2), 0, thick, height);
  context.beginPath();
  context.moveTo(x - 6 * ratio, bottom);
  context.lineTo(x + 6 * ratio, bottom);
  context.lineTo(x, bottom + 8 * ratio);
  context.fill();
}

function drawRuler(context: CanvasRenderingContext2D, { data, timeline, colours, ratio, width }: Scene, top: number): void {
  const { start, end } = timeline.seen;
  const times = marks(start / data.rate, end / data.rate, width / (90 * ratio));
  const step = times.length > 1 ? (times[1] as number) - (times[0] as number) : 1;
  context.fillStyle = colours.line;
  context.fillRect(0, top, width, 1);
  context.font = `${12 * ratio}px system-ui, sans-serif`;
  context.textBaseline = 'middle';
  for (const time of times) {
    const x = Math.round(timeline.x(time * data.rate));
    context.fillStyle = colours.quiet;
    context.fillRect(x, top, Math.max(1, Math.round(ratio)), 6 * ratio);
    const words = clock(time, digitsFor(step));
    if (x + context.measureText(words).width + 6 * ratio < width) context.fillText(words, x + 4 * ratio, top + 13 * ratio);
  }
}
