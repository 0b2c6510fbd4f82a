// The page's side of the worker: calls as promises, and a fresh worker when the old one broke or was cancelled.

import type { Answers, Call, EngineState, FromWorker, PlainError, TileRequest, ToWorker } from './protocol';
import workerAddress from './worker.ts?worker&url';

/** A refusal by the decoder, with who is at fault and which part of the file is broken. */
export class DecoderError extends Error {
  readonly kind: PlainError['kind'];
  readonly part: string | undefined;
  readonly offset: number | undefined;

  constructor(error: PlainError) {
    super(error.message);
    this.name = 'DecoderError';
    this.kind = error.kind;
    this.part = error.part;
    this.offset = error.offset;
  }
}

export interface DecoderEvents {
  band(band: Extract<FromWorker, { kind: 'band' }>): void;
  engine(state: EngineState): void;
  /** The worker broke while showing a file. */
  crash(message: string): void;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  progress: ((fraction: number) => void) | undefined;
  /** Stops listening to the caller's signal. */
  release(): void;
}

export class Decoder {
  #worker: Worker | null = null;
  #next = 1;
  readonly #pending = new Map<number, Pending>();
  readonly #events: DecoderEvents;

  constructor(events: DecoderEvents) {
    this.#events = events;
  }

  /** Asks the worker. An aborted signal refuses the call with the kind `cancelled`. */
  call<C extends Call>(call: C, options: { signal?: AbortSignal; progress?: (fraction: number) => void; transfer?: Transferable[] } = {}): Promise<Answers[C['type']]> {
    const id = this.#next++;
    const { signal, progress, transfer } = options;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const cancel = () => {
        if (this.#pending.has(id)) this.#post({ kind: 'cancel', id });
      };
      const release = () => signal?.removeEventListener('abort', cancel);
      signal?.addEventListener('abort', cancel, { once: true });
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject, progress, release });
      try {
        this.#post({ kind: 'call', id, call }, transfer);
      } catch (error) {
        // No worker, or nothing that can be sent: there will be no answer.
        this.#take(id);
        throw error;
      }
    });
  }

  tiles(tiles: readonly TileRequest[]): void {
    if (this.#worker) this.#post({ kind: 'tiles', tiles });
  }

  pause(paused: boolean): void {
    if (this.#worker) this.#post({ kind: 'pause', paused });
  }

  /** Ends the worker at once, also in the middle of a call; the next call starts another. */
  stop(message = 'Cancelled.', kind: PlainError['kind'] = 'cancelled'): void {
    this.#worker?.terminate();
    this.#worker = null;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) {
      pending.release();
      pending.reject(new DecoderError({ message, kind }));
    }
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(message, transfer);
  }

  #start(): Worker {
    const worker = createWorker();
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (worker === this.#worker) this.#receive(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker !== this.#worker) return;
      const message = event.message ? `The decoder stopped: ${event.message}` : 'The decoder could not be loaded. Reload the page, or check the connection.';
      this.stop(message, 'environment');
      this.#events.crash(message);
    };
    return worker;
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'answer':
        this.#take(message.id)?.resolve(message.value);
        break;
      case 'refusal':
        this.#take(message.id)?.reject(new DecoderError(message.error));
        break;
      case 'progress':
        this.#pending.get(message.id)?.progress?.(message.fraction);
        break;
      case 'band':
        this.#events.band(message);
        break;
      case 'engine':
        this.#events.engine(message.state);
        break;
      case 'crash':
        this.stop(`The decoder stopped: ${message.message}`, 'environment');
        this.#events.crash(message.message);
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.release();
    return pending;
  }
}

function createWorker(): Worker {
  try {
    return new Worker(workerAddress, { type: 'module', name: 'tessera-decoder' });
  } catch {
    // Embedded from another origin: browsers start workers of their own origin only, but a worker may import from others.
    const absolute = new URL(workerAddress, import.meta.url).href;
    const shim = URL.createObjectURL(new Blob([`import ${JSON.stringify(absolute)};`], { type: 'text/javascript' }));
    return new Worker(shim, { type: 'module', name: 'tessera-decoder' });
  }
}
