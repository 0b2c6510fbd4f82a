// The decoding worker: untrusted bytes are parsed here, and every decode is cut into pieces of bounded time, so that a
// newer view, a cancel or a question about sizes never waits for an old picture.

/// <reference lib="webworker" />
import { AnimatedPng } from './apng';
import { clamped, Engine } from './engine';
import { pixelsOf } from './presentation';
import type { Call, FromWorker, OpenedFile, Pixels, PlainError, RemotePlan, Rivals, SurfaceMesh, TileRequest, ToWorker, ValueRequest } from './protocol';
import { encode, isOpaque, jpegOf } from './rivals';
import { cut, Measurement, WHOLE_PICTURE_SAMPLES } from './samples';
import type { CpuModule } from './wasm';
import type { Region } from '../viewer/picture/transform';

/** Time of one piece of work: short enough for a live size line, long enough that calls cost nothing. */
const PIECE_MS = 30;
/** The generation while there is no file, or while one takes another's place. */
const NO_FILE = 0;

declare const self: DedicatedWorkerGlobalScope;

class Cancelled extends Error {}

class LimitError extends Error {
  readonly kind = 'limit';
}

const post = (message: FromWorker, transfer: Transferable[] = []) => self.postMessage(message, transfer);
const engine = new Engine((state) => post({ kind: 'engine', state }));

let opened: OpenedFile | null = null;
/** Which opening the decoder holds; tiles of any other are dropped. */
let generation = NO_FILE;
let measurement: Measurement | null = null;
let samples: Uint8Array | null = null;
let tiles: TileRequest[] = [];
let paused = false;
let working = false;
const running = new Set<number>();
const cancelled = new Set<number>();

/** A task of its own, not a microtask: messages are only delivered between tasks. And no timer: browsers let those
 * wait for four milliseconds when they follow each other, which small pieces do not take themselves. */
const ticks: (() => void)[] = [];
const channel = new MessageChannel();
channel.port1.onmessage = () => ticks.shift()?.();
const tick = () =>
  new Promise<void>((resolve) => {
    ticks.push(resolve);
    channel.port2.postMessage(null);
  });

/** Decoder calls run one after the other: a file must not be freed while the device still reads it. */
let last: Promise<unknown> = Promise.resolve();
function exclusive<T>(work: () => Promise<T>): Promise<T> {
  const next = last.then(work, work);
  last = next.catch(() => undefined);
  return next;
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  switch (data.kind) {
    case 'tiles':
      tiles = [...data.tiles];
      void work();
      break;
    case 'pause':
      paused = data.paused;
      void work();
      break;
    case 'cancel':
      // An answer may have crossed the cancel.
      if (running.has(data.id)) cancelled.add(data.id);
      break;
    case 'call':
      void answer(data.id, data.call);
  }
};

async function answer(id: number, call: Call): Promise<void> {
  running.add(id);
  try {
    const value = await run(id, call);
    post({ kind: 'answer', id, value }, handed(value));
  } catch (error) {
    if (isTrap(error)) post({ kind: 'crash', message: String((error as Error).message) });
    post({ kind: 'refusal', id, error: plain(error) });
  } finally {
    running.delete(id);
    cancelled.delete(id);
  }
}

async function run(id: number, call: Call): Promise<unknown> {
  if (call.type === 'prepare') return engine.prepare().then(() => null);
  if (call.type === 'plan') return plan(await engine.loaded(), call);
  if (call.type === 'gather') return gather(await engine.loaded(), call);
  if (call.type === 'open') return exclusive(() => open(call));
  // A call that crossed an open waits for what the open finds: refused bytes leave its file open.
  if (call.generation !== generation) await exclusive(async () => {});
  if (call.generation !== generation) throw new Cancelled('Another file was opened.');
  switch (call.type) {
    case 'decoded':
      return engine.decoded;
    case 'select':
      return engine.file.select(call.selector, call.snap);
    case 'size':
      return engine.file.cropped_bytes(call.parts);
    case 'crop':
      return engine.file.crop(call.parts);
    case 'samples':
      return new Uint8ClampedArray(await wholePicture(id));
    case 'png':
      return picture(id, call.parts, call.frame);
    case 'frame':
      return frame(call);
    case 'clip':
      return clip(id, call);
    case 'values':
      return values(id, call);
    case 'surface':
      return surface(id, call, call.parts);
    case 'compare': {
      const file = current();
      measurement = new Measurement(engine.module, file, await wholePicture(id), call.original);
      return measurement.whole();
    }
    case 'rivals':
      return rivals(id);
    case 'compareRegion':
      return measurement?.region(call.region) ?? null;
  }
}

