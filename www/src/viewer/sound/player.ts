// Playing: the audio context, the worklet behind it, and the chunks that it is given ahead of time.

import type { Range } from '../time/range';
import type { SoundData } from './data';
import { CHUNK } from './playhead';
import type { FromProcessor, ToProcessor } from './processor';
import processorAddress from './processor.ts?worker&url';

/** Seconds of sound that the audio thread has ahead of what is heard. */
const AHEAD_S = 3;
/** What audio hardware takes without resampling by the browser. */
const RATES = { least: 8_000, most: 96_000 };

export interface PlayerHooks {
  /** Playing moved on, stopped or started. */
  changed(): void;
  /** The samples of a chunk as they are to be heard; `null` while they are not decoded. */
  heard(index: number): Float32Array[] | null;
}

export class Player {
  readonly #data: SoundData;
  readonly #hooks: PlayerHooks;
  #context: AudioContext | null = null;
  #node: AudioWorkletNode | null = null;
  /** Chunks that the audio thread has. */
  readonly #sent = new Set<number>();
  #position = 0;
  /** Number of the last seek. */
  #seeks = 0;
  #playing = false;
  #loop = false;
  #speed = 1;
  #range: Range;
  /** Output samples that were silent because nothing was decoded yet, also while it starts. */
  starved = 0;

  constructor(data: SoundData, hooks: PlayerHooks) {
    this.#data = data;
    this.#hooks = hooks;
    this.#range = { start: 0, end: data.samples };
  }

  /** In samples. */
  get position(): number {
    return this.#position;
  }
  get playing(): boolean {
    return this.#playing;
  }
  get loop(): boolean {
    return this.#loop;
  }
  get speed(): number {
    return this.#speed;
  }
  get range(): Range {
    return this.#range;
  }
  /** The node that the samples come out of; `null` before anything was played. */
  get node(): AudioWorkletNode | null {
    return this.#node;
  }
  get context(): AudioContext | null {
    return this.#context;
  }

  set loop(loop: boolean) {
    this.#loop = loop;
    this.#state();
  }
  set speed(speed: number) {
    this.#speed = speed;
    this.#state();
  }
  /** What is played; the position goes to its start where it lies outside. */
  set range(range: Range) {
    if (range.start === this.#range.start && range.end === this.#range.end) return;
    this.#range = range;
    this.#state();
    if (this.#position < range.start || this.#position > range.end) this.seek(range.start);
  }

  async play(): Promise<void> {
    if (this.#playing) return;
    this.#playing = true;
    if (this.#position >= this.#range.end) this.#position = this.#range.start;
    try {
      await this.#start();
    } catch (error) {
      this.#playing = false;
      this.#hooks.changed();
      throw error;
    }
    this.#post({ type: 'seek', position: this.#position, number: ++this.#seeks });
    // First what is heard, then the start.
    this.feed();
    this.#state();
  }

  pause(): void {
    this.#playing = false;
    this.#state();
  }

  seek(position: number): void {
    this.#position = Math.min(Math.max(position, 0), this.#data.samples);
    this.#post({ type: 'seek', position: this.#position, number: ++this.#seeks });
    this.feed();
    this.#hooks.changed();
  }

  /** What is heard changed (a crop): everything is given again. */
  replaced(): void {
    this.#sent.clear();
    this.feed();
  }

  close(): void {
    this.#playing = false;
    void this.#context?.close();
    this.#context = null;
    this.#node = null;
    this.#sent.clear();
  }

  /** The chunks that are heard next, the nearest first; in a loop they go on at its start. */
  *upcoming(): Generator<number> {
    const { start, end } = this.#range;
    if (!this.#playing || end <= start) return;
    let left = AHEAD_S * this.#data.rate * Math.max(1, this.#speed);
    let at = Math.min(Math.max(this.#position, start), end - 1);
    const seen = new Set<number>();
    while (left > 0) {
      const index = Math.floor(at / CHUNK);
      if (seen.has(index)) return;
      seen.add(index);
      yield index;
      const next = (index + 1) * CHUNK;
      left -= next - at;
      at = next;
      if (at < end) continue;
      if (!this.#loop) return;
      at = start;
    }
  }

  /** Gives the audio thread what it lacks of that, and takes back what has passed. */
  feed(): void {
    if (!this.#node) return;
    const wanted = new Set(this.upcoming());
    if (!this.#playing) return;
    const passed = [...this.#sent].filter((index) => !wanted.has(index));
    // What a cubic reaches back to stays.
    const behind = Math.floor((this.#position - 2) / CHUNK);
    const dropped = passed.filter((index) => index !== behind);
    if (dropped.length > 0) this.#post({ type: 'drop', indices: dropped });
    for (const index of dropped) this.#sent.delete(index);
    for (const index of wanted) {
      if (this.#sent.has(index)) continue;
      const channels = this.#hooks.heard(index);
      if (!channels) continue;
      this.#sent.add(index);
      this.#post({ type: 'chunk', index, channels }, channels.map((c) => c.buffer as ArrayBuffer));
    }
  }

  async #start(): Promise<void> {
    if (!this.#context) {
      const { rate, channels } = this.#data;
      const fits = rate >= RATES.least && rate <= RATES.most;
      const context = new AudioContext({ latencyHint: 'playback', ...(fits ? { sampleRate: rate } : {}) });
      this.#context = context;
      if (!('audioWorklet' in context)) {
        this.close();
        throw new Error('This browser plays sound only on pages that are served over https. The waveform and the crop work all the same.');
      }
      await context.audioWorklet.addModule(new URL(processorAddress, import.meta.url).href);
      if (this.#context !== context) return;
      const node = new AudioWorkletNode(context, 'tessera-player', { numberOfInputs: 0, outputChannelCount: [channels], processorOptions: { channels } });
      node.port.onmessage = ({ data }: MessageEvent<FromProcessor>) => this.#report(data);
      node.connect(context.destination);
      this.#node = node;
    }
    await this.#context?.resume();
  }

  #report({ position, starved, ended, seek }: FromProcessor): void {
    this.starved = starved;
    if (!this.#playing || seek !== this.#seeks) return;
    this.#position = position;
    if (ended) this.#playing = false;
    this.feed();
    if (ended) void this.#context?.suspend();
    this.#hooks.changed();
  }

  #state(): void {
    const step = (this.#speed * this.#data.rate) / (this.#context?.sampleRate ?? this.#data.rate);
    this.#post({ type: 'state', playing: this.#playing, loop: this.#loop, step, range: this.#range });
    if (!this.#playing) void this.#context?.suspend();
    this.#hooks.changed();
  }

  #post(message: ToProcessor, transfer: Transferable[] = []): void {
    this.#node?.port.postMessage(message, transfer);
  }
}
