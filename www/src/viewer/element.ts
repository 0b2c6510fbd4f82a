// <tessera-viewer src crop controls>: opens, shows, crops and compares one file. The page is its first user.
//
// The element owns the file, the decoder and the crop; a stage shows the kind of signal that the file holds (see
// `stage.ts`); `controls.ts` owns the buttons and keys that all kinds share.

import { type Mode } from '../state/url';
import { Decoder, DecoderError } from '../worker/client';
import type { EngineName, EngineState, FileInfo, OpenedFile, Rivals } from '../worker/protocol';
import { Controls } from './controls';
import { cropCommand, croppedName, isWhole, selectorFor } from './crop-model';
import { CropSession } from './crop-session';
import type { CropDetail, Timings, ViewerEvents } from './events';
import { PartitionGrid } from './grid';
import { type CompareTool, type CompareView, OriginalError } from './picture/compare';
import type { InspectTool } from './picture/inspect';
import type { Overlay } from './picture/overlay';
import type { Screen } from './picture/screen';
import { PictureStage } from './picture/stage';
import type { SharedView } from './picture/transform';
import { type Fetched, readRegion, type RemoteDecoder, type RemoteFile } from './remote';
import { nameOf, readBlob, readUrl, type SourceHooks } from './source';
import type { Opened, Saved, Stage, StageHost } from './stage';
import styles from './viewer.css?inline';
import { template } from './template';
import { explain, type Trouble } from './trouble';

const sheet = new CSSStyleSheet();
sheet.replaceSync(styles);

/** What can be opened; of an address with `crop`, a selector of the common grammar, that region alone where its server can. */
export type Source = { readonly url: string; readonly crop?: string | null } | { readonly blob: Blob; readonly name: string };

/** What was fetched of a file of which a region was opened. */
export interface Region extends Fetched {
  /** What of the file it is. */
  readonly selector: string;
}

export class TesseraViewer extends HTMLElement {
  static readonly observedAttributes = ['src', 'crop', 'nearest'];

  readonly #root: ShadowRoot;
  readonly #decoder: Decoder;
  readonly #crop: CropSession;
  readonly #picture: PictureStage;
  /** The stages of kinds that were opened before. */
  readonly #stages = new Map<FileInfo['kind'], Stage>();
  readonly #controls: Controls;
  readonly #frame: HTMLElement;
  #stage: Stage;
  #observer: ResizeObserver | null = null;