/** See `RemotePlan`. */
function plan(module: CpuModule, { front, fileBytes, selector }: Extract<Call, { type: 'plan' }>): RemotePlan {
  if (module.head_bytes(front) > front.length) return { kind: 'more', frontBytes: Math.min(module.front_bytes(front), fileBytes ?? Infinity) };
  const file = new module.RemoteFile(front, fileBytes ?? undefined);
  try {
    const parts = file.select(selector, 'outer');
    const flat = file.ranges(parts);
    const ranges = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? 0, flat[2 * i + 1] ?? 0] as const);
    return { kind: 'ranges', parts, ranges, fileBytes: file.file_bytes() };
  } finally {
    file.free();
  }
}

function gather(module: CpuModule, { front, fileBytes, parts, pieces }: Extract<Call, { type: 'gather' }>): Uint8Array {
  const file = new module.RemoteFile(front, fileBytes ?? undefined);
  try {
    for (const { start, bytes } of pieces) file.add(start, bytes);
    return file.crop(parts);
  } finally {
    file.free();
  }
}

/** What of an answer can be handed over instead of being copied. */
function handed(value: unknown): Transferable[] {
  if ('ImageBitmap' in self && value instanceof ImageBitmap) return [value];
  return arrays(value).map((array) => array.buffer as ArrayBuffer);
}

function arrays(value: unknown): ArrayBufferView[] {
  if (ArrayBuffer.isView(value)) return value instanceof Uint32Array ? [] : [value];
  if (typeof value !== 'object' || value === null || !('triangles' in value)) return [];
  return Object.values(value).filter((part) => ArrayBuffer.isView(part));
}

function current(): OpenedFile {
  if (!opened) throw new Error('No file is open.');
  return opened;
}

async function open(call: Extract<Call, { type: 'open' }>): Promise<OpenedFile> {
  tiles = [];
  const before = generation;
  generation = NO_FILE;
  const file = await engine.open(call.bytes).catch((error: unknown) => {
    // Bytes that are refused leave the open file open.
    generation = before;
    throw error;
  });
  samples = null;
  measurement = null;
  gpuAllowed = call.allowGpu;
  gpuAsked = false;
  const info = file.info();
  opened = { info, present: file.present(), chunkBytes: file.chunk_bytes(), boxes: file.partition_boxes() };
  generation = call.generation;
  return opened;
}

let gpuAllowed = true;
let gpuAsked = false;

/** Decodes tiles for as long as there are any; beside a slow device the CPU takes the first ones. */
async function work(): Promise<void> {
  if (working) return;
  working = true;
  try {
    while (tiles.length > 0 && !paused && opened) {
      if (engine.cpuHelps) await Promise.all([drain('first', true), drain('last', false)]);
      else await drain('first', false);
    }
  } catch (error) {
    // A tile that cannot be decoded will not be decoded by the next attempt either.
    tiles = [];
    post({ kind: 'crash', message: plain(error).message });
  } finally {
    working = false;
  }
  startGpuBehindFirstPicture();
}

/** Takes tiles from one end of the queue, and decodes each a band of rows at a time. */
async function drain(end: 'first' | 'last', onCpu: boolean): Promise<void> {
  for (;;) {
    const queue = tiles;
    const tile = paused ? undefined : end === 'first' ? queue.shift() : queue.pop();
    if (!tile) return;
    // A newer view brings a queue of its own, which ends the work on this tile.
    const fits = () => tile.generation === generation;
    for (let row = 0; row < tile.rows && tiles === queue && fits(); ) {
      if (paused) {
        queue.unshift(tile);
        return;
      }
      const rows = Math.min(tile.rows - row, engine.rowsFor(tile.columns, PIECE_MS, onCpu || undefined));
      const piece = band(tile.region, tile.rows, row, rows);
      const pixels = onCpu
        ? clamped(engine.decodeOnCpu(piece, rows, tile.columns, tile.nearest, tile.frame))
        : await exclusive(async () => (fits() ? engine.show(piece, rows, tile.columns, tile.nearest, tile.frame) : null));
      // Another file was opened while this piece waited for its turn.
      if (!pixels) break;
      const done = row + rows === tile.rows;
      post({ kind: 'band', generation: tile.generation, frame: tile.frame, key: tile.key, row, rows, columns: tile.columns, pixels, done }, ['buffer' in pixels ? pixels.buffer : pixels]);
      row += rows;
      await tick();
    }
  }
}

