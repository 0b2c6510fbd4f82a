// What the page and the decoding worker say to each other. Plain data only: every message is cloned or transferred.

import type { Region } from '../viewer/picture/transform';

/** What a file says about itself; the `info()` of the wasm module. */
export interface FileInfo {
  readonly kind: 'picture' | 'sound' | 'video' | 'shape';
  /** Samples along each axis: rows, columns for a picture. */
  readonly shape: readonly number[];
  readonly channels: number;
  /** Samples (sound) or frames (video) per second as a fraction; 0/1 where time plays no part. */
  readonly rate: readonly [number, number];
  /** A decoded value of 1 stands for this amplitude in the source. */
  readonly amplitude: number;
  readonly format: string;
  readonly colour: string;
  readonly alpha: boolean;
  /** Partition factors along each axis. */
  readonly partitions_shape: readonly number[];
  readonly partitions: number;
  readonly present: number;
  /** How many never had a network, because there is nothing in them; only shapes have such. */
  readonly empty: number;
  /** Samples around borders within which neighbours are blended, along each axis; none where it has no numbers. */
  readonly blend: readonly number[];
  readonly model: string;
  readonly local_width: number;
  readonly global_width: number;
  readonly hidden_layers: number;
  readonly first_omega: number;
  readonly hidden_omega: number;
  readonly parameters: number;
  readonly macs_per_sample: number;
  readonly coding: string;
  readonly bytes: number;
  readonly head_bytes: number;
  readonly shared_bytes: number;
  readonly local_bytes: number;
  readonly bits_per_sample: number;
  readonly file_id: string;
  readonly version: string;
  /** Bounding box of what is present: start and end per axis, in samples. */
  readonly bounds: readonly (readonly [number, number])[];
  /** Where a shape's first sample lies in the coordinates of its source, and how far apart samples are. */
  readonly placement: { readonly origin: readonly [number, number, number]; readonly spacing: number } | null;
  readonly training: Readonly<Record<string, unknown>>;
}

/** Everything that the page needs to know once a file is open. */
export interface OpenedFile {
  readonly info: FileInfo;
  /** Partitions that are present, ascending, and the bytes of their chunks. */
  readonly present: Uint32Array;
  readonly chunkBytes: Uint32Array;
  /** Start and end along each axis of every partition of the grid: row0, row1, column0, column1 for a picture. */
  readonly boxes: Uint32Array;
}

/** A piece of the picture for the screen. */
export interface TileRequest {
  /** The opening of the file that it was planned for: keys tell places apart, not files. */
  readonly generation: number;
  readonly key: string;
  readonly region: Region;
  readonly rows: number;
  readonly columns: number;
  readonly nearest: boolean;
  /** Which frame of a video, from 0. */
  readonly frame: number;
}

/** Values of a signal of any kind, for sound and shapes. */
export interface ValueRequest {
  readonly generation: number;
  /** Start and end along each axis, in sample edges of the original canvas. */
  readonly edges: readonly number[];
  /** Samples along each axis. */
  readonly shape: readonly number[];
}

/** Triangles; corners in units of the samples that were taken, sample `i` of an axis at `i`. */
export interface SurfaceMesh {
  readonly positions: Float32Array;
  /** Of length one, outwards. */
  readonly normals: Float32Array;
  readonly triangles: Uint32Array;
}

export interface Quality {
  readonly psnrDb: number;
  /** `null` where absent partitions lie inside the region: the index compares windows, which would reach into the hole. */
  readonly ssim: number | null;
}

/** The result of a comparison with an original. */
export interface Comparison {
  readonly whole: Quality;
  /** PSNR in dB of every partition of the grid; NaN where it is absent. */
  readonly partitions: Float32Array;
  /** Largest difference over the channels of each sample, 0 to 255, row-major over the canvas. */
  readonly difference: Uint8Array;
}

/** What other formats take for the picture that a file holds, by the browser's own encoders. */
export interface Rivals {
  /** Pixels that were encoded: those of the box around what is present. */
  readonly rows: number;
  readonly columns: number;
  /** Bytes of a PNG of the decoded picture. */
  readonly pngBytes: number;
  /** What was measured against the original; `null` where there is none. */
  readonly original: { readonly pngBytes: number; readonly psnrDb: number } | null;
  readonly jpeg: JpegRival | NoJpeg;
}

/** The smallest JPEG whose PSNR against the original is at least the file's; the best one where none reaches it. */
export interface JpegRival {
  readonly bytes: number;
  /** The encoder's setting, 0 to 100. */
  readonly quality: number;
  readonly psnrDb: number;
  readonly reached: boolean;
}

/** Why there is no JPEG to compare with. */
export type NoJpeg = 'no original' | 'transparent' | 'parts are missing' | 'no encoder';

