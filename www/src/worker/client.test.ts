import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FromWorker, ToWorker } from './protocol';

vi.mock('./worker.ts?worker&url', () => ({ default: 'worker.js' }));

/** Workers that were started, and what each was sent. */
let workers: FakeWorker[] = [];

class FakeWorker {
  readonly sent: ToWorker[] = [];
  onmessage: ((event: { data: FromWorker }) => void) | null = null;
  constructor() {
    workers.push(this);
  }
  postMessage(message: ToWorker) {
    if (message.kind === 'call' && message.call.type === 'crop') throw new Error('cannot be cloned');
    this.sent.push(message);
  }
  terminate() {}
}

const { Decoder } = await import('./client');

describe('calls', () => {
  let decoder: InstanceType<typeof Decoder>;
  let abort: AbortController;
  const kinds = () => workers.map((worker) => worker.sent.map((message) => message.kind));

  beforeEach(() => {
    workers = [];
    vi.stubGlobal('Worker', FakeWorker);
    decoder = new Decoder({ band: () => {}, engine: () => {}, crash: () => {} });
    abort = new AbortController();
  });

  it('are cancelled by their signal while they run', async () => {
    const call = decoder.call({ type: 'samples', generation: 1 }, { signal: abort.signal });
    abort.abort();
    expect(workers[0]?.sent[1]).toEqual({ kind: 'cancel', id: 1 });
    workers[0]?.onmessage?.({ data: { kind: 'refusal', id: 1, error: { message: 'Cancelled.', kind: 'cancelled' } } });
    await expect(call).rejects.toMatchObject({ kind: 'cancelled' });
  });

  it('no longer listen to their signal once they are answered', async () => {
    const removed = vi.spyOn(abort.signal, 'removeEventListener');
    const call = decoder.call({ type: 'size', generation: 1, parts: new Uint32Array() }, { signal: abort.signal });
    workers[0]?.onmessage?.({ data: { kind: 'answer', id: 1, value: 7 } });
    expect(await call).toBe(7);
    expect(removed).toHaveBeenCalledOnce();
    abort.abort();
    expect(kinds()).toEqual([['call']]);
  });

  it('start no worker for a cancel after a stop', async () => {
    const call = decoder.call({ type: 'samples', generation: 1 }, { signal: abort.signal });
    decoder.stop();
    await expect(call).rejects.toMatchObject({ kind: 'cancelled' });
    abort.abort();
    expect(kinds()).toEqual([['call']]);
  });

  it('are forgotten where they cannot be sent', async () => {
    await expect(decoder.call({ type: 'crop', generation: 1, parts: new Uint32Array() }, { signal: abort.signal })).rejects.toThrow('cannot be cloned');
    abort.abort();
    expect(kinds()).toEqual([[]]);
  });
});