function startGpuBehindFirstPicture(): void {
  if (gpuAsked || !gpuAllowed || !opened || tiles.length > 0) return;
  gpuAsked = true;
  void engine.takeOver();
}

function band(region: Region, rows: number, row: number, count: number): Region {
  const height = (region.row1 - region.row0) / rows;
  return {
    row0: region.row0 + row * height,
    row1: row + count === rows ? region.row1 : region.row0 + (row + count) * height,
    column0: region.column0,
    column1: region.column1,
  };
}

/** The stored samples of the whole canvas, decoded in turn with the tiles of the screen. */
async function wholePicture(id: number): Promise<Uint8Array> {
  if (samples) return samples;
  const file = current();
  const [rows = 1, columns = 1] = file.info.shape;
  const result = await stored(id, { row0: 0, row1: rows, column0: 0, column1: columns });
  if (opened === file) samples = result;
  return result;
}

async function stored(id: number, box: Region, frame = 0, overall = (fraction: number) => fraction): Promise<Uint8Array> {
  const file = current();
  const rows = box.row1 - box.row0;
  const columns = box.column1 - box.column0;
  if (rows * columns > WHOLE_PICTURE_SAMPLES) {
    throw new LimitError(`The region has ${columns} x ${rows} samples, more than this page holds in memory. Use \`tessera decode\`, or crop it first.`);
  }
  const result = new Uint8Array(rows * columns * 4);
  for (let row = 0; row < rows; ) {
    if (cancelled.has(id) || opened !== file) throw new Cancelled('Cancelled.');
    const count = Math.min(rows - row, engine.rowsFor(columns, PIECE_MS));
    const region = { row0: box.row0 + row, row1: box.row0 + row + count, column0: box.column0, column1: box.column1 };
    const piece = await exclusive(async () => {
      if (opened !== file) throw new Cancelled('Cancelled.');
      return engine.decode(region, count, columns, false, frame);
    });
    result.set(piece, row * columns * 4);
    row += count;
    post({ kind: 'progress', id, fraction: overall(row / rows) });
    await tick();
  }
  return result;
}

/** Values of a signal of any kind, decoded in turn with everything else. */
async function values(id: number, request: ValueRequest): Promise<Float32Array> {
  const file = current();
  const samples = request.shape.reduce((product, n) => product * n, 1);
  if (samples * file.info.channels > WHOLE_PICTURE_SAMPLES) throw tooMany(samples);
  const result = new Float32Array(samples * file.info.channels);
  await slices(id, request, (piece, place) => result.set(piece, place));
  return result;
}

/** The surface of a shape; of some parts alone, what the others hold counts as absent. */
async function surface(id: number, request: ValueRequest, parts: Uint32Array | null): Promise<SurfaceMesh> {
  const { edges, shape } = request;
  const [planes = 1, rows = 1, columns = 1] = shape;
  if (planes * rows * columns > WHOLE_PICTURE_SAMPLES) throw tooMany(planes * rows * columns);
  const hides = parts && mask(edges, shape, parts);
  const builder = new engine.module.SurfaceBuilder(engine.file, rows, columns);
  try {
    await slices(id, request, (piece, place) => {
      for (let plane = 0; plane < piece.length / (rows * columns); plane++) {
        const slice = piece.subarray(plane * rows * columns, (plane + 1) * rows * columns);
        hides?.(slice, place / (rows * columns) + plane);
        builder.push(slice);
      }
    });
    const mesh = builder.finish();
    const { positions, normals, triangles } = mesh;
    mesh.free();
    return { positions, normals, triangles };
  } finally {
    builder.free();
  }
}

