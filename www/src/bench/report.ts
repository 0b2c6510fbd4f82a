// What the benchmark finds: plain data, written as JSON by `cargo xtask bench --browser`.

export interface Figure {
  /** `picture`: every stored sample of a picture or of a frame. `zoomed`: the middle quarter of each axis at as many
   * samples. `tenth`: a tenth of a second of a sound. */
  readonly view: 'picture' | 'zoomed' | 'tenth';
  /** `wasm-simd128`, `wasm-relaxed-simd`, `webgpu` (stays on the device), `webgpu-read-back`, `webgpu-general-operations`. */
  readonly engine: string;
  readonly first_seconds: number;
  /** Median, and the fastest, of the repetitions after the first. */
  readonly median_seconds: number;
  readonly fastest_seconds: number;
  readonly frames_per_second: number;
  /** How many times as fast as it plays; of frames and sounds alone. */
  readonly real_time: number | null;
  readonly samples: number;
  readonly repetitions: number;
}

export interface Opening {
  /** From a worker that has its module to a picture of a sixteenth and of a quarter of each axis, and to the whole. */
  readonly engine: string;
  readonly parse_seconds: number;
  readonly coarse_seconds: number;
  readonly quarter_seconds: number;
  readonly complete_seconds: number;
}

/** Reading, checking and decoding all weights of the file. */
export interface Weights {
  readonly engine: string;
  readonly median_seconds: number;
  readonly fastest_seconds: number;
}

export interface BenchReport {
  readonly file: {
    readonly name: string; readonly kind: 'picture' | 'sound' | 'video' | 'shape'; readonly rows: number; readonly columns: number;
    readonly macs_per_sample: number; readonly bytes: number; readonly parameters: number;
  };
  readonly machine: {
    readonly user_agent: string;
    readonly adapter: string | null;
    readonly fallback_adapter: boolean | null;
    /** Threads that the machine reports, and that a decode uses. */
    readonly hardware_threads: number;
    readonly threads: 1;
    readonly relaxed_simd: boolean;
    readonly presents: boolean;
  };
  readonly openings: readonly Opening[];
  readonly weights: readonly Weights[];
  readonly figures: readonly Figure[];
  /** Median time over median time: above 1 the first one is faster. `null` where one was not measured. */
  readonly ratios: {
    readonly webgpu_over_general_operations: number | null;
    readonly webgpu_over_read_back: number | null;
    readonly relaxed_over_simd128: number | null;
    readonly webgpu_over_wasm: number | null;
  };
  /** What could not be measured, and why. */
  readonly skipped: readonly string[];
}

export interface Settings {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly repetitions: number;
}

export type FromBench = { readonly kind: 'note'; readonly text: string } | { readonly kind: 'report'; readonly report: BenchReport } | { readonly kind: 'failure'; readonly message: string };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** A figure from the times of one engine on one view, in milliseconds; the first one pays for compiling. `seconds` is how
 * long it plays. */
export function figure(view: Figure['view'], engine: string, samples: number, times: readonly number[], seconds: number | null = null): Figure {
  const [first = NaN, ...rest] = times;
  const steady = rest.length > 0 ? rest : [first];
  const middle = median(steady) / 1000;
  return {
    view,
    engine,
    first_seconds: first / 1000,
    median_seconds: middle,
    fastest_seconds: Math.min(...steady) / 1000,
    frames_per_second: 1 / middle,
    real_time: seconds === null ? null : seconds / middle,
    samples,
    repetitions: steady.length,
  };
}

/** How many times faster `fast` is than `slow` on the whole picture. */
export function ratio(figures: readonly Figure[], fast: readonly string[], slow: string): number | null {
  const of = (engine: string) => figures.find((f) => f.view === 'picture' && f.engine === engine)?.median_seconds;
  const [quick, other] = [fast.map(of).find((seconds) => seconds !== undefined), of(slow)];
  return quick !== undefined && other !== undefined ? other / quick : null;
}
