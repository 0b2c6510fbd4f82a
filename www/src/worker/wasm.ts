// The wasm modules, their types, and how they are loaded.
//
// `cargo xtask web` writes them to src/wasm. They are looked up with a glob, so that type check, unit tests and a build
// work in a checkout without them; the page then says what is missing instead of failing to build.

import type { FileInfo, SurfaceMesh } from './protocol';

/** Bindings of the small module: parse, verify, crop and the fused decode for the CPU. */
export interface CpuModule {
  default(options: { module_or_path: URL | string }): Promise<unknown>;
  readonly TesseraFile: new (bytes: Uint8Array) => TesseraFile;
  readonly SurfaceBuilder: new (file: TesseraFile, rows: number, columns: number) => SurfaceBuilder;
  readonly RemoteFile: new (front: Uint8Array, fileBytes?: number) => RemoteFile;
  /** Bytes of the head of a file, from its first bytes. */
  head_bytes(front: Uint8Array): number;
  /** The same with the global network, where they tell. */
  front_bytes(front: Uint8Array): number;
  /** Runs the decoder for some milliseconds, so that the browser optimises it before a file needs it. */
  warm_up(): void;
  compare(a: Uint8Array, b: Uint8Array, rows: number, columns: number): { psnr_db: number; ssim: number; mse: number };
}

/** An open file. Edges are in samples of the original canvas; pixels are RGBA of 8 bits, transparent where absent. */
export interface TesseraFile {
  info(): FileInfo;
  present(): Uint32Array;
  chunk_bytes(): Uint32Array;
  partition_boxes(): Uint32Array;
  select(selector: string, snap: 'outer' | 'inner'): Uint32Array;
  cropped_bytes(parts: Uint32Array): number;
  crop(parts: Uint32Array): Uint8Array;
  /** Equal for equal weights, to the bit. */
  weights_checksum(): number;
  decode(row0: number, row1: number, column0: number, column1: number, rows: number, columns: number, nearest: boolean, frame: number): Uint8Array;
  decode_values(edges: Float64Array, shape: Uint32Array, nearest: boolean): Float32Array;
  free(): void;
}

/** The head of a file on a server. */
export interface RemoteFile {
  file_bytes(): number;
  select(selector: string, snap: 'outer' | 'inner'): Uint32Array;
  needed_bytes(parts: Uint32Array): number;
  /** Start and end of every range. */
  ranges(parts: Uint32Array): Float64Array;
  add(start: number, bytes: Uint8Array): void;
  crop(parts: Uint32Array): Uint8Array;
  free(): void;
}

/** Takes slices of a shape along its first axis and gives the surface around them. */
export interface SurfaceBuilder {
  push(slice: Float32Array): void;
  finish(): SurfaceMesh & { free(): void };
  free(): void;
}

/** Bindings of the module with WebGPU. */
export interface GpuModule {
  default(options: { module_or_path: URL | string }): Promise<unknown>;
  initialise(): Promise<string>;
  readonly GpuField: new (bytes: Uint8Array) => GpuField;
}

export interface GpuField {
  decode(row0: number, row1: number, column0: number, column1: number, rows: number, columns: number, nearest: boolean, frame: number): Promise<Uint8Array>;
  /** The same picture as an image that never leaves the device. Only where `canPresent()` of presentation.ts says so. */
  present(row0: number, row1: number, column0: number, column1: number, rows: number, columns: number, nearest: boolean, frame: number): Promise<ImageBitmap>;
  decode_values(edges: Float64Array, shape: Uint32Array, nearest: boolean): Promise<Float32Array>;
  free(): void;
}

type Folder = 'cpu' | 'cpu-relaxed' | 'gpu';

const bindings = import.meta.glob<unknown>(['../wasm/cpu/tessera_web.js', '../wasm/cpu-relaxed/tessera_web.js', '../wasm/gpu/tessera_web.js']);
const binaries = import.meta.glob<string>(['../wasm/cpu/*_bg.wasm', '../wasm/cpu-relaxed/*_bg.wasm', '../wasm/gpu/*_bg.wasm'], { query: '?url', import: 'default', eager: true });

/** A function of type `() -> v128` that swizzles in the relaxed way: accepted only where relaxed SIMD is. */
const RELAXED_SWIZZLE = [
  [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // magic, version
  [0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b], // type section
  [0x03, 0x02, 0x01, 0x00], // function section
  [0x0a, 0x0f, 0x01, 0x0d, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0x41, 0x00, 0xfd, 0x0f, 0xfd, 0x80, 0x02, 0x0b], // code
];

/** Whether this browser has relaxed SIMD, which fuses multiplications with additions. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(new Uint8Array(RELAXED_SWIZZLE.flat()));
}

async function load(folder: Folder): Promise<unknown> {
  const binding = bindings[`../wasm/${folder}/tessera_web.js`];
  const binary = binaries[`../wasm/${folder}/tessera_web_bg.wasm`];
  if (!binding || !binary) {
    throw new Error(`This build of the page has no ${folder.toUpperCase()} decoder. Build it with \`cargo xtask web\`.`);
  }
  return start(binding, binary);
}

/** Loads and instantiates one module; `binary` is the address that the bundler gave it. */
export async function start(binding: () => Promise<unknown>, binary: string): Promise<unknown> {
  // Vite gives an address relative to the page or to this script, by build mode; both resolve against the script.
  const module_or_path = new URL(binary, import.meta.url);
  const module = (await binding()) as CpuModule | GpuModule;
  await module.default({ module_or_path });
  return module;
}

/** The module for this browser, or the one that is named. */
export async function loadCpu(folder: 'cpu' | 'cpu-relaxed' = hasRelaxedSimd() ? 'cpu-relaxed' : 'cpu'): Promise<CpuModule> {
  return (await load(folder)) as CpuModule;
}

export async function loadGpu(): Promise<GpuModule> {
  return (await load('gpu')) as GpuModule;
}