/** Some bytes of a file on a server. */
export interface RemotePiece {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** What a region of a file on a server needs: more of its first bytes, or these ranges (start and end) beside the first bytes. */
export type RemotePlan =
  | { readonly kind: 'more'; readonly frontBytes: number }
  | { readonly kind: 'ranges'; readonly parts: Uint32Array; readonly ranges: readonly (readonly [number, number])[]; readonly fileBytes: number };

export type EngineName = 'CPU' | 'WebGPU';

/** Decoded pixels: RGBA of 8 bits from the CPU, or an image that is still on the device that decoded it. */
export type Pixels = Uint8ClampedArray<ArrayBuffer> | ImageBitmap;

/** Which engine decodes, and why not the other. */
export interface EngineState {
  readonly engine: EngineName;
  readonly reason: string;
}

/** All calls but `prepare`, `plan`, `gather` and `open` are about the open file, and name its generation: whoever asks while another file
 * is opening would otherwise be answered for either. They are refused with the kind `cancelled` where it has gone. */
export type Call =
  /** Loads the decoder before there is a file. */
  | { readonly type: 'prepare' }
  /** What has to be fetched of a file of which the first bytes are here; `fileBytes` is what its server says. */
  | { readonly type: 'plan'; readonly front: Uint8Array; readonly fileBytes: number | null; readonly selector: string }
  /** The cropped file of parts that a plan named, from what was fetched. */
  | { readonly type: 'gather'; readonly front: Uint8Array; readonly fileBytes: number | null; readonly parts: Uint32Array; readonly pieces: readonly RemotePiece[] }
  /** The page numbers the files it opens, from 1; the same file keeps its number in a fresh worker. */
  | { readonly type: 'open'; readonly generation: number; readonly bytes: Uint8Array; readonly allowGpu: boolean }
  | { readonly type: 'select'; readonly generation: number; readonly selector: string; readonly snap: 'outer' | 'inner' }
  | { readonly type: 'size'; readonly generation: number; readonly parts: Uint32Array }
  | { readonly type: 'crop'; readonly generation: number; readonly parts: Uint32Array }
  | { readonly type: 'samples'; readonly generation: number }
  | { readonly type: 'png'; readonly generation: number; readonly parts: Uint32Array; readonly frame: number }
  /** A frame of a video, or a part of it. */
  | { readonly type: 'frame'; readonly generation: number; readonly frame: number; readonly region: Region; readonly rows: number; readonly columns: number }
  /** Frames of a video as an animated PNG: the rectangle around some parts, others in it transparent. */
  | { readonly type: 'clip'; readonly generation: number; readonly parts: Uint32Array; readonly start: number; readonly end: number; readonly rate: number }
  | ({ readonly type: 'values' } & ValueRequest)
  /** The surface of a shape; with `parts`, of these alone. */
  | ({ readonly type: 'surface'; readonly parts: Uint32Array | null } & ValueRequest)
  | { readonly type: 'compare'; readonly generation: number; readonly original: Uint8Array }
  /** Sizes of a PNG and, against the original of the last `compare`, of a JPEG of the same quality. */
  | { readonly type: 'rivals'; readonly generation: number }
  /** How many samples each engine decoded since the file was opened. */
  | { readonly type: 'decoded'; readonly generation: number }
  | { readonly type: 'compareRegion'; readonly generation: number; readonly region: Region };

/** What each call answers. */
export interface Answers {
  prepare: null;
  plan: RemotePlan;
  gather: Uint8Array;
  open: OpenedFile;
  select: Uint32Array;
  size: number;
  crop: Uint8Array;
  samples: Uint8ClampedArray;
  png: Blob;
  /** `[samples * channels]`, not a number where a partition is absent. */
  frame: Pixels;
  clip: Blob;
  values: Float32Array;
  surface: SurfaceMesh;
  compare: Comparison;
  compareRegion: Quality | null;
  rivals: Rivals;
  decoded: Readonly<Record<EngineName, number>>;
}

export type ToWorker =
  | { readonly kind: 'call'; readonly id: number; readonly call: Call }
  /** Gives up a long call; it is refused with the kind `cancelled`. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** Replaces all tiles asked for before. */
  | { readonly kind: 'tiles'; readonly tiles: readonly TileRequest[] }
  /** A hidden page asks for no tiles; calls are still answered. */
  | { readonly kind: 'pause'; readonly paused: boolean };

/** An error that can cross the worker's border. */
export interface PlainError {
  readonly message: string;
  /** Who is at fault: the bytes, the version, the caller, a limit, or the environment. */
  readonly kind: 'malformed' | 'unsupported' | 'parameter' | 'limit' | 'device' | 'environment' | 'cancelled';
  /** The broken part of the file, where one is. */
  readonly part?: string;
  readonly offset?: number;
}

export type FromWorker =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: PlainError }
  /** Some rows of a tile, ready to show. */
  | { readonly kind: 'band'; readonly generation: number; readonly frame: number; readonly key: string; readonly row: number; readonly rows: number; readonly columns: number; readonly pixels: Pixels; readonly done: boolean }
  | { readonly kind: 'engine'; readonly state: EngineState }
  /** Progress of a long call (a whole decode), 0 to 1. */
  | { readonly kind: 'progress'; readonly id: number; readonly fraction: number }
  /** The decoder itself broke: this worker is of no more use. */
  | { readonly kind: 'crash'; readonly message: string };
