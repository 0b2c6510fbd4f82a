// The picture's stage: the canvas with its tiles, zoom and pan, crop by rectangles, comparison, inspection.
//
// The frames of a video are shown by it too: `frame` says which one, and `under` draws what plays.

import type { Mode } from '../../state/url';
import type { EngineName } from '../../worker/protocol';
import { croppedName } from '../crop-model';
import { ARROWS } from '../crop-session';
import { type Opened, replaces, type Saved, type Stage, type StageHost } from '../stage';
import { exactBytes, integer, percent } from '../text';
import { CompareTool, type CompareView, OriginalError } from './compare';
import { Comparing } from './comparing';
import { PictureControls } from './controls';
import { CropTool } from './crop-tool';
import { Gestures } from './gestures';
import { InspectTool } from './inspect';
import { Overlay } from './overlay';
import { Screen } from './screen';
import { nextScale, type Region, restoreView, type SharedView, shareView } from './transform';

export interface PictureHooks {
  compared(): void;
}

export class PictureStage implements Stage {
  readonly element: HTMLElement;
  readonly toolbar: HTMLElement;
  readonly modes: readonly Mode[] = ['crop', 'compare', 'inspect'];
  readonly exportLabel = 'Save PNG';
  readonly host: StageHost;
  readonly screen: Screen;
  readonly overlay: Overlay;
  readonly handles: CropTool;
  readonly compareTool: CompareTool;
  readonly inspectTool: InspectTool;
  readonly gestures: Gestures;
  readonly #controls: PictureControls;
  readonly #comparing: Comparing;
  #opened: Opened | null = null;
  #pendingView: SharedView | null = null;
  #frame = 0;
  /** Draws what shows through where there are no tiles: the frames of a video that plays. */
  under: ((context: CanvasRenderingContext2D) => void) | null = null;

