// The video's stage: the picture's, at a frame; a time line below it; and a player that decodes ahead of its clock.
//
// A frame that rests is a picture and shown as one, with all that pictures have: zoom, tiles at the screen's resolution,
// handles. While a clip plays, whole frames come at the resolution that the machine keeps up with.

import type { Mode } from '../../state/url';
import type { Pixels } from '../../worker/protocol';
import { colourOf } from '../colours';
import { croppedName } from '../crop-model';
import { icon } from '../icons';
import type { PictureStage } from '../picture/stage';
import { type Region, visibleRegion } from '../picture/transform';
import { TimeGestures } from '../time/gestures';
import { type Opened, replaces, type Saved, type Stage, type StageHost } from '../stage';
import { exactBytes, integer } from '../text';
import type { Range } from '../time/range';
import { TimeRegion } from '../time/region';
import { clock as clockText, Timeline } from '../time/timeline';
import { Ahead } from './ahead';
import { FrameClock } from './clock';
import { SPEEDS, STRIP, TOOLBAR } from './markup';
import { drawStrip, RULER, type StripColours } from './strip';
import styles from './video.css?inline';

/** A decoded frame and the part of the picture that it shows. */
interface Still {
  readonly image: CanvasImageSource;
  readonly region: Region;
}

interface Open {
  readonly opened: Opened;
  readonly clock: FrameClock;
  readonly ahead: Ahead<Still>;
  readonly timeline: Timeline;
  readonly frames: number;
}

export class VideoStage implements Stage {
  readonly element: HTMLElement;
  readonly toolbar: HTMLElement;
  readonly modes: readonly Mode[] = ['crop', 'inspect'];
  readonly exportLabel = 'Save APNG';
  readonly picture: PictureStage;
  readonly #host: StageHost;
  readonly #strip: HTMLElement;
  readonly #times: CanvasRenderingContext2D;
  readonly #region: TimeRegion;
  readonly #gestures: TimeGestures;
  #open: Open | null = null;
  #still: Still | null = null;
  #ratio = 1;
  #tick = 0;
  #view = '';
  #colours: StripColours = { accent: '#a83f0b', surface: '#fff', line: '#888', text: '#000', quiet: '#666' };

