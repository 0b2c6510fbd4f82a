// Asking the decoder how far the picture is from an original: the whole of it once, what is visible after every move.

import type { Decoder } from '../../worker/client';
import type { OpenedFile, Quality } from '../../worker/protocol';
import { type CompareTool, readOriginal } from './compare';
import type { Screen } from './screen';
import { visibleRegion } from './transform';

/** A view that moves is compared when it has rested this long. */
const REST_MS = 150;

export interface ComparingHooks {
  /** What is open, and the number of its opening. */
  opened(): { readonly file: OpenedFile; readonly generation: number } | null;
  /** A comparison with another original begins. */
  replaced(): void;
  /** How far the comparison of the whole is; `null` when it has ended. */
  progress(fraction: number | null): void;
  /** There are other figures than before. */
  compared(): void;
  report(error: unknown): void;
}

export class Comparing {
  readonly #decoder: Decoder;
  readonly #screen: Screen;
  readonly #tool: CompareTool;
  readonly #hooks: ComparingHooks;
  #running: AbortController | null = null;
  #rest: ReturnType<typeof setTimeout> | undefined;

  constructor(decoder: Decoder, screen: Screen, tool: CompareTool, hooks: ComparingHooks) {
    this.#decoder = decoder;
    this.#screen = screen;
    this.#tool = tool;
    this.#hooks = hooks;
  }

  cancel(): void {
    this.#running?.abort();
  }

  /** Takes a picture file as the original; `false` where the file it was meant for has gone. */
  async take(blob: Blob, name: string): Promise<boolean> {
    const before = this.#hooks.opened();
    const size = this.#screen.size;
    if (!before || !size) return false;
    const [rows = [0, size.height], columns = [0, size.width]] = before.file.info.bounds;
    const bounds = { row0: rows[0], row1: rows[1], column0: columns[0], column1: columns[1] };
    const original = await readOriginal(blob, name, size, bounds);
    if (before.file !== this.#hooks.opened()?.file) return false;
    this.#hooks.replaced();
    this.#tool.setOriginal(original);
    return true;
  }

  /** Compares the whole picture, unless that was done. */
  async whole(): Promise<void> {
    const original = this.#tool.original;
    const opened = this.#hooks.opened();
    if (!original || !opened || this.#tool.result) return;
    this.cancel();
    const abort = new AbortController();
    this.#running = abort;
    try {
      const result = await this.#decoder.call(
        { type: 'compare', generation: opened.generation, original: original.pixels },
        { signal: abort.signal, progress: (fraction) => this.#hooks.progress(fraction) },
      );
      if (this.#tool.original !== original) return;
      this.#tool.setResult(result);
      await this.#visible();
    } catch (error) {
      this.#hooks.report(error);
    } finally {
      this.#hooks.progress(null);
    }
  }

  /** Compares what is visible once the view rests. */
  visibleSoon(): void {
    if (!this.#tool.result) return;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => void this.#visible().catch((error: unknown) => this.#hooks.report(error)), REST_MS);
  }

  async #visible(): Promise<void> {
    const size = this.#screen.size;
    const opened = this.#hooks.opened();
    const region = size && visibleRegion(this.#screen.view, this.#screen.viewport, size);
    const visible: Quality | null = region && opened ? await this.#decoder.call({ type: 'compareRegion', generation: opened.generation, region }) : null;
    this.#tool.visible = visible;
    this.#hooks.compared();
  }
}
