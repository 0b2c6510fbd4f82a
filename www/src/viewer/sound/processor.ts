// The audio thread's end of the player: a playhead behind messages. A script of its own, loaded as an audio worklet.

import type { Range } from '../time/range';
import { Playhead } from './playhead';

/** From the page to the audio thread. */
export type ToProcessor =
  | { readonly type: 'chunk'; readonly index: number; readonly channels: readonly Float32Array[] }
  | { readonly type: 'drop'; readonly indices: readonly number[] }
  | { readonly type: 'state'; readonly playing: boolean; readonly loop: boolean; readonly step: number; readonly range: Range }
  | { readonly type: 'seek'; readonly position: number; readonly number: number };

/** And back. */
export interface FromProcessor {
  readonly position: number;
  readonly starved: number;
  readonly ended: boolean;
  /** The last seek that it knows of: reports from before one are out of date. */
  readonly seek: number;
}

/** Output samples between two reports. */
const REPORT_EVERY = 1024;

// The names that exist in a worklet alone; the DOM's types do not have them.
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new (options: { processorOptions: { channels: number } }) => AudioWorkletProcessor): void;

class Player extends AudioWorkletProcessor {
  readonly #head: Playhead;
  #since = 0;
  #seek = 0;

  constructor(options: { processorOptions: { channels: number } }) {
    super();
    this.#head = new Playhead(options.processorOptions.channels);
    this.port.onmessage = ({ data }: MessageEvent<ToProcessor>) => this.#receive(data);
  }

  #receive(message: ToProcessor): void {
    const head = this.#head;
    switch (message.type) {
      case 'chunk':
        return head.put(message.index, message.channels);
      case 'drop':
        return message.indices.forEach((index) => head.drop(index));
      case 'seek':
        head.position = message.position;
        this.#seek = message.number;
        head.ended = false;
        return;
      case 'state':
        ({ playing: head.playing, loop: head.loop, step: head.step, range: head.range } = message);
        head.ended = false;
    }
  }

  process(_: unknown, outputs: readonly (readonly Float32Array[])[]): boolean {
    const output = outputs[0] ?? [];
    this.#head.render(output);
    this.#since += output[0]?.length ?? 0;
    if (this.#since >= REPORT_EVERY) {
      this.#since = 0;
      this.#report();
    }
    return true;
  }

  #report(): void {
    const { position, starved, ended } = this.#head;
    this.port.postMessage({ position, starved, ended, seek: this.#seek } satisfies FromProcessor);
    this.#head.ended = false;
  }
}

registerProcessor('tessera-player', Player);