  constructor(host: StageHost, picture: PictureStage) {
    this.#host = host;
    this.picture = picture;
    this.element = picture.element;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    host.root.adoptedStyleSheets = [...host.root.adoptedStyleSheets, sheet];
    this.element.insertAdjacentHTML('afterend', STRIP);
    this.#strip = host.frame.querySelector('.strip') as HTMLElement;
    const times = this.#strip.querySelector('canvas') as HTMLCanvasElement;
    times.addEventListener('contextrestored', () => this.#drawStrip());
    this.#times = times.getContext('2d') as CanvasRenderingContext2D;
    host.root.querySelector('.bar')?.insertAdjacentHTML('afterbegin', TOOLBAR);
    this.toolbar = host.root.querySelector('.bar > .clip') as HTMLElement;
    this.#region = new TimeRegion(this.#strip.querySelector('.handles') as HTMLElement, host.crop, 'planes', {
      x: (frame) => (this.#open?.timeline.x(frame) ?? 0) / this.#ratio,
      sample: (x) => this.#open?.timeline.sample(x * this.#ratio) ?? 0,
      words: (frame) => `frame ${frame}`,
      say: (text) => host.say(text),
    });
    this.#gestures = new TimeGestures(this.#strip, {
      timeline: () => this.#open?.timeline ?? null,
      ratio: () => this.#ratio,
      ruler: RULER,
      claim: (event, x) => this.#region.claim(event, x),
      seek: (frame) => this.seek(Math.floor(frame)),
      moved: () => this.#drawStrip(),
    });
    this.#seek.addEventListener('input', () => this.seek(Number(this.#seek.value)));
    this.#rate.addEventListener('change', () => this.#setSpeed(Number(this.#rate.value)));
  }

  get #seek(): HTMLInputElement {
    return this.toolbar.querySelector('input.seek') as HTMLInputElement;
  }
  get #rate(): HTMLSelectElement {
    return this.toolbar.querySelector('select.rate') as HTMLSelectElement;
  }

  get playing(): boolean {
    return this.#open?.clock.playing ?? false;
  }
  /** The frame on the screen, from 0. */
  get frame(): number {
    return this.picture.frame;
  }
  get frames(): number {
    return this.#open?.frames ?? 0;
  }
  /** Since playing began: frames that were shown and that were due but not ready, and how large they are. */
  get pace(): { readonly shown: number; readonly skipped: number; readonly scale: number } {
    const { shown = 0, skipped = 0, scale = 1 } = this.#open?.ahead ?? {};
    return { shown, skipped, scale };
  }
  get complete(): boolean {
    return this.playing || this.picture.complete;
  }

  open(opened: Opened): void {
    const frame = replaces(opened, this.#open?.opened ?? null) ? this.frame : null;
    if (frame === null) this.close();
    else this.#stop();
    const { shape, rate } = opened.file.info;
    const frames = shape[0] ?? 1;
    // A file that does not say is played at a usual rate.
    const clock = new FrameClock(rate[0] > 0 ? rate[0] / rate[1] : 25, frames);
    const ahead = new Ahead<Still>(clock, (frame, scale) => this.#decode(opened, frame, scale), ({ image }) => 'close' in image && image.close());
    this.#open = { opened, clock, ahead, frames, timeline: new Timeline(frames) };
    this.#host.frame.classList.add('video');
    this.element.setAttribute('aria-label', 'Video');
    this.#strip.hidden = false;
    this.#seek.max = String(frames - 1);
    this.#setSpeed(1);
    this.picture.under = (context) => this.#drawStill(context);
    this.resize(this.#ratio);
    this.picture.open(opened);
    clock.setRange(this.#bounds(), performance.now());
    this.seek(frame ?? clock.range.start);
  }

  /** Ends playing, and what is decoded for it. */
  #stop(): void {
    cancelAnimationFrame(this.#tick);
    this.#tick = 0;
    this.#open?.ahead.close();
    this.#open = null;
    this.#keep(null);
  }

  /** Takes a frame for the screen, and gives the one before back. */
  #keep(still: Still | null): void {
    if (this.#still && 'close' in this.#still.image) this.#still.image.close();
    this.#still = still;
  }

  close(): void {
    this.#stop();
    this.picture.under = null;
    this.picture.close();
    this.#host.frame.classList.remove('video');
    this.element.setAttribute('aria-label', 'Picture');
    this.#strip.hidden = true;
  }

  reopened(): void {
    this.picture.reopened();
  }

  resize(ratio: number): void {
    this.#ratio = ratio;
    this.picture.resize(ratio);
    const { canvas } = this.#times;
    const [width, height] = [Math.max(1, Math.round(this.#strip.clientWidth * ratio)), Math.max(1, Math.round(this.#strip.clientHeight * ratio))];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    if (this.#open) this.#open.timeline.width = width;
    this.#drawStrip();
  }

  readColours(): void {
    this.picture.readColours();
    const { frame } = this.#host;
    const probe = (property: string) => colourOf(frame, property);
    this.#colours = { accent: probe('--_accent'), surface: probe('--_surface'), line: probe('--_line'), text: probe('--_text'), quiet: probe('--_quiet') };
    this.#drawStrip();
  }

  visibility(hidden: boolean): void {
    // Nobody looks: a clip rests, and goes on from the same frame.
    if (hidden && this.playing) this.pause();
    this.picture.visibility(hidden);
  }

  modeChanged(): void {
    this.#strip.classList.toggle('cropping', this.#host.mode === 'crop');
    this.picture.modeChanged();
    this.#drawStrip();
  }

  cropChanged(): void {
    const open = this.#open;
    if (!open) return;
    this.picture.cropChanged();
    open.clock.setRange(this.#bounds(), performance.now());
    if (!this.#host.crop.active && !this.playing && (this.frame < open.clock.range.start || this.frame >= open.clock.range.end)) this.seek(open.clock.range.start);
    this.#drawStrip();
  }

  /** The frames of what is kept, from the first to the last; of nothing, of all. */
  #bounds(): Range {
    const { grid, file } = (this.#open as Open).opened;
    const { crop } = this.#host;
    const { plane0, plane1 } = grid.boundsOf(crop.grid === grid && crop.kept.length > 0 ? crop.kept : file.present);
    return { start: plane0 ?? 0, end: plane1 ?? this.frames };
  }

  fit(): void {
    this.picture.fit();
  }
  place(): void {
    this.picture.place();
  }
  focusRegion(): void {
    this.#drawStrip();
    this.picture.focusRegion();
  }
  cancelDrag(): boolean {
    return this.#gestures.cancel() || this.picture.cancelDrag();
  }

  play(): void {
    const open = this.#open;
    if (!open || this.playing) return;
    open.clock.play(performance.now());
    open.ahead.clear();
    open.ahead.restart();
    this.#view = '';
    // The tiles stay until the first frame comes.
    this.#run();
    this.#host.refresh();
  }

  pause(): void {
    const open = this.#open;
    if (!open || !this.playing) return;
    open.clock.pause(performance.now());
    cancelAnimationFrame(this.#tick);
    // The frame that is seen, sharp.
    this.seek(this.frame);
    this.#host.refresh();
  }

  /** Shows a frame; a clip that plays goes on from there. */
  seek(frame: number): void {
    const open = this.#open;
    if (!open) return;
    const to = Math.min(Math.max(frame, 0), open.frames - 1);
    open.clock.seek(to, performance.now());
    if (this.playing) open.ahead.clear();
    else this.picture.show(to, true);
    this.#moved();
  }

  #run(): void {
    const open = this.#open;
    if (!open || !open.clock.playing) return;
    const now = performance.now();
    // A view that moved needs other pictures than those that wait.
    const { view } = this.picture.screen;
    const key = `${view.scale},${view.x},${view.y}`;
    if (key !== this.#view) open.ahead.clear();
    this.#view = key;
    const found = open.ahead.take(now, (error) => {
      this.pause();
      this.#host.report(error);
    });
    if (found) {
      this.#keep(found.picture);
      this.picture.show(found.frame, false);
      this.#moved();
      this.#host.firstShown();
    }
    if (open.clock.over(now)) return this.pause();
    this.#tick = requestAnimationFrame(() => this.#run());
  }

  async #decode(opened: Opened, frame: number, scale: number): Promise<Still> {
    const { screen } = this.picture;
    const size = screen.size ?? { width: 1, height: 1 };
    const region = visibleRegion(screen.view, screen.viewport, size) ?? { row0: 0, row1: size.height, column0: 0, column1: size.width };
    // No more pixels than the screen shows, and than the clip has.
    const fine = Math.min(1, screen.view.scale) * scale;
    const rows = Math.max(1, Math.round((region.row1 - region.row0) * fine));
    const columns = Math.max(1, Math.round((region.column1 - region.column0) * fine));
    const pixels = await this.#host.decoder.call({ type: 'frame', generation: opened.generation, frame, region, rows, columns });
    return { image: imageOf(pixels, columns, rows), region };
  }

  #drawStill(context: CanvasRenderingContext2D): void {
    const still = this.#still;
    const { view } = this.picture.screen;
    if (!still) return;
    const { row0, row1, column0, column1 } = still.region;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = 'low';
    context.drawImage(still.image, view.x + column0 * view.scale, view.y + row0 * view.scale, (column1 - column0) * view.scale, (row1 - row0) * view.scale);
  }

  #moved(): void {
    this.refresh();
    this.#drawStrip();
  }

  #drawStrip(): void {
    const open = this.#open;
    if (!open) return;
    const { grid, file } = open.opened;
    const [present, kept] = [new Float64Array(grid.planes), new Float64Array(grid.planes)];
    const each = grid.rows * grid.columns;
    for (const part of file.present) present[Math.floor(part / each)] = (present[Math.floor(part / each)] ?? 0) + 1;
    const keeps = this.#host.crop.grid === grid ? this.#host.crop.kept : file.present;
    for (const part of keeps) kept[Math.floor(part / each)] = (kept[Math.floor(part / each)] ?? 0) + 1;
    drawStrip(this.#times, {
      timeline: open.timeline, grid, kept: [...present].map((count, i) => (count > 0 ? (kept[i] ?? 0) / count : -1)), rate: open.clock.rate,
      frame: this.frame, cropping: this.#host.mode === 'crop', colours: this.#colours, ratio: this.#ratio, height: this.#times.canvas.height,
    });
    this.#region.layout(22);
  }

  act(action: string, value: string): boolean {
    const open = this.#open;
    switch (action) {
      case 'play': if (this.playing) this.pause(); else this.play(); break;
      case 'back': case 'forward':
        this.pause();
        this.seek(this.frame + (action === 'back' ? -1 : 1));
        this.#host.say(`Frame ${this.frame}.`);
        break;
      case 'loop':
        if (!open) return false;
        open.clock.setLoop(!open.clock.loop, performance.now());
        this.#host.say(open.clock.loop ? 'Loop.' : 'No loop.');
        break;
      default: return this.picture.act(action, value);
    }
    this.refresh();
    return true;
  }

  key(event: KeyboardEvent, focused: boolean): boolean {
    const open = this.#open;
    if (!open) return false;
    switch (event.key) {
      case ' ': return this.act('play', '');
      case ',': return this.act('back', '');
      case '.': return this.act('forward', '');
      case '<': return this.#changeSpeed(-1);
      case '>': return this.#changeSpeed(1);
      case 'Home': if (focused) this.seek(open.clock.range.start); return focused;
      case 'End': if (focused) this.seek(open.clock.range.end - 1); return focused;
      case 'l': case 'L': return this.act('loop', '');
      default: return this.picture.key(event, focused);
    }
  }

  #setSpeed(speed: number): void {
    this.#rate.value = String(speed);
    this.#open?.clock.setSpeed(speed, performance.now());
  }

  #changeSpeed(by: 1 | -1): boolean {
    const speed = SPEEDS[SPEEDS.findIndex((known) => known === this.#open?.clock.speed) + by];
    if (speed === undefined) return true;
    this.#setSpeed(speed);
    this.#host.say(`Speed ${speed}.`);
    return true;
  }

  refresh(): void {
    const open = this.#open;
    if (!open) return;
    this.picture.refresh();
    const get = (action: string) => this.toolbar.querySelector(`[data-action="${action}"]`) as HTMLButtonElement;
    const play = get('play');
    const label = this.playing ? 'Pause' : 'Play';
    if (play.getAttribute('aria-label') !== label) {
      play.setAttribute('aria-label', label);
      play.title = `${label} (Space)`;
      play.innerHTML = icon(this.playing ? 'pause' : 'play');
    }
    get('loop').setAttribute('aria-pressed', String(open.clock.loop));
    const words = (name: string, text: string) => ((this.toolbar.querySelector(`.${name}`) as HTMLElement).textContent = text);
    words('clock', clockText(this.frame / open.clock.rate));
    words('count', `${this.frame + 1}/${open.frames}`);
    if (this.#seek.value !== String(this.frame)) this.#seek.value = String(this.frame);
    // While it plays, a number that changes all the time says nothing.
    if (!this.playing) this.#seek.setAttribute('aria-valuetext', `frame ${this.frame} of ${open.frames}, ${clockText(this.frame / open.clock.rate, 1)}`);
  }

  describe(): { what: string; help: string } {
    const open = this.#open;
    if (!open) return { what: '', help: '' };
    const { info } = open.opened.file;
    const [frames = 0, rows, columns] = info.shape;
    const help = {
      view: 'Space plays and pauses, comma and point step by a frame, arrow keys move the picture, plus and minus zoom, L loops, C crops.',
      crop: 'Tab reaches the handles of the rectangle and of the times, arrow keys move them. Enter places a region, I inverts, Escape leaves.',
      inspect: 'Arrow keys go from part to part. Escape leaves.',
      compare: '',
    }[this.#host.mode];
    return { what: `a video of ${integer(frames)} frames, ${columns} by ${rows} samples, ${(frames / open.clock.rate).toFixed(2)} seconds, in ${integer(info.partitions)} parts, ${exactBytes(info.bytes)}.`, help };
  }

  /** An animated PNG of what is kept: its frames, and of them the rectangle around it. */
  async export(progress: (fraction: number) => void): Promise<Saved> {
    const open = this.#open;
    if (!open) throw new Error('No file is open.');
    this.pause();
    const { opened, clock } = open;
    const parts = this.#host.crop.kept;
    const { start, end } = this.#bounds();
    const blob = await this.#host.decoder.call({ type: 'clip', generation: opened.generation, parts, start, end, rate: clock.rate }, { progress });
    const whole = parts.length === opened.file.present.length;
    return { name: whole ? `${opened.name.replace(/\.inr$/i, '')}.apng` : croppedName(opened.name, 'apng'), blob };
  }
}

function imageOf(pixels: Pixels, columns: number, rows: number): CanvasImageSource {
  if (!('buffer' in pixels)) return pixels;
  const canvas = new OffscreenCanvas(columns, rows);
  canvas.getContext('2d')?.putImageData(new ImageData(pixels, columns, rows), 0, 0);
  return canvas;
}
