// <tessera-viewer src crop controls>: opens, shows, crops and compares one file. The page is its first user.
//
// The element owns the file, the decoder and the tools; `controls.ts` owns buttons and keys; everything with arithmetic
// in it is in modules of its own that need no browser.

import { type Mode } from '../state/url';
import { Decoder, DecoderError } from '../worker/client';
import type { EngineName, EngineState, OpenedFile } from '../worker/protocol';
import { CompareTool, OriginalError } from './compare';
import { Comparing } from './comparing';
import { Controls } from './controls';
import { cropCommand, croppedName, isWhole, selectorFor } from './crop-model';
import { CropTool } from './crop-tool';
import type { CropDetail, Timings, ViewerEvents } from './events';
import { Gestures } from './gestures';
import { PartitionGrid } from './grid';
import { InspectTool } from './inspect';
import { Overlay } from './overlay';
import { Screen } from './screen';
import { nameOf, readBlob, readUrl } from './source';
import styles from './viewer.css?inline';
import { template } from './template';
import { type Region, restoreView, type SharedView, shareView } from './transform';
import { explain, type Trouble } from './trouble';

const sheet = new CSSStyleSheet();
sheet.replaceSync(styles);

/** What can be opened. */
export type Source = { readonly url: string } | { readonly blob: Blob; readonly name: string };

export class TesseraViewer extends HTMLElement {
  static readonly observedAttributes = ['src', 'crop', 'nearest'];

  readonly #root: ShadowRoot;
  readonly #decoder: Decoder;
  readonly screen: Screen;
  readonly overlay: Overlay;
  readonly cropTool: CropTool;
  readonly compareTool: CompareTool;
  readonly inspectTool: InspectTool;
  readonly gestures: Gestures;
  readonly #controls: Controls;
  readonly #comparing: Comparing;
  #observer: ResizeObserver | null = null;

