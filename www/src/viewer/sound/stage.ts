// The sound's stage: a waveform or spectrogram to look at and to crop, and a player behind it.

import type { Mode } from '../../state/url';
import { colourOf } from '../colours';
import { croppedName } from '../crop-model';
import { icon } from '../icons';
import { type Opened, replaces, type Saved, type Stage, type StageHost } from '../stage';
import { exactBytes, integer } from '../text';
import type { Range } from '../time/range';
import { TimeRegion } from '../time/region';
import { clock, Timeline } from '../time/timeline';
import { SoundData } from './data';
import { type Colours, drawOver, drawSpectrogram, drawWaveform, RULER, type Scene } from './draw';
import { TimeGestures } from '../time/gestures';
import { SPEEDS, STAGE, TOOLBAR } from './markup';
import { Player } from './player';
import { CHUNK } from './playhead';
import styles from './sound.css?inline';
import { wav } from './wav';

/** Time of one piece of the spectrogram. */
const SPECTRUM_MS = 12;
/** Chunks that are decoded just to be seen; a longer stretch shows its coarse look until somebody zooms in. */
const MOST_SEEN = 2048;

interface Open {
  readonly opened: Opened;
  readonly data: SoundData;
  readonly player: Player;
  readonly timeline: Timeline;
}

export class SoundStage implements Stage {
  readonly element: HTMLElement;
  readonly toolbar: HTMLElement;
  readonly modes: readonly Mode[] = ['crop'];
  readonly exportLabel = 'Save WAV';
  readonly #host: StageHost;
  readonly #wave: CanvasRenderingContext2D;
  readonly #marks: CanvasRenderingContext2D;
  readonly #region: TimeRegion;
  readonly #gestures: TimeGestures;
  #open: Open | null = null;
  #ratio = 1;
  #colours: Colours = { accent: '#a83f0b', ground: '#fff', line: '#888', text: '#000', quiet: '#666' };
  #kept = new Uint8Array();
  #present = new Uint8Array();
  #spectrogram = false;
  /** The next column of the spectrogram; those before it are drawn. */
  #column = 0;
  #waveStale = false;
  #frame = 0;