/** Takes the samples of all other parts out of a slice. */
function mask(edges: readonly number[], shape: readonly number[], parts: Uint32Array): (slice: Float32Array, plane: number) => void {
  const { info, boxes } = current();
  const kept = new Uint8Array(info.partitions);
  for (const part of parts) kept[part] = 1;
  // The place along an axis of each of its samples, by the borders that the file itself gave.
  const owners = shape.map((count, axis) => {
    const stride = info.partitions_shape.slice(axis + 1).reduce((product, n) => product * n, 1);
    const [start = 0, end = 1] = edges.slice(2 * axis);
    return Uint32Array.from({ length: count }, (_, i) => {
      const at = start + ((i + 0.5) * (end - start)) / count;
      let owner = 0;
      while (owner + 1 < (info.partitions_shape[axis] ?? 1) && at >= (boxes[(owner + 1) * stride * 6 + 2 * axis] ?? 0)) owner += 1;
      return owner * stride;
    });
  });
  const [planes, rows, columns] = owners as [Uint32Array, Uint32Array, Uint32Array];
  return (slice, plane) => {
    for (let row = 0; row < rows.length; row++) {
      for (let column = 0; column < columns.length; column++) {
        if (!kept[(planes[plane] ?? 0) + (rows[row] ?? 0) + (columns[column] ?? 0)]) slice[row * columns.length + column] = NaN;
      }
    }
  };
}

function tooMany(samples: number): LimitError {
  return new LimitError(`${samples} samples are more than this page decodes at once. Use \`tessera decode\`, or crop it first.`);
}

/** Decodes slices along the first axis, some at a time, in turn with everything else. `take` gets their values and the
 * place of the first one. */
async function slices(id: number, { edges, shape }: ValueRequest, take: (values: Float32Array, place: number) => void): Promise<void> {
  const file = current();
  const [count = 1, ...rest] = shape;
  const each = rest.reduce((product, n) => product * n, 1);
  const [start = 0, end = 0, ...others] = edges;
  for (let first = 0; first < count; ) {
    const some = Math.min(count - first, engine.rowsFor(each, PIECE_MS));
    const at = (i: number) => (i === count ? end : start + ((end - start) / count) * i);
    const piece = await exclusive(async () => {
      if (cancelled.has(id) || opened !== file) throw new Cancelled('Cancelled.');
      return engine.values(new Float64Array([at(first), at(first + some), ...others]), new Uint32Array([some, ...rest]));
    });
    take(piece, first * each * file.info.channels);
    first += some;
    post({ kind: 'progress', id, fraction: first / count });
    await tick();
    startGpuBehindFirstPicture();
  }
}

/** One frame of a video, of the size that is asked for. */
async function frame(call: Extract<Call, { type: 'frame' }>): Promise<Pixels> {
  const file = current();
  const { region, rows, columns } = call;
  const decode = (part: Region, count: number) =>
    exclusive(() => {
      if (opened !== file) throw new Cancelled('Cancelled.');
      return engine.show(part, count, columns, false, call.frame);
    });
  startGpuBehindFirstPicture();
  if (engine.usesGpu) return decode(region, rows);
  const pixels = new Uint8ClampedArray(rows * columns * 4);
  for (let row = 0; row < rows; ) {
    const count = Math.min(rows - row, engine.rowsFor(columns, PIECE_MS));
    const piece = await decode(band(region, rows, row, count), count);
    // A device that takes over meanwhile gives images; they are read here, once.
    pixels.set('buffer' in piece ? piece : (pixelsOf(piece) ?? []), row * columns * 4);
    row += count;
    await tick();
  }
  return pixels;
}

type Box = readonly [row0: number, row1: number, column0: number, column1: number];

/** Rows and columns of a part: the last two axes, a video has one for its frames before them. */
function edges(file: OpenedFile, part: number): Box {
  const axes = file.info.shape.length;
  return [...file.boxes.subarray((part + 1) * 2 * axes - 4, (part + 1) * 2 * axes)] as unknown as Box;
}

/** Whether a part has samples in a frame. */
function inFrame(file: OpenedFile, part: number, frame: number): boolean {
  return file.info.shape.length === 2 || (frame >= (file.boxes[part * 6] ?? 0) && frame < (file.boxes[part * 6 + 1] ?? 0));
}

/** The rectangle around some parts. */
function around(file: OpenedFile, parts: Iterable<number>): Region {
  const box = { row0: Infinity, row1: 0, column0: Infinity, column1: 0 };
  for (const part of parts) {
    const [row0, row1, column0, column1] = edges(file, part);
    box.row0 = Math.min(box.row0, row0);
    box.row1 = Math.max(box.row1, row1);
    box.column0 = Math.min(box.column0, column0);
    box.column1 = Math.max(box.column1, column1);
  }
  if (box.row1 === 0) throw new Error('Nothing is kept here, so there is no picture to save.');
  return box;
}

