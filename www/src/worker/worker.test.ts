import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Call, FromWorker, TileRequest, ToWorker } from './protocol';

/** A file of one byte, whose samples all have the value of that byte. Byte 0 is refused. */
vi.mock('./wasm', () => ({
  loadCpu: async () => ({
    warm_up() {},
    TesseraFile: class {
      readonly #value: number;
      constructor(bytes: Uint8Array) {
        this.#value = bytes[0] ?? 0;
        if (this.#value === 0) throw Object.assign(new Error('Not a file.'), { kind: 'malformed' });
      }
      info() { return { kind: 'picture', shape: [8, 8], macs_per_sample: 1, bounds: [[0, 8], [0, 8]] }; }
      present() { return new Uint32Array([0]); }
      chunk_bytes() { return new Uint32Array([1]); }
      partition_boxes() { return new Uint32Array([0, 8, 0, 8]); }
      cropped_bytes() { return this.#value; }
      decode(...[, , , , rows, columns]: number[]) { return new Uint8Array(rows! * columns! * 4).fill(this.#value); }
      free() {}
    },
  }),
  loadGpu: async () => { throw new Error('no device in this test'); },
}));

let received: FromWorker[] = [];
const scope = { onmessage: null as ((event: { data: ToWorker }) => void) | null, postMessage: (message: FromWorker) => void received.push(message) };
vi.stubGlobal('self', scope);
await import('./worker');

const send = (message: ToWorker) => scope.onmessage?.({ data: message });
const call = (id: number, what: Call) => send({ kind: 'call', id, call: what });
const open = (id: number, generation: number, byte: number) => call(id, { type: 'open', generation, bytes: new Uint8Array([byte]), allowGpu: false });
const tile = (generation: number): TileRequest => ({
  generation, key: '8x8/0,0', region: { row0: 0, row1: 8, column0: 0, column1: 8 }, rows: 8, columns: 8, nearest: false, frame: 0,
});
const bands = () => received.filter((message) => message.kind === 'band').map((message) => [message.generation, 'buffer' in message.pixels ? message.pixels[0] : null]);
const rest = () => new Promise((resolve) => setTimeout(resolve, 60));

describe('tiles in the worker', () => {
  beforeEach(async () => {
    await rest();
    open(1, 1, 11);
    await rest();
    received = [];
  });

  it('are decoded from the file that they were planned for', async () => {
    send({ kind: 'tiles', tiles: [tile(1)] });
    await rest();
    expect(bands()).toEqual([[1, 11]]);
  });

  it('are dropped when another file was opened before they came', async () => {
    open(2, 2, 22);
    await rest();
    send({ kind: 'tiles', tiles: [tile(1), tile(2)] });
    await rest();
    expect(bands()).toEqual([[2, 22]]);
  });

  it('are dropped when they wait behind an open', async () => {
    open(2, 2, 22);
    send({ kind: 'tiles', tiles: [tile(1)] });
    await rest();
    expect(bands()).toEqual([]);
    send({ kind: 'tiles', tiles: [tile(2)] });
    await rest();
    expect(bands()).toEqual([[2, 22]]);
  });

  it('are decoded from the open file after another was refused', async () => {
    open(2, 2, 0);
    await rest();
    expect(received).toContainEqual(expect.objectContaining({ kind: 'refusal', id: 2 }));
    send({ kind: 'tiles', tiles: [tile(1)] });
    await rest();
    expect(bands()).toEqual([[1, 11]]);
  });
});

describe('calls in the worker', () => {
  it('are given up when another file takes the place of theirs', async () => {
    open(1, 1, 11);
    await rest();
    received = [];
    open(5, 3, 33);
    call(6, { type: 'samples', generation: 1 });
    await rest();
    expect(received).toContainEqual(expect.objectContaining({ kind: 'refusal', id: 6, error: expect.objectContaining({ kind: 'cancelled' }) }));
  });

  it('are answered for the file that they name, or not at all', async () => {
    open(1, 1, 11);
    await rest();
    received = [];
    open(2, 2, 22);
    call(3, { type: 'size', generation: 1, parts: new Uint32Array([0]) });
    call(4, { type: 'size', generation: 2, parts: new Uint32Array([0]) });
    await rest();
    call(5, { type: 'size', generation: 1, parts: new Uint32Array([0]) });
    await rest();
    expect(received).toContainEqual({ kind: 'answer', id: 3, value: 11 });
    expect(received).toContainEqual({ kind: 'answer', id: 4, value: 22 });
    expect(received).toContainEqual(expect.objectContaining({ kind: 'refusal', id: 5, error: expect.objectContaining({ kind: 'cancelled' }) }));
  });

  it('stay with their file when the next one is refused', async () => {
    open(1, 1, 11);
    await rest();
    received = [];
    open(2, 2, 0);
    call(3, { type: 'size', generation: 1, parts: new Uint32Array([0]) });
    await rest();
    expect(received).toContainEqual({ kind: 'answer', id: 3, value: 11 });
  });

  it('count the samples that were decoded since the file was opened', async () => {
    open(1, 1, 11);
    await rest();
    send({ kind: 'tiles', tiles: [tile(1)] });
    await rest();
    received = [];
    call(2, { type: 'decoded', generation: 1 });
    await rest();
    expect(received).toContainEqual({ kind: 'answer', id: 2, value: { CPU: 64, WebGPU: 0 } });
  });

  it('are not cancelled by a cancel of an ended one', async () => {
    open(7, 1, 11);
    await rest();
    send({ kind: 'cancel', id: 8 });
    received = [];
    call(8, { type: 'samples', generation: 1 });
    await rest();
    expect(received).toContainEqual(expect.objectContaining({ kind: 'answer', id: 8 }));
  });
});
