// The element's events, and what each one carries.

import type { Mode } from '../state/url';
import type { Comparison, EngineState, OpenedFile, Quality } from '../worker/protocol';
import type { Trouble } from './trouble';

export interface LoadDetail {
  readonly name: string;
  readonly file: OpenedFile;
}

export interface ProgressDetail {
  readonly stage: 'bytes' | 'decode' | 'quality';
  readonly done: number;
  /** `null` where it is not known. */
  readonly total: number | null;
}

export interface CropDetail {
  /** Partitions kept and present. */
  readonly kept: number;
  readonly present: number;
  /** Bytes of the open file, and of the file that saving the crop would give: exact. */
  readonly bytes: number;
  readonly croppedBytes: number;
  /** Selector of what is kept; `null` for everything. */
  readonly selector: string | null;
}

/** Milliseconds. */
export interface Timings {
  /** From the first to the last byte. */
  readonly bytes: number;
  /** Parsing and checking. */
  readonly open: number;
  /** From the last byte to the first picture on the screen, and to full quality. */
  readonly firstPicture: number | null;
  readonly fullQuality: number | null;
}

export interface ComparisonDetail {
  readonly original: string | null;
  readonly result: Comparison | null;
  readonly visible: Quality | null;
}

export interface ViewerEvents {
  load: LoadDetail;
  progress: ProgressDetail;
  crop: CropDetail;
  error: Trouble;
  engine: EngineState;
  mode: { readonly mode: Mode };
  view: { readonly scale: number };
  timings: Timings;
  comparison: ComparisonDetail;
  /** The file was closed, or opening it was cancelled. */
  close: null;
}
