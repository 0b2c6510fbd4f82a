// The two wasm modules, their types, and how they are loaded.
//
// `cargo xtask web` writes them to src/wasm. They are looked up with a glob, so that type check, unit tests and a build
// work in a checkout without them; the page then says what is missing instead of failing to build.

import type { FileInfo } from './protocol';

/** Bindings of the small module: parse, verify, crop and the fused decode for the CPU. */
export interface CpuModule {
  default(options: { module_or_path: URL | string }): Promise<unknown>;
  readonly TesseraFile: new (bytes: Uint8Array) => TesseraFile;
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
  decode(row0: number, row1: number, column0: number, column1: number, rows: number, columns: number, nearest: boolean): Uint8Array;
  free(): void;
}

/** Bindings of the module with WebGPU. */
export interface GpuModule {
  default(options: { module_or_path: URL | string }): Promise<unknown>;
  initialise(): Promise<string>;
  readonly GpuField: new (bytes: Uint8Array) => GpuField;
}

export interface GpuField {
  decode(row0: number, row1: number, column0: number, column1: number, rows: number, columns: number, nearest: boolean): Promise<Uint8Array>;
  free(): void;
}

const bindings = import.meta.glob<unknown>(['../wasm/cpu/tessera_web.js', '../wasm/gpu/tessera_web.js']);
const binaries = import.meta.glob<string>(['../wasm/cpu/*_bg.wasm', '../wasm/gpu/*_bg.wasm'], { query: '?url', import: 'default', eager: true });

async function load(folder: 'cpu' | 'gpu'): Promise<unknown> {
  const binding = bindings[`../wasm/${folder}/tessera_web.js`];
  const binary = binaries[`../wasm/${folder}/tessera_web_bg.wasm`];
  if (!binding || !binary) {
    throw new Error(`This build of the page has no ${folder.toUpperCase()} decoder. Build it with \`cargo xtask web\`.`);
  }
  const module = (await binding()) as CpuModule | GpuModule;
  // Vite gives an address relative to the page or to this script, by build mode; both resolve against the script.
  await module.default({ module_or_path: new URL(binary, import.meta.url) });
  return module;
}

export async function loadCpu(): Promise<CpuModule> {
  return (await load('cpu')) as CpuModule;
}

export async function loadGpu(): Promise<GpuModule> {
  return (await load('gpu')) as GpuModule;
}