  #source: Source | null = null;
  #opening: AbortController | null = null;
  #bytes: Blob | null = null;
  #name = '';
  #file: OpenedFile | null = null;
  /** Number of the open file's opening, and how many openings there were: tiles carry it. */
  #generation = 0;
  #openings = 0;
  #grid: PartitionGrid | null = null;
  #engine: EngineState = { engine: 'CPU', reason: 'No file is open.' };
  #mode: Mode = 'view';
  #crop: CropDetail | null = null;
  #sizeAsked = 0;
  #timings: Timings | null = null;
  #opened = 0;
  #crashes = 0;
  #pendingView: SharedView | null = null;

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: 'open', delegatesFocus: false });
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.append(template.content.cloneNode(true));
    const get = <E extends HTMLElement>(selector: string) => this.#root.querySelector(selector) as E;
    this.#decoder = new Decoder({
      band: (band) => {
        if (this.screen.receive(band)) this.#pictureArrived();
      },
      engine: (state) => {
        this.#engine = state;
        this.#emit('engine', state);
      },
      crash: (message) => void this.#recover(message),
    });
    this.screen = new Screen(get('canvas.picture'), get('canvas.overlay'), get('.backdrop'), {
      request: (tiles) => this.#decoder.tiles(tiles),
      drawOver: (context) => this.compareTool.draw(context),
      drawOverlay: (context) => {
        this.overlay.draw(context);
        this.cropTool.layout();
        this.#controls.layout();
      },
      moved: () => {
        this.#emit('view', { scale: this.screen.view.scale });
        this.#controls.refresh();
        this.#comparing.visibleSoon();
      },
      quality: (done, total) => this.#quality(done, total),
    });
    this.overlay = new Overlay(this.screen);
    this.cropTool = new CropTool(this.screen, get('.handles'), {
      changed: () => this.#cropChanged(),
      draft: (region) => {
        this.overlay.draft = region;
        this.screen.invalidate();
      },
      say: (text) => this.#controls.say(text),
    });
    this.compareTool = new CompareTool(this.screen, () => {
      this.#controls.refresh();
      this.screen.invalidate();
    });
    this.inspectTool = new InspectTool(this);
    this.gestures = new Gestures(get('.stage'), this.screen, {
      claim: (point) => {
        const drag = this.cropTool.claim(point);
        if (drag) this.inspectTool.hover(null);
        return drag ?? this.inspectTool.claim(point);
      },
      hover: (point) => this.inspectTool.hover(point),
    });
    this.#controls = new Controls(this, this.#root);
    this.#comparing = new Comparing(this.#decoder, this.screen, this.compareTool, {
      opened: () => this.#file && { file: this.#file, generation: this.#generation },
      replaced: () => (this.overlay.tint = null),
      progress: (fraction) => this.#controls.comparing(fraction),
      compared: () => {
        this.#controls.refresh();
        this.#emit('comparison', { original: this.compareTool.original?.name ?? null, result: this.compareTool.result, visible: this.compareTool.visible });
      },
      report: (error) => this.report(error),
    });
  }

  connectedCallback(): void {
    this.#readColours();
    const frame = this.#root.querySelector('.frame') as HTMLElement;
    this.#observer = new ResizeObserver(() => this.#resize(frame));
    this.#observer.observe(frame);
    document.addEventListener('visibilitychange', this.#visibility);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', this.#readColours);
    this.#resize(frame);
  }

  disconnectedCallback(): void {
    this.#observer?.disconnect();
    document.removeEventListener('visibilitychange', this.#visibility);
    matchMedia('(prefers-color-scheme: dark)').removeEventListener('change', this.#readColours);
    this.close();
  }

  attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    if (before === value) return;
    if (name === 'src' && value) void this.open({ url: value });
    if (name === 'crop' && this.#file) void this.#cropByAttribute();
    if (name === 'nearest') {
      this.screen.nearest = value !== null;
      this.#controls.refresh();
    }
  }

  get src(): string | null {
    return this.getAttribute('src');
  }
  set src(value: string | null) {
    if (value === null) this.removeAttribute('src');
    else this.setAttribute('src', value);
  }
  /** What is open; `null` before. */
  get file(): OpenedFile | null {
    return this.#file;
  }
  get fileName(): string {
    return this.#name;
  }
  get grid(): PartitionGrid | null {
    return this.#grid;
  }
  get engine(): EngineState {
    return this.#engine;
  }
  get timings(): Timings | null {
    return this.#timings;
  }
  /** What is kept, with exact sizes. */
  get cropDetail(): CropDetail | null {
    return this.#crop;
  }
  get nearest(): boolean {
    return this.screen.nearest;
  }
  set nearest(value: boolean) {
    this.toggleAttribute('nearest', value);
  }
  /** The address that the file came from, where it came from one. */
  get address(): string | null {
    return this.#source && 'url' in this.#source ? this.#source.url : null;
  }
  get busy(): boolean {
    return this.#opening !== null;
  }

  get mode(): Mode {
    return this.#mode;
  }
  set mode(mode: Mode) {
    if (mode === this.#mode || (!this.#file && mode !== 'view')) return;
    if (this.#mode === 'crop' && this.cropTool.active) this.cropTool.leave();
    this.#mode = mode;
    this.overlay.showGrid = mode === 'crop' || mode === 'inspect';
    this.overlay.cursor = null;
    if (mode === 'crop') this.cropTool.enter();
    this.compareTool.setActive(mode === 'compare');
    this.inspectTool.setActive(mode === 'inspect');
    this.#controls.refresh();
    this.screen.invalidate();
    this.#emit('mode', { mode });
    if (mode === 'compare') void this.#comparing.whole();
  }

  /** What a link keeps of the view; setting it before a file is open applies it to the next one. */
  get sharedView(): SharedView | null {
    return this.#file ? shareView(this.screen.view, this.screen.viewport) : null;
  }
  set sharedView(view: SharedView | null) {
    if (this.#file && this.screen.size && view) this.screen.show(restoreView(view, this.screen.viewport, this.screen.size));
    else this.#pendingView = view;
  }

  /** Loads the decoder before there is a file, so that the first one opens at once. */
  prepare(): void {
    // What is wrong with the decoder is said when a file needs it.
    this.#decoder.call({ type: 'prepare' }).catch(() => {});
  }

  /** Opens a file in place of the open one. Errors are shown and sent as `error` events, not thrown. */
  async open(source: Source): Promise<boolean> {
    this.#opening?.abort();
    const abort = new AbortController();
    this.#opening = abort;
    this.#source = source;
    this.prepare();
    this.#controls.hideNotice();
    this.#controls.progress(null);
    let head: Uint8Array | null = null;
    const name = 'url' in source ? nameOf(source.url) : source.name;
    const begun = performance.now();
    try {
      const hooks = {
        signal: abort.signal,
        progress: (done: number, total: number | null) => this.#progress('bytes', done, total),
        confirm: (bytes: number, exact: boolean) => this.#controls.ask(name, bytes, exact, abort.signal),
      };
      const bytes = 'url' in source ? await readUrl(source.url, hooks) : await readBlob(source.blob, hooks);
      head = bytes.slice(0, 16);
      const read = performance.now();
      this.#progress('decode', 0, null);
      const kept = new Blob([bytes as Uint8Array<ArrayBuffer>]);
      const stop = () => this.#decoder.stop();
      abort.signal.addEventListener('abort', stop, { once: true });
      const generation = ++this.#openings;
      const file = await this.#decoder.call({ type: 'open', generation, bytes, allowGpu: true }, { transfer: [bytes.buffer] });
      abort.signal.removeEventListener('abort', stop);
      abort.signal.throwIfAborted();
      if (file.info.kind !== 'picture') {
        throw new DecoderError({ kind: 'unsupported', message: `The file holds a ${file.info.kind}; this page shows pictures. \`tessera decode\` writes it to a file.` });
      }
      this.#bytes = kept;
      this.#name = name;
      this.#crashes = 0;
      this.#opened = read;
      this.#timings = { bytes: read - begun, open: performance.now() - read, firstPicture: null, fullQuality: null };
      this.#opening = null;
      this.#generation = generation;
      this.#take(file);
      return true;
    } catch (error) {
      if (this.#opening !== abort) return false;
      this.#opening = null;
      this.#controls.progress(null, true);
      if (abort.signal.aborted || (error instanceof DOMException && error.name === 'AbortError') || (error instanceof DecoderError && error.kind === 'cancelled')) {
        this.#emit('close', null);
        if (this.#file) await this.#reopen(true);
      } else {
        this.#fail(explain(error, head, name));
        // A refused file may have replaced the open one in the decoder.
        if (this.#file) await this.#reopen(true);
      }
      return false;
    }
  }

  #take(file: OpenedFile): void {
    const [rows = 1, columns = 1] = file.info.shape;
    this.mode = 'view';
    this.#file = file;
    this.#grid = new PartitionGrid(file.info.partitions_shape, file.boxes);
    this.compareTool.setOriginal(null);
    this.overlay.setGrid(this.#grid, file.present);
    this.cropTool.reset(this.#grid, file.present);
    this.screen.reset({ width: columns, height: rows }, this.#generation);
    this.screen.fit(this.keptBounds());
    if (this.#pendingView && this.screen.size) this.screen.show(restoreView(this.#pendingView, this.screen.viewport, this.screen.size));
    this.#pendingView = null;
    this.#controls.opened();
    this.#emit('load', { name: this.#name, file });
    if (this.hasAttribute('crop')) void this.#cropByAttribute();
  }

  /** Closes the file, or gives up opening one. */
  close(): void {
    this.#opening?.abort();
    this.#opening = null;
    this.#decoder.stop();
    this.#file = null;
    this.#grid = null;
    this.#source = null;
    this.mode = 'view';
    this.screen.reset(null);
    this.#controls.opened();
    this.#emit('close', null);
  }

  cancel(): void {
    if (this.#opening) this.#opening.abort();
    else this.#comparing.cancel();
  }

  retry(): void {
    if (this.#source) void this.open(this.#source);
  }

  /** Gives the open file back to the decoder: after a restart, without WebGPU where that may be the cause. */
  async #reopen(allowGpu: boolean): Promise<void> {
    const kept = this.#bytes;
    if (!kept) return;
    try {
      const bytes = new Uint8Array(await kept.arrayBuffer());
      // Another file is on its way, or the file was closed: the decoder must not end up with this one.
      if (this.#opening || !this.#file || this.#bytes !== kept) return;
      await this.#decoder.call({ type: 'open', generation: this.#generation, bytes, allowGpu }, { transfer: [bytes.buffer] });
      this.screen.refresh();
    } catch (error) {
      this.#fail(explain(error, null, this.#name));
    }
  }

  async #recover(message: string): Promise<void> {
    if (!this.#file || this.#opening) return;
    this.#crashes += 1;
    if (this.#crashes > 2) {
      this.#fail({ title: 'The decoder stopped', message, advice: 'The file stays open; reload the page to try again.', kind: 'environment' });
      return;
    }
    await this.#reopen(false);
  }

  #fail(trouble: Trouble): void {
    this.#controls.notice(trouble, this.#source !== null && 'url' in this.#source);
    this.#emit('error', trouble);
  }

  /** Shows an error that is not the file's (an action that failed). */
  report(error: unknown): void {
    if (error instanceof DecoderError && error.kind === 'cancelled') return;
    if (error instanceof DOMException && error.name === 'AbortError') return;
    const trouble = error instanceof OriginalError ? { title: 'No comparison', message: error.message, advice: '', kind: 'source' } : explain(error, null, this.#name);
    this.#controls.notice(trouble, false);
    this.#emit('error', trouble);
  }

  #progress(stage: 'bytes' | 'decode' | 'quality', done: number, total: number | null): void {
    this.#controls.progress({ stage, done, total });
    this.#emit('progress', { stage, done, total });
  }

  #quality(done: number, total: number): void {
    if (!this.#file) return;
    this.#progress('quality', done, total);
    if (done === total && this.#timings && this.#timings.firstPicture !== null && this.#timings.fullQuality === null) {
      this.#timings = { ...this.#timings, fullQuality: performance.now() - this.#opened };
      this.#emit('timings', this.#timings);
    }
  }

  #pictureArrived(): void {
    if (!this.#timings || this.#timings.firstPicture !== null) return;
    this.#timings = { ...this.#timings, firstPicture: performance.now() - this.#opened };
    this.#progress('decode', 1, 1);
    this.#emit('timings', this.#timings);
  }

  /** Region of the picture that is kept: what "show all" shows. */
  keptBounds(): Region {
    const size = this.screen.size ?? { width: 1, height: 1 };
    const info = this.#file?.info;
    const state = this.cropTool.state;
    if (state.applied && this.#grid) {
      const box = this.#grid.boundsOf(this.cropTool.kept);
      if (box.row1 > box.row0) return box;
    }
    const [rows = [0, size.height], columns = [0, size.width]] = info?.bounds ?? [];
    return rows[1] > rows[0] && columns[1] > columns[0]
      ? { row0: rows[0], row1: rows[1], column0: columns[0], column1: columns[1] }
      : { row0: 0, row1: size.height, column0: 0, column1: size.width };
  }

  #cropChanged(): void {
    const file = this.#file;
    const grid = this.#grid;
    if (!file || !grid) return;
    const state = this.cropTool.state;
    const kept = this.cropTool.kept;
    this.overlay.crop = this.cropTool.active ? state : null;
    this.overlay.setKept(state, file.present);
    this.#controls.refresh();
    const asked = ++this.#sizeAsked;
    const finish = (croppedBytes: number) => {
      if (asked !== this.#sizeAsked || file !== this.#file) return;
      const selector = isWhole(state) || kept.length === file.present.length ? null : selectorFor(kept, grid);
      this.#crop = { kept: kept.length, present: file.present.length, bytes: file.info.bytes, croppedBytes, selector };
      this.#controls.size(this.#crop);
      this.#emit('crop', this.#crop);
    };
    if (kept.length === file.present.length) finish(file.info.bytes);
    else if (kept.length === 0) finish(0);
    else this.#decoder.call({ type: 'size', generation: this.#generation, parts: kept }).then(finish, (error: unknown) => this.report(error));
  }

  async #cropByAttribute(): Promise<void> {
    const selector = this.getAttribute('crop');
    if (!selector) this.cropTool.clear();
    else await this.cropTo(selector).catch((error: unknown) => this.report(error));
  }

  /** Crops to a selector of the common grammar. Rejects with the reason where it does not fit the file. */
  async cropTo(selector: string): Promise<void> {
    const parts = await this.#decoder.call({ type: 'select', generation: this.#generation, selector, snap: this.cropTool.state.snap });
    this.cropTool.keep([...parts]);
  }

  /** The cropped file: a byte copy of the kept chunks. */
  async croppedFile(): Promise<{ readonly name: string; readonly blob: Blob }> {
    const kept = this.cropTool.kept;
    const bytes = await this.#decoder.call({ type: 'crop', generation: this.#generation, parts: kept });
    const whole = kept.length === this.#file?.present.length;
    return { name: whole ? this.#name : croppedName(this.#name, 'inr'), blob: new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' }) };
  }

  /** A PNG of what is kept, one pixel per stored sample. */
  async png(progress?: (fraction: number) => void): Promise<{ readonly name: string; readonly blob: Blob }> {
    const kept = this.cropTool.kept;
    const blob = await this.#decoder.call({ type: 'png', generation: this.#generation, parts: kept }, progress ? { progress } : {});
    const whole = kept.length === this.#file?.present.length;
    return { name: whole ? `${this.#name.replace(/\.inr$/i, '')}.png` : croppedName(this.#name, 'png'), blob };
  }

  /** The command line that makes the same crop. */
  command(): string {
    return cropCommand(this.#name || 'file.inr', this.cropTool.kept);
  }

  /** The stored samples of the whole canvas as RGBA, decoded by the engine in use; transparent where absent. */
  async pixels(): Promise<ImageData> {
    const data = await this.#decoder.call({ type: 'samples', generation: this.#generation });
    const [, columns = 1] = this.#file?.info.shape ?? [];
    return new ImageData(data as Uint8ClampedArray<ArrayBuffer>, columns);
  }

  /** How many samples each engine decoded since the file was opened. */
  async decodedSamples(): Promise<Readonly<Record<EngineName, number>>> {
    return this.#decoder.call({ type: 'decoded', generation: this.#generation });
  }

  /** What the canvas shows now: pixels of the visible part of the picture, and its place in the whole at this zoom. */
  visiblePixels(): { readonly x: number; readonly y: number; readonly data: ImageData } | null {
    return this.screen.visiblePixels();
  }

  /** Resolves when the current view is decoded at full quality. */
  async settled(): Promise<void> {
    while (this.#opening || (this.#file && !this.screen.complete)) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Opens the comparison with a picture file. */
  async compareWith(blob: Blob, name: string): Promise<void> {
    if (!(await this.#comparing.take(blob, name))) return;
    if (this.#mode === 'compare') await this.#comparing.whole();
    else this.mode = 'compare';
  }

  #resize(frame: HTMLElement): void {
    this.screen.resize(frame.clientWidth, frame.clientHeight, devicePixelRatio || 1);
  }

  readonly #visibility = () => {
    this.#decoder.pause(document.hidden);
    if (!document.hidden) this.screen.invalidate();
  };

  /** Takes the colours of the canvas from the style sheet; call it after changing the theme. */
  readonly #readColours = () => {
    this.overlay.readColours(this.#root.querySelector('.frame') as HTMLElement);
    this.screen.invalidate();
  };

  /** Offers a key that was pressed elsewhere on the page; `true` where it was one of the viewer's. */
  handleKey(event: KeyboardEvent): boolean {
    return this.#controls.key(event);
  }

  /** Reads the colours again after the page changed its theme. */
  readonly themeChanged = () => this.#readColours();

  #emit<K extends keyof ViewerEvents>(type: K, detail: ViewerEvents[K]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