/** A PNG of a rectangle of a frame; parts in it that are not kept are transparent. */
async function still(file: OpenedFile, pixels: Uint8Array, box: Region, keep: ReadonlySet<number>, frame: number): Promise<Blob> {
  const columns = box.column1 - box.column0;
  for (const part of file.present) {
    if (keep.has(part) || !inFrame(file, part, frame)) continue;
    const [row0, row1, column0, column1] = edges(file, part);
    const left = Math.max(column0, box.column0) - box.column0;
    const right = Math.min(column1, box.column1) - box.column0;
    for (let row = Math.max(row0, box.row0); row < Math.min(row1, box.row1) && right > left; row++) {
      const start = (row - box.row0) * columns;
      pixels.fill(0, (start + left) * 4, (start + right) * 4);
    }
  }
  const canvas = new OffscreenCanvas(columns, box.row1 - box.row0);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('The browser gave no memory for a picture of this size. Crop it first.');
  context.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer as ArrayBuffer), columns), 0, 0);
  return canvas.convertToBlob({ type: 'image/png' });
}

/** A PNG of the bounding box of some partitions; of a video, of one frame of it. */
async function picture(id: number, parts: Uint32Array, frame: number): Promise<Blob> {
  const file = current();
  const box = around(file, parts.filter((part) => inFrame(file, part, frame)));
  return still(file, await stored(id, box, frame), box, new Set(parts), frame);
}

/** See `Rivals`. */
async function rivals(id: number): Promise<Rivals> {
  const file = current();
  const against = measurement;
  const box = around(file, file.present);
  const [rows, columns] = [box.row1 - box.row0, box.column1 - box.column0];
  const given = () => {
    if (cancelled.has(id) || opened !== file) throw new Cancelled('Cancelled.');
  };
  const progress = (fraction: number) => {
    given();
    post({ kind: 'progress', id, fraction });
  };
  const pixels = await stored(id, box, 0, (fraction) => fraction / 4);
  const png = async (picture: Uint8Array) => {
    given();
    return (await encode({ rows, columns, pixels: picture }, 'image/png'))?.size ?? 0;
  };
  const pngBytes = await png(pixels);
  const result = { rows, columns, pngBytes };
  if (!against) return { ...result, original: null, jpeg: 'no original' };
  const original = cut(against.original, file.info.shape[1] ?? 1, box);
  const psnrDb = against.region(box)?.psnrDb ?? NaN;
  const known = { ...result, original: { pngBytes: await png(original), psnrDb } };
  const holes = file.present.reduce((sum, part) => {
    const [row0, row1, column0, column1] = edges(file, part);
    return sum - (row1 - row0) * (column1 - column0);
  }, rows * columns);
  if (holes > 0) return { ...known, jpeg: 'parts are missing' };
  if (!isOpaque(pixels) || !isOpaque(original)) return { ...known, jpeg: 'transparent' };
  const jpeg = await jpegOf({ rows, columns, pixels: original }, psnrDb, (fraction) => progress(0.25 + 0.75 * fraction));
  return { ...known, jpeg: jpeg ?? 'no encoder' };
}

/** An animated PNG of the bounding box of some partitions. */
async function clip(id: number, { parts, start, end, rate }: Extract<Call, { type: 'clip' }>): Promise<Blob> {
  const file = current();
  const box = around(file, parts);
  const keep = new Set(parts);
  const animation = new AnimatedPng(end - start, rate);
  for (let at = start; at < end; at++) {
    const pixels = await stored(id, box, at, (fraction) => (at - start + fraction) / (end - start));
    animation.add(new Uint8Array(await (await still(file, pixels, box, keep, at)).arrayBuffer()));
  }
  return animation.finish();
}

/** A trap of the wasm module: its memory is in an unknown state, so the worker has to be replaced. */
function isTrap(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError;
}

function plain(error: unknown): PlainError {
  if (error instanceof Cancelled) return { message: error.message, kind: 'cancelled' };
  const fields = error as { kind?: PlainError['kind']; part?: string; offset?: number };
  const message = error instanceof Error ? error.message : String(error);
  return {
    message,
    kind: fields?.kind ?? 'environment',
    ...(typeof fields?.part === 'string' ? { part: fields.part } : {}),
    ...(fields?.offset !== undefined ? { offset: Number(fields.offset) } : {}),
  };
}