  constructor(host: StageHost, hooks: PictureHooks) {
    this.host = host;
    const get = <E extends HTMLElement>(selector: string) => host.root.querySelector(selector) as E;
    this.element = get('.stage');
    this.toolbar = get('.zoomers');
    this.screen = new Screen(get('canvas.picture'), get('canvas.overlay'), get('.backdrop'), {
      request: (tiles) => host.decoder.tiles(tiles.map((tile) => ({ ...tile, frame: this.#frame }))),
      drawUnder: (context) => this.under?.(context),
      drawOver: (context) => this.compareTool.draw(context),
      drawOverlay: (context) => {
        this.overlay.draw(context);
        this.handles.layout();
        this.#controls.layout();
      },
      moved: () => {
        host.moved(this.screen.view.scale);
        this.#comparing.visibleSoon();
      },
      quality: (done, total) => host.quality(done, total),
    });
    this.overlay = new Overlay(this.screen);
    this.handles = new CropTool(this.screen, get('.handles'), host.crop, {
      draft: (region) => {
        this.overlay.draft = region;
        this.screen.invalidate();
      },
      say: (text) => host.say(text),
    });
    this.compareTool = new CompareTool(this.screen, () => {
      host.refresh();
      this.screen.invalidate();
    });
    this.inspectTool = new InspectTool(this);
    this.gestures = new Gestures(this.element, this.screen, {
      claim: (point) => {
        const drag = this.handles.claim(point);
        if (drag) this.inspectTool.hover(null);
        return drag ?? this.inspectTool.claim(point);
      },
      hover: (point) => this.inspectTool.hover(point),
    });
    this.#controls = new PictureControls(this);
    this.#comparing = new Comparing(host.decoder, this.screen, this.compareTool, {
      opened: () => this.#opened,
      replaced: () => (this.overlay.tint = null),
      progress: (fraction) => this.#controls.comparing(fraction),
      compared: () => {
        host.refresh();
        hooks.compared();
      },
      report: (error) => host.report(error),
    });
  }

  get opened(): Opened | null {
    return this.#opened;
  }
  get complete(): boolean {
    return this.screen.complete;
  }
  /** Which frame of a video is shown, from 0. */
  get frame(): number {
    return this.#frame;
  }

  open(opened: Opened): void {
    const view = replaces(opened, this.#opened) && !this.screen.fitted ? this.screen.view : null;
    this.#opened = opened;
    this.#frame = 0;
    const { file, grid, generation } = opened;
    const [columns = 1, rows = 1] = [...file.info.shape].reverse();
    this.compareTool.setOriginal(null);
    this.overlay.setGrid(grid, file.present);
    this.screen.reset({ width: columns, height: rows }, generation);
    if (view) this.screen.show(view);
    else this.fit();
    if (this.#pendingView && this.screen.size) this.screen.show(restoreView(this.#pendingView, this.screen.viewport, this.screen.size));
    this.#pendingView = null;
  }

  close(): void {
    this.#opened = null;
    this.screen.reset(null);
  }

  reopened(): void {
    this.screen.refresh();
  }

  /** Shows another frame of a video: nothing is asked for while one plays (`plan` is false). */
  show(frame: number, plan: boolean): void {
    this.#frame = frame;
    this.overlay.plane = frame;
    this.screen.replaced(plan);
  }

  receive(band: Parameters<Screen['receive']>[0]): void {
    if (band.frame === this.#frame && this.screen.receive(band)) this.host.firstShown();
    else if ('close' in band.pixels) band.pixels.close();
  }

  resize(ratio: number): void {
    this.screen.resize(this.element.clientWidth, this.element.clientHeight, ratio);
  }

  readColours(): void {
    this.overlay.readColours(this.host.frame);
    this.screen.invalidate();
  }

  visibility(hidden: boolean): void {
    this.host.decoder.pause(hidden);
    if (!hidden) this.screen.invalidate();
  }

  /** What a link keeps of the view; setting it before a file is open applies it to the next one. */
  get sharedView(): SharedView | null {
    return this.#opened ? shareView(this.screen.view, this.screen.viewport) : null;
  }
  set sharedView(view: SharedView | null) {
    if (this.#opened && this.screen.size && view) this.screen.show(restoreView(view, this.screen.viewport, this.screen.size));
    else this.#pendingView = view;
  }

  get nearest(): boolean {
    return this.screen.nearest;
  }
  set nearest(value: boolean) {
    this.screen.nearest = value;
    this.host.refresh();
  }

  modeChanged(): void {
    const { mode } = this.host;
    this.overlay.showGrid = mode === 'crop' || mode === 'inspect';
    this.overlay.cursor = null;
    this.compareTool.setActive(mode === 'compare');
    this.inspectTool.setActive(mode === 'inspect');
    this.screen.invalidate();
    if (mode === 'compare') void this.#comparing.whole();
  }

  cropChanged(): void {
    const { crop } = this.host;
    const file = this.#opened?.file;
    if (!crop.active) this.overlay.draft = null;
    this.overlay.crop = crop.active ? crop.state : null;
    if (file) this.overlay.setKept(crop.state, file.present);
    this.screen.invalidate();
  }

  /** Region of the picture that is kept: what "show all" shows. */
  keptBounds(): Region {
    const size = this.screen.size ?? { width: 1, height: 1 };
    const { crop } = this.host;
    if (crop.state.applied && crop.grid && crop.grid === this.#opened?.grid) {
      const box = crop.grid.boundsOf(crop.kept);
      if (box.row1 > box.row0) return box;
    }
    const [columns = [0, size.width], rows = [0, size.height]] = [...(this.#opened?.file.info.bounds ?? [])].reverse();
    return rows[1] > rows[0] && columns[1] > columns[0]
      ? { row0: rows[0], row1: rows[1], column0: columns[0], column1: columns[1] }
      : { row0: 0, row1: size.height, column0: 0, column1: size.width };
  }

  fit(): void {
    this.screen.fit(this.keptBounds());
  }
  place(): void {
    this.handles.place();
  }
  focusRegion(): void {
    // The handles take their places while painting, and a hidden button takes no focus.
    this.screen.paint();
    this.handles.focusFirst();
  }
  cancelDrag(): boolean {
    return this.gestures.cancelDrag();
  }
  /** Gives up a comparison. */
  cancel(): void {
    this.#comparing.cancel();
  }

  refresh(): void {
    this.#controls.refresh();
  }

  describe(): { what: string; help: string } {
    const info = this.#opened?.file.info;
    if (!info) return { what: '', help: '' };
    const [rows, columns] = info.shape;
    const help = {
      view: 'Arrow keys move, plus and minus zoom, C crops, V compares, X inspects, question mark lists all keys.',
      crop: 'Tab reaches the handles, arrow keys move them. Enter places a region, I inverts, Escape leaves.',
      compare: 'F flickers, D shows the difference, L the slider. Escape leaves.',
      inspect: 'Arrow keys go from part to part. Escape leaves.',
    }[this.host.mode];
    return { what: `a picture of ${columns} by ${rows} samples in ${integer(info.partitions)} parts, ${exactBytes(info.bytes)}.`, help };
  }

  /** A PNG of what is kept, one pixel per stored sample; of a video, of the frame that is shown. */
  async export(progress: (fraction: number) => void): Promise<Saved> {
    const { opened } = this.host;
    if (!opened) throw new Error('No file is open.');
    const parts = this.host.crop.kept;
    const blob = await this.host.decoder.call({ type: 'png', generation: opened.generation, parts, frame: this.#frame }, { progress });
    const whole = parts.length === opened.file.present.length;
    return { name: whole ? `${opened.name.replace(/\.inr$/i, '')}.png` : croppedName(opened.name, 'png'), blob };
  }

  /** The stored samples of the whole canvas as RGBA, decoded by the engine in use; transparent where absent. */
  async pixels(): Promise<ImageData> {
    const generation = this.#opened?.generation ?? 0;
    const data = await this.host.decoder.call({ type: 'samples', generation });
    const [, columns = 1] = this.#opened?.file.info.shape ?? [];
    return new ImageData(data as Uint8ClampedArray<ArrayBuffer>, columns);
  }

  /** How many samples each engine decoded since the file was opened. */
  async decodedSamples(): Promise<Readonly<Record<EngineName, number>>> {
    return this.host.decoder.call({ type: 'decoded', generation: this.#opened?.generation ?? 0 });
  }

  /** Opens the comparison with a picture file; `false` where the file it was meant for has gone. */
  async compareWith(blob: Blob, name: string): Promise<boolean> {
    if (this.#opened && this.#opened.file.info.kind !== 'picture') {
      throw new OriginalError(`${name} is a picture, the open file holds a ${this.#opened.file.info.kind}. This page compares pictures; \`tessera compare\` compares every kind.`);
    }
    if (!(await this.#comparing.take(blob, name))) return false;
    if (this.host.mode === 'compare') await this.#comparing.whole();
    return true;
  }

  act(action: string, value: string): boolean {
    const { screen, compareTool } = this;
    switch (action) {
      case 'in': screen.zoom(nextScale(screen.view.scale, 1)); break;
      case 'out': screen.zoom(nextScale(screen.view.scale, -1)); break;
      case 'actual': screen.zoom(1); break;
      case 'fit': this.fit(); break;
      case 'nearest':
        this.nearest = !this.nearest;
        this.host.say(this.nearest ? 'Stored samples.' : 'Smooth.');
        break;
      case 'original': this.#controls.chooseOriginal(); break;
      case 'compare-view': compareTool.setView(value as CompareView); break;
      case 'swap': compareTool.swap(); break;
      case 'tint':
        this.overlay.tint = this.overlay.tint ? null : (compareTool.result?.partitions ?? null);
        screen.invalidate();
        this.host.refresh();
        break;
      default: return false;
    }
    return true;
  }

  key(event: KeyboardEvent, focused: boolean): boolean {
    if (this.inspectTool.key(event)) return true;
    const arrow = ARROWS[event.key];
    if (arrow && focused) {
      const step = (event.shiftKey ? 256 : 64) * this.screen.ratio;
      this.screen.pan(-arrow[1] * step, -arrow[0] * step);
      return true;
    }
    if (event.key === ' ' && focused) {
      if (this.host.mode === 'compare' && this.compareTool.view === 'flicker') this.compareTool.swap();
      else this.gestures.spaceHeld = true;
      return true;
    }
    const compares = this.host.mode === 'compare';
    switch (event.key.toLowerCase()) {
      case '+': case '=': return this.act('in', '');
      case '-': case '_': return this.act('out', '');
      case '0': return this.act('fit', '');
      case '1': return this.act('actual', '');
      case 'n': return this.act('nearest', '');
      case 'l': return compares && this.act('compare-view', 'slider');
      case 'f': return compares && this.act('compare-view', 'flicker');
      case 'd': return compares && this.act('compare-view', 'difference');
      case 't': return compares && this.act('tint', '');
      default: return false;
    }
  }

  /** The zoom, as the field of the toolbar shows it. */
  get zoomText(): string {
    return this.#opened ? percent(this.screen.view.scale) : '';
  }
}
