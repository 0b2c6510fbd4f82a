// What the element asks of each kind of signal, and what it gives to it.
//
// The element owns what all kinds share: opening a file, troubles, the crop and its exact size, undo and redo, saving
// the cropped file. A stage shows one kind and brings the controls of it. The picture's is always there; the code of the
// others is loaded with the first file of their kind, so that a first picture does not wait for players.

import type { CropSession } from './crop-session';
import type { PartitionGrid } from './grid';
import type { Mode } from '../state/url';
import type { Decoder } from '../worker/client';
import type { OpenedFile } from '../worker/protocol';

/** The open file, and the number of its opening, which every question to the decoder carries. */
export interface Opened {
  readonly file: OpenedFile;
  readonly generation: number;
  readonly grid: PartitionGrid;
  readonly name: string;
}

/** Whether a file takes the place of another state of itself (a field that is being trained): what somebody looks at then
 * stays in sight. */
export function replaces(opened: Opened, before: Opened | null): boolean {
  return before !== null && before.name === opened.name && String(before.file.info.shape) === String(opened.file.info.shape);
}

/** A file to save. */
export interface Saved {
  readonly name: string;
  readonly blob: Blob;
}

export interface StageHost {
  readonly root: ShadowRoot;
  /** Where a stage puts what it shows; it fills the place. */
  readonly frame: HTMLElement;
  readonly decoder: Decoder;
  readonly crop: CropSession;
  readonly mode: Mode;
  /** What is open; `null` before, and while another kind of file is. */
  readonly opened: Opened | null;
  /** The region that "show all" shows changed, or a control did: brings every control into line. */
  refresh(): void;
  /** Words for a screen reader. */
  say(text: string): void;
  report(error: unknown): void;
  /** Something of the file is seen for the first time. */
  firstShown(): void;
  /** How much of what the view needs is decoded. */
  quality(done: number, total: number): void;
  /** The view moved. */
  moved(scale: number): void;
}

export interface Stage {
  /** What has the focus and takes keys; it fills the frame. */
  readonly element: HTMLElement;
  /** The kind's own controls, at the left of the bar. */
  readonly toolbar: HTMLElement;
  /** Modes beside `view`. */
  readonly modes: readonly Mode[];
  /** The second way to save: the words of the button. */
  readonly exportLabel: string;
  /** Everything that the view needs is decoded. */
  readonly complete: boolean;
  /** Shows a file; the crop has been set to it. */
  open(opened: Opened): void;
  close(): void;
  /** The decoder was replaced by a fresh one, which has the file. */
  reopened(): void;
  /** The frame has another size, or the screen another ratio of pixels. */
  resize(ratio: number): void;
  /** Takes the colours of what is drawn from the style sheet. */
  readColours(): void;
  /** The page is hidden, or seen again. */
  visibility(hidden: boolean): void;
  cropChanged(): void;
  modeChanged(): void;
  /** Shows all of what is kept. */
  fit(): void;
  /** Adds a region in the middle of what is seen and focuses it: the way without a drag. */
  place(): void;
  focusRegion(): void;
  /** Does what a button of the kind says; `false` where it is none of its own. */
  act(action: string, value: string): boolean;
  /** Takes a key; `false` where it is none of its own. `focused`: the stage itself has the focus. */
  key(event: KeyboardEvent, focused: boolean): boolean;
  /** Gives up a drag in progress (Escape); `false` where there is none. */
  cancelDrag(): boolean;
  refresh(): void;
  /** What is open, in words, and how keys work it in this mode. */
  describe(): { readonly what: string; readonly help: string };
  /** What is kept as a file of the usual format of the kind. */
  export(progress: (fraction: number) => void): Promise<Saved>;
}