  constructor(host: StageHost) {
    this.#host = host;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    host.root.adoptedStyleSheets = [...host.root.adoptedStyleSheets, sheet];
    host.frame.insertAdjacentHTML('afterbegin', STAGE);
    this.element = host.frame.querySelector('.stage.sound') as HTMLElement;
    host.root.querySelector('.bar')?.insertAdjacentHTML('afterbegin', TOOLBAR);
    this.toolbar = host.root.querySelector('.bar > .player') as HTMLElement;
    const context = (name: string) => {
      const canvas = this.element.querySelector(`canvas.${name}`) as HTMLCanvasElement;
      canvas.addEventListener('contextrestored', () => this.#invalidate());
      return canvas.getContext('2d') as CanvasRenderingContext2D;
    };
    this.#wave = context('wave');
    this.#marks = context('marks');
    this.#region = new TimeRegion(this.element.querySelector('.handles') as HTMLElement, host.crop, 'columns', {
      x: (sample) => (this.#open?.timeline.x(sample) ?? 0) / this.#ratio,
      sample: (x) => this.#open?.timeline.sample(x * this.#ratio) ?? 0,
      words: (sample) => this.#words(sample),
      say: (text) => host.say(text),
    });
    this.#gestures = new TimeGestures(this.element, {
      timeline: () => this.#open?.timeline ?? null,
      ratio: () => this.#ratio,
      ruler: RULER,
      claim: (event, x) => this.#region.claim(event, x),
      seek: (sample) => this.#open?.player.seek(sample),
      moved: () => this.#moved(),
    });
    this.#seek.addEventListener('input', () => {
      if (this.#open) this.#open.player.seek((Number(this.#seek.value) / 1000) * this.#open.data.rate);
    });
    this.#rate.addEventListener('change', () => this.#setSpeed(Number(this.#rate.value)));
  }

  get #seek(): HTMLInputElement {
    return this.toolbar.querySelector('input.seek') as HTMLInputElement;
  }
  get #rate(): HTMLSelectElement {
    return this.toolbar.querySelector('select.rate') as HTMLSelectElement;
  }

  /** What plays; `null` before a file is open. */
  get player(): Player | null {
    return this.#open?.player ?? null;
  }
  /** What is decoded. */
  get data(): SoundData | null {
    return this.#open?.data ?? null;
  }
  /** What of the sound the screen shows. */
  get timeline(): Timeline | null {
    return this.#open?.timeline ?? null;
  }

  get complete(): boolean {
    const open = this.#open;
    if (!open) return true;
    return open.data.coarse !== null && this.#unseen(open) === null && (!this.#spectrogram || this.#column >= this.#wave.canvas.width);
  }

  open(opened: Opened): void {
    const before = replaces(opened, this.#open?.opened ?? null) ? this.#open : null;
    this.close();
    const data = new SoundData(opened, this.#host.decoder, {
      next: () => this.#next(),
      arrived: (index) => this.#arrived(index),
      report: (error) => this.#host.report(error),
    });
    const player = new Player(data, { changed: () => this.#playing(), heard: (index) => this.#heard(index) });
    const timeline = before?.timeline ?? new Timeline(data.samples);
    this.#open = { opened, data, player, timeline };
    this.#present = new Uint8Array(opened.grid.count);
    for (const part of opened.file.present) this.#present[part] = 1;
    this.#kept = this.#present.slice();
    this.#seek.max = String(Math.round((1000 * data.samples) / data.rate));
    this.#setSpeed(1);
    timeline.width = this.#wave.canvas.width;
    if (!before) timeline.fit(this.#bounds());
    player.range = this.#bounds();
    player.seek(before?.player.position ?? player.range.start);
    this.#invalidate();
    void data.pump();
  }

  close(): void {
    this.#open?.player.close();
    this.#open?.data.close();
    this.#open = null;
  }

  reopened(): void {
    void this.#open?.data.pump();
  }

  resize(ratio: number): void {
    const { clientWidth, clientHeight } = this.#host.frame;
    const [width, height] = [Math.max(1, Math.round(clientWidth * ratio)), Math.max(1, Math.round(clientHeight * ratio))];
    const { canvas } = this.#wave;
    if (width === canvas.width && height === canvas.height) return;
    this.#ratio = ratio;
    for (const { canvas: each } of [this.#wave, this.#marks]) Object.assign(each, { width, height });
    if (this.#open) this.#open.timeline.width = width;
    this.#invalidate();
    this.#paint();
  }

  readColours(): void {
    const { frame } = this.#host;
    const probe = (property: string) => colourOf(frame, property);
    this.#colours = { accent: probe('--_accent'), ground: probe('--_ground'), line: probe('--_line'), text: probe('--_text'), quiet: probe('--_quiet') };
    this.#invalidate();
  }

  visibility(hidden: boolean): void {
    if (!hidden) this.#invalidate();
  }

  modeChanged(): void {
    this.element.classList.toggle('cropping', this.#host.mode === 'crop');
    this.#invalidate();
  }

  cropChanged(): void {
    const open = this.#open;
    if (!open) return;
    this.#kept.fill(0);
    for (const part of this.#host.crop.kept) this.#kept[part] = 1;
    open.player.range = this.#bounds();
    open.player.replaced();
    this.#invalidate();
    this.#region.layout(this.#handleHeight());
  }

  /** What is kept, from its first to its last sample; of nothing, everything. */
  #bounds(): Range {
    const { grid, file } = (this.#open as Open).opened;
    const { crop } = this.#host;
    const kept = crop.grid === grid && crop.kept.length > 0 ? crop.kept : file.present;
    const { column0, column1 } = grid.boundsOf(kept);
    return { start: column0, end: column1 };
  }

  fit(): void {
    this.#open?.timeline.fit(this.#host.crop.state.applied ? this.#bounds() : { start: 0, end: this.#open.data.samples });
    this.#moved();
  }
  place(): void {
    if (this.#open) this.#region.put(this.#open.timeline.seen);
  }
  focusRegion(): void {
    this.#region.layout(this.#handleHeight());
    this.#region.focusFirst();
  }
  cancelDrag(): boolean {
    return this.#gestures.cancel();
  }

  act(action: string): boolean {
    const open = this.#open;
    if (!open) return false;
    const { player, timeline } = open;
    switch (action) {
      case 'play':
        if (player.playing) player.pause();
        else player.play().catch((error: unknown) => this.#host.report(error));
        void open.data.pump();
        break;
      case 'loop':
        player.loop = !player.loop;
        this.#host.say(player.loop ? 'Loop.' : 'No loop.');
        break;
      case 'spectrogram':
        this.#spectrogram = !this.#spectrogram;
        this.#host.say(this.#spectrogram ? 'Spectrogram.' : 'Waveform.');
        this.#invalidate();
        break;
      case 'in': timeline.zoom(2); this.#moved(); break;
      case 'out': timeline.zoom(0.5); this.#moved(); break;
      case 'fit': this.fit(); break;
      default: return false;
    }
    this.refresh();
    return true;
  }

  key(event: KeyboardEvent, focused: boolean): boolean {
    const open = this.#open;
    if (!open) return false;
    const { player, data } = open;
    const jump = event.shiftKey ? 5 : 1;
    switch (event.key) {
      case ' ': return this.act('play');
      case 'ArrowLeft': case 'ArrowRight':
        if (!focused) return false;
        player.seek(player.position + (event.key === 'ArrowLeft' ? -jump : jump) * data.rate);
        open.timeline.follow(player.position);
        this.#moved();
        return true;
      case 'Home': if (focused) player.seek(player.range.start); return focused;
      case 'End': if (focused) player.seek(player.range.end); return focused;
      case '<': case ',': return this.#changeSpeed(-1);
      case '>': case '.': return this.#changeSpeed(1);
    }
    switch (event.key.toLowerCase()) {
      case 'l': return this.act('loop');
      case 'g': return this.act('spectrogram');
      case '+': case '=': return this.act('in');
      case '-': case '_': return this.act('out');
      case '0': return this.act('fit');
      default: return false;
    }
  }

  #setSpeed(speed: number): void {
    this.#rate.value = String(speed);
    if (this.#open) this.#open.player.speed = speed;
  }

  #changeSpeed(by: 1 | -1): boolean {
    const at = SPEEDS.findIndex((speed) => speed === this.#open?.player.speed);
    const speed = SPEEDS[at + by];
    if (speed === undefined) return true;
    this.#setSpeed(speed);
    this.#host.say(`Speed ${speed}.`);
    return true;
  }

  refresh(): void {
    const open = this.#open;
    if (!open) return;
    const get = (action: string) => this.toolbar.querySelector(`[data-action="${action}"]`) as HTMLButtonElement;
    const play = get('play');
    const label = open.player.playing ? 'Pause' : 'Play';
    if (play.getAttribute('aria-label') !== label) {
      play.setAttribute('aria-label', label);
      play.title = `${label} (Space)`;
      play.innerHTML = icon(open.player.playing ? 'pause' : 'play');
    }
    get('loop').setAttribute('aria-pressed', String(open.player.loop));
    get('spectrogram').setAttribute('aria-pressed', String(this.#spectrogram));
    this.#showTime(open);
  }

  #showTime({ data, player }: Open): void {
    const [now, all] = [clock(player.position / data.rate), clock(data.samples / data.rate)];
    const time = this.toolbar.querySelector('.time') as HTMLElement;
    time.textContent = `${now} / ${all}`;
    this.#seek.value = String(Math.round((1000 * player.position) / data.rate));
    const words = `${clock(player.position / data.rate, 0)} of ${clock(data.samples / data.rate, 0)}`;
    if (this.#seek.getAttribute('aria-valuetext') !== words) this.#seek.setAttribute('aria-valuetext', words);
  }

  #words(sample: number): string {
    return `${(sample / (this.#open?.data.rate ?? 1)).toFixed(2)} s`;
  }

  describe(): { what: string; help: string } {
    const info = this.#open?.opened.file.info;
    if (!info || !this.#open) return { what: '', help: '' };
    const { data } = this.#open;
    const channels = info.channels === 1 ? 'mono' : info.channels === 2 ? 'stereo' : `${info.channels} channels`;
    const help = this.#host.mode === 'crop'
      ? 'Tab reaches the handles, arrow keys move them. Enter places a region, I inverts, Escape leaves.'
      : 'Space plays and pauses, arrow keys seek, L loops, G shows the spectrogram, plus and minus zoom, C crops.';
    return { what: `a sound of ${(data.samples / data.rate).toFixed(2)} seconds, ${channels}, ${integer(data.rate)} samples a second, in ${integer(info.partitions)} parts, ${exactBytes(info.bytes)}.`, help };
  }

  /** A WAV of what is kept, from its first to its last sample; what is dropped in between is silent. */
  async export(progress: (fraction: number) => void): Promise<Saved> {
    const open = this.#open;
    if (!open) throw new Error('No file is open.');
    const { data, opened } = open;
    const kept = this.#kept.slice();
    const { start, end } = this.#bounds();
    const values = await data.stretch(start, end, progress);
    this.#silence(values, start, data.channels, kept);
    const whole = kept.every((k, part) => k === this.#present[part]);
    const blob = wav(values, { rate: Math.round(data.rate), channels: data.channels, bits: ({ u8: 8, u16: 16 } as const)[opened.file.info.format] ?? 32 });
    return { name: whole ? `${opened.name.replace(/\.inr$/i, '')}.wav` : croppedName(opened.name, 'wav'), blob };
  }

  /** Silences what is absent or dropped, in interleaved samples from `start` on. */
  #silence(values: Float32Array, start: number, channels: number, kept: Uint8Array): void {
    const edges = this.#open?.opened.grid.columnEdges ?? [];
    kept.forEach((k, part) => {
      const [from, to] = [((edges[part] ?? 0) - start) * channels, ((edges[part + 1] ?? 0) - start) * channels];
      if (!k && to > 0 && from < values.length) values.fill(0, Math.max(0, from), to);
    });
  }

  #heard(index: number): Float32Array[] | null {
    const chunk = this.#open?.data.chunk(index);
    if (!chunk) return null;
    return chunk.map((channel) => {
      const heard = channel.map((value) => (Number.isNaN(value) ? 0 : value));
      this.#silence(heard, index * CHUNK, 1, this.#kept);
      return heard;
    });
  }

  /** The next chunk to decode: what is heard soon, then what is seen. */
  #next(): number | null {
    const open = this.#open;
    if (!open) return null;
    for (const index of open.player.upcoming()) if (!open.data.has(index)) return index;
    return this.#unseen(open);
  }

  /** Chunks in sight. */
  #seen({ timeline, data }: Open): Range {
    return { start: Math.floor(timeline.seen.start / CHUNK), end: Math.min(data.chunks, Math.ceil(timeline.seen.end / CHUNK)) };
  }

  /** A chunk in sight that nothing is known of; `null` where there is none, or too many. */
  #unseen(open: Open): number | null {
    const { start, end } = this.#seen(open);
    if (end - start > MOST_SEEN && !open.data.fits) return null;
    // Close by, every sample is drawn, so that peaks alone do not do.
    const needsSamples = this.#spectrogram || open.timeline.scale > 0.5;
    for (let index = start; index < end; index++) if (needsSamples ? !open.data.has(index) : !open.data.known(index)) return index;
    return null;
  }

  #arrived(index: number): void {
    const open = this.#open;
    if (!open) return;
    this.#invalidate();
    if (index < 0) {
      this.#paint();
      this.#host.firstShown();
    }
    open.player.feed();
    const { start, end } = this.#seen(open);
    let done = 0;
    for (let i = start; i < end; i++) if (open.data.known(i)) done += 1;
    const settled = this.#unseen(open) === null;
    this.#host.quality(settled ? end - start : done, end - start);
  }

  #playing(): void {
    const open = this.#open;
    if (!open) return;
    if (open.player.playing && open.timeline.seen.end - open.timeline.seen.start < open.data.samples && !this.#gestures.busy) {
      if (open.timeline.follow(open.player.position)) this.#moved();
    }
    this.refresh();
    this.#schedule();
    if (open.player.playing) void open.data.pump();
  }

  #moved(): void {
    this.#host.moved(this.#open?.timeline.scale ?? 1);
    this.#invalidate();
    void this.#open?.data.pump();
  }

  #invalidate(): void {
    this.#waveStale = true;
    this.#schedule();
  }

  #schedule(): void {
    this.#frame ||= requestAnimationFrame(() => this.#paint());
  }

  #handleHeight(): number {
    return (this.#wave.canvas.height / this.#ratio - RULER) / 2;
  }

  #paint(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const open = this.#open;
    const { width, height } = this.#wave.canvas;
    if (!open) return;
    const scene: Scene = {
      data: open.data, timeline: open.timeline, grid: open.opened.grid, kept: this.#kept, present: this.#present,
      applied: this.#host.crop.state.applied, showGrid: this.#host.mode === 'crop', colours: this.#colours, ratio: this.#ratio, width, height,
    };
    if (this.#waveStale) {
      this.#waveStale = false;
      this.#column = 0;
      this.#wave.clearRect(0, 0, width, height);
      if (!this.#spectrogram) drawWaveform(this.#wave, scene);
    }
    if (this.#spectrogram && this.#column < width) {
      this.#column = drawSpectrogram(this.#wave, scene, this.#column, SPECTRUM_MS);
      if (this.#column < width) this.#schedule();
    }
    this.#marks.clearRect(0, 0, width, height);
    drawOver(this.#marks, scene, open.player.position);
    this.#region.layout(this.#handleHeight());
  }
}