  #source: Source | null = null;
  #opening: AbortController | null = null;
  #bytes: Blob | null = null;
  #opened: Opened | null = null;
  /** How many openings there were: each has its number. */
  #openings = 0;
  #engine: EngineState = { engine: 'CPU', reason: 'No file is open.' };
  #mode: Mode = 'view';
  #detail: CropDetail | null = null;
  #sizeAsked = 0;
  #timings: Timings | null = null;
  #openedAt = 0;
  #region: Region | null = null;
  #crashes = 0;

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: 'open', delegatesFocus: false });
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.append(template.content.cloneNode(true));
    this.#frame = this.#root.querySelector('.frame') as HTMLElement;
    this.#decoder = new Decoder({
      band: (band) => this.#picture.receive(band),
      engine: (state) => {
        this.#engine = state;
        this.#emit('engine', state);
      },
      crash: (message) => void this.#recover(message),
    });
    this.#crop = new CropSession(() => this.#cropChanged());
    this.#picture = new PictureStage(this.#host(), {
      compared: () => {
        const { original, result, visible } = this.#picture.compareTool;
        this.#emit('comparison', { original: original?.name ?? null, result, visible });
      },
    });
    this.#stages.set('picture', this.#picture);
    this.#stage = this.#picture;
    this.#controls = new Controls(this, this.#root);
  }

  #host(): StageHost {
    const viewer = this;
    return {
      root: this.#root,
      frame: this.#frame,
      decoder: this.#decoder,
      crop: this.#crop,
      get mode() {
        return viewer.#mode;
      },
      get opened() {
        return viewer.#opened;
      },
      refresh: () => this.#controls.refresh(),
      say: (text) => this.#controls.say(text),
      report: (error) => this.report(error),
      firstShown: () => this.#firstShown(),
      quality: (done, total) => this.#quality(done, total),
      moved: (scale) => {
        this.#emit('view', { scale });
        this.#controls.refresh();
      },
    };
  }

  connectedCallback(): void {
    this.#readColours();
    this.#observer = new ResizeObserver(() => this.#stage.resize(devicePixelRatio || 1));
    this.#observer.observe(this.#frame);
    document.addEventListener('visibilitychange', this.#visibility);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', this.#readColours);
    this.#stage.resize(devicePixelRatio || 1);
  }

  disconnectedCallback(): void {
    this.#observer?.disconnect();
    document.removeEventListener('visibilitychange', this.#visibility);
    matchMedia('(prefers-color-scheme: dark)').removeEventListener('change', this.#readColours);
    this.close();
  }

  attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    if (before === value) return;
    if (name === 'src' && value) void this.open({ url: value, crop: this.getAttribute('crop') });
    if (name === 'crop' && this.file) void this.#cropByAttribute();
    if (name === 'nearest') this.#picture.nearest = value !== null;
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
    return this.#opened?.file ?? null;
  }
  get fileName(): string {
    return this.#opened?.name ?? '';
  }
  get grid(): PartitionGrid | null {
    return this.#opened?.grid ?? null;
  }
  /** What shows the open file. */
  get stage(): Stage {
    return this.#stage;
  }
  get cropTool(): CropSession {
    return this.#crop;
  }
  // Parts of the picture's stage.
  get screen(): Screen {
    return this.#picture.screen;
  }
  get overlay(): Overlay {
    return this.#picture.overlay;
  }
  get compareTool(): CompareTool {
    return this.#picture.compareTool;
  }
  get inspectTool(): InspectTool {
    return this.#picture.inspectTool;
  }
  get engine(): EngineState {
    return this.#engine;
  }
  get timings(): Timings | null {
    return this.#timings;
  }
  /** What is kept, with exact sizes. */
  get cropDetail(): CropDetail | null {
    return this.#detail;
  }
  get nearest(): boolean {
    return this.#picture.nearest;
  }
  set nearest(value: boolean) {
    this.toggleAttribute('nearest', value);
  }
  /** The address that the file came from, where it came from one. */
  get address(): string | null {
    return this.#source && 'url' in this.#source ? this.#source.url : null;
  }
  /** Of what the open file is a region, where only that was fetched. */
  get region(): Region | null {
    return this.#region;
  }
  get busy(): boolean {
    return this.#opening !== null;
  }

  get mode(): Mode {
    return this.#mode;
  }
  set mode(mode: Mode) {
    if (mode === this.#mode || (mode !== 'view' && !(this.#opened && this.#stage.modes.includes(mode)))) return;
    if (this.#mode === 'crop' && this.#crop.active) this.#crop.leave();
    this.#mode = mode;
    if (mode === 'crop') this.#crop.enter();
    this.#stage.modeChanged();
    this.#controls.refresh();
    this.#emit('mode', { mode });
  }

  /** What a link keeps of the view; setting it before a file is open applies it to the next one. */
  get sharedView(): SharedView | null {
    return this.#picture.sharedView;
  }
  set sharedView(view: SharedView | null) {
    this.#picture.sharedView = view;
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
      const { bytes, fetched } = await this.#read(source, hooks);
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
      const checked = performance.now();
      const stage = await this.#stageOf(file.info.kind);
      abort.signal.throwIfAborted();
      this.#bytes = kept;
      this.#region = fetched && 'url' in source ? { ...fetched, selector: source.crop ?? '' } : null;
      this.#crashes = 0;
      this.#openedAt = read;
      this.#timings = { bytes: read - begun, open: checked - read, firstPicture: null, fullQuality: null };
      this.#opening = null;
      this.#take({ file, generation, name, grid: new PartitionGrid(file.info.partitions_shape, file.boxes) }, stage);
      return true;
    } catch (error) {
      if (this.#opening !== abort) return false;
      this.#opening = null;
      this.#controls.progress(null, true);
      if (abort.signal.aborted || (error instanceof DOMException && error.name === 'AbortError') || (error instanceof DecoderError && error.kind === 'cancelled')) {
        this.#emit('close', null);
      } else {
        this.#fail(explain(error, head, name));
      }
      // A refused file may have replaced the open one in the decoder.
      if (this.#opened) await this.#reopen(true);
      return false;
    }
  }

  async #read(source: Source, hooks: SourceHooks): Promise<RemoteFile> {
    if (!('url' in source)) return { bytes: await readBlob(source.blob, hooks), fetched: null };
    if (!source.crop) return { bytes: await readUrl(source.url, hooks), fetched: null };
    const decoder: RemoteDecoder = {
      plan: (front, fileBytes, selector) => this.#decoder.call({ type: 'plan', front, fileBytes, selector }),
      gather: (front, fileBytes, parts, pieces) => this.#decoder.call({ type: 'gather', front, fileBytes, parts, pieces }),
    };
    return readRegion(source.url, source.crop, decoder, hooks);
  }

  /** The stage of a kind; its code is loaded with the first file of that kind. */
  async #stageOf(kind: FileInfo['kind']): Promise<Stage> {
    const known = this.#stages.get(kind);
    if (known) return known;
    const host = this.#host();
    const stage = await loadStage(kind, host, this.#picture);
    this.#stages.set(kind, stage);
    return stage;
  }

  #take(opened: Opened, stage: Stage): void {
    this.mode = 'view';
    if (stage !== this.#stage) this.#stage.close();
    this.#stage = stage;
    this.#opened = opened;
    this.#controls.opened();
    stage.resize(devicePixelRatio || 1);
    stage.readColours();
    stage.open(opened);
    this.#crop.reset(opened.grid, opened.file.present);
    this.#controls.refresh();
    this.#emit('load', { name: opened.name, file: opened.file });
    if (this.hasAttribute('crop') && !this.#region) void this.#cropByAttribute();
  }

  /** Opens all of a file of which a region is open, or failed to be. */
  openWhole(): void {
    if (this.#source && 'url' in this.#source) void this.open({ url: this.#source.url });
  }

  /** Closes the file, or gives up opening one. */
  close(): void {
    this.#opening?.abort();
    this.#opening = null;
    this.#decoder.stop();
    this.#stage.close();
    this.#opened = null;
    this.#source = null;
    this.#region = null;
    this.mode = 'view';
    this.#controls.opened();
    this.#emit('close', null);
  }

  cancel(): void {
    if (this.#opening) this.#opening.abort();
    else this.#picture.cancel();
  }

  retry(): void {
    if (this.#source) void this.open(this.#source);
  }

  /** Gives the open file back to the decoder: after a restart, without WebGPU where that may be the cause. */
  async #reopen(allowGpu: boolean): Promise<void> {
    const kept = this.#bytes;
    const opened = this.#opened;
    if (!kept || !opened) return;
    try {
      const bytes = new Uint8Array(await kept.arrayBuffer());
      // Another file is on its way, or the file was closed: the decoder must not end up with this one.
      if (this.#opening || this.#opened !== opened) return;
      await this.#decoder.call({ type: 'open', generation: opened.generation, bytes, allowGpu }, { transfer: [bytes.buffer] });
      this.#stage.reopened();
    } catch (error) {
      this.#fail(explain(error, null, opened.name));
    }
  }

  async #recover(message: string): Promise<void> {
    if (!this.#opened || this.#opening) return;
    this.#crashes += 1;
    if (this.#crashes > 2) {
      this.#fail({ title: 'The decoder stopped', message, advice: 'The file stays open; reload the page to try again.', kind: 'environment' });
      return;
    }
    await this.#reopen(false);
  }

  #fail(trouble: Trouble): void {
    const remote = this.#source !== null && 'url' in this.#source;
    this.#controls.notice(trouble, remote, remote && Boolean((this.#source as { crop?: string | null }).crop));
    this.#emit('error', trouble);
  }

  /** Shows an error that is not the file's (an action that failed). */
  report(error: unknown): void {
    if (error instanceof DecoderError && error.kind === 'cancelled') return;
    if (error instanceof DOMException && error.name === 'AbortError') return;
    const trouble = error instanceof OriginalError ? { title: 'No comparison', message: error.message, advice: '', kind: 'source' } : explain(error, null, this.fileName);
    this.#controls.notice(trouble, false);
    this.#emit('error', trouble);
  }

  #progress(stage: 'bytes' | 'decode' | 'quality', done: number, total: number | null): void {
    this.#controls.progress({ stage, done, total });
    this.#emit('progress', { stage, done, total });
  }

  #quality(done: number, total: number): void {
    if (!this.#opened) return;
    this.#progress('quality', done, total);
    if (done === total && this.#timings && this.#timings.firstPicture !== null && this.#timings.fullQuality === null) {
      this.#timings = { ...this.#timings, fullQuality: performance.now() - this.#openedAt };
      this.#emit('timings', this.#timings);
    }
  }

  #firstShown(): void {
    if (!this.#timings || this.#timings.firstPicture !== null) return;
    this.#timings = { ...this.#timings, firstPicture: performance.now() - this.#openedAt };
    this.#progress('decode', 1, 1);
    this.#emit('timings', this.#timings);
  }

  #cropChanged(): void {
    const opened = this.#opened;
    if (!opened) return;
    const { file, grid, generation } = opened;
    const region = this.#region;
    const state = this.#crop.state;
    const kept = this.#crop.kept;
    this.#stage.cropChanged();
    this.#controls.refresh();
    const asked = ++this.#sizeAsked;
    const finish = (croppedBytes: number) => {
      if (asked !== this.#sizeAsked || opened !== this.#opened) return;
      // A link leads to the file on the server, in which other parts are present as well.
      const whole = isWhole(state) || kept.length === file.present.length;
      const selector = whole ? (region?.selector ?? null) : selectorFor(kept, grid, file.info, region ? null : file.present);
      this.#detail = { kept: kept.length, present: file.present.length, bytes: file.info.bytes, croppedBytes, selector };
      this.#controls.size(this.#detail);
      this.#emit('crop', this.#detail);
    };
    if (kept.length === file.present.length) finish(file.info.bytes);
    else if (kept.length === 0) finish(0);
    else this.#decoder.call({ type: 'size', generation, parts: kept }).then(finish, (error: unknown) => this.report(error));
  }

  async #cropByAttribute(): Promise<void> {
    const selector = this.getAttribute('crop');
    if (!selector) this.#crop.clear();
    else await this.cropTo(selector).catch((error: unknown) => this.report(error));
  }

  /** Crops to a selector of the common grammar. Rejects with the reason where it does not fit the file. */
  async cropTo(selector: string): Promise<void> {
    const generation = this.#opened?.generation ?? 0;
    const parts = await this.#decoder.call({ type: 'select', generation, selector, snap: this.#crop.state.snap });
    this.#crop.keep([...parts]);
  }

  /** The cropped file: a byte copy of the kept chunks. */
  async croppedFile(): Promise<Saved> {
    const opened = this.#opened;
    const kept = this.#crop.kept;
    const bytes = await this.#decoder.call({ type: 'crop', generation: opened?.generation ?? 0, parts: kept });
    const whole = kept.length === opened?.file.present.length && !this.#region;
    const name = opened?.name ?? 'file.inr';
    return { name: whole ? name : croppedName(name, 'inr'), blob: new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' }) };
  }

  /** What is kept as a file of the kind's usual format: a PNG, a WAV, a mesh. */
  async exported(progress: (fraction: number) => void = () => {}): Promise<Saved> {
    return this.#stage.export(progress);
  }

  /** A PNG of what is kept, one pixel per stored sample. */
  async png(progress: (fraction: number) => void = () => {}): Promise<Saved> {
    return this.#picture.export(progress);
  }

  /** The command line that makes the same crop. */
  command(): string {
    return cropCommand(this.fileName || 'file.inr', this.#crop.kept);
  }

  /** The stored samples of the whole canvas as RGBA, decoded by the engine in use; transparent where absent. */
  async pixels(): Promise<ImageData> {
    return this.#picture.pixels();
  }

  /** How many samples each engine decoded since the file was opened. */
  async decodedSamples(): Promise<Readonly<Record<EngineName, number>>> {
    return this.#decoder.call({ type: 'decoded', generation: this.#opened?.generation ?? 0 });
  }

  /** What a PNG and a JPEG of the same quality take for the open picture, by the browser's own encoders; a JPEG is measured
   * against the original that was compared with last. */
  async rivals(signal: AbortSignal, progress: (fraction: number) => void = () => {}): Promise<Rivals> {
    return this.#decoder.call({ type: 'rivals', generation: this.#opened?.generation ?? 0 }, { signal, progress });
  }

  /** What the canvas shows now: pixels of the visible part of the picture, and its place in the whole at this zoom. */
  visiblePixels(): { readonly x: number; readonly y: number; readonly data: ImageData } | null {
    return this.#picture.screen.visiblePixels();
  }

  /** Resolves when the current view is decoded at full quality. */
  async settled(): Promise<void> {
    while (this.#opening || (this.#opened && !this.#stage.complete)) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /**
   * Opens the comparison with a picture file, in the given view or in the one used last; `false` where another file was
   * opened before it was ready.
   */
  async compareWith(blob: Blob, name: string, view?: CompareView): Promise<boolean> {
    if (!(await this.#picture.compareWith(blob, name))) return false;
    if (view) this.#picture.compareTool.setView(view);
    this.mode = 'compare';
    return true;
  }

  readonly #visibility = () => this.#stage.visibility(document.hidden);

  readonly #readColours = () => this.#stage.readColours();

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

async function loadStage(kind: FileInfo['kind'], host: StageHost, picture: PictureStage): Promise<Stage> {
  switch (kind) {
    case 'picture': return picture;
    case 'sound': return new (await import('./sound/stage')).SoundStage(host);
    case 'shape': return new (await import('./shape/stage')).ShapeStage(host);
    case 'video': return new (await import('./video/stage')).VideoStage(host, picture);
  }
}
