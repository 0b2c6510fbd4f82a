import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { EngineState } from './protocol';

const region = { row0: 0, row1: 8, column0: 0, column1: 8 };
const info = { macs_per_sample: 1000, bounds: [[0, 8], [0, 8]] };
const grey = (rows: number, columns: number, value: number) => new Uint8Array(rows * columns * 4).fill(value);

/** What the modules of the next engine do. */
const working = { gpuValue: 100, gpuFails: false as unknown, startFails: false, tooWide: false, presents: false, shown: 100, fields: 0, freed: 0, starts: 0 };
const behaviour = { ...working };

vi.mock('./wasm', () => ({
  loadCpu: async () => ({
    warm_up() {},
    TesseraFile: class {
      info() { return info; }
      decode(...[, , , , rows, columns]: [number, number, number, number, number, number]) { return grey(rows, columns, 100); }
      free() { behaviour.freed += 1; }
    },
  }),
  loadGpu: async () => ({
    initialise: async () => {
      behaviour.starts += 1;
      if (behaviour.startFails) throw new Error('No adapter was found.');
      return 'a device';
    },
    GpuField: class {
      constructor() {
        if (behaviour.tooWide) throw Object.assign(new Error('The network is too wide.'), { kind: 'device' });
        behaviour.fields += 1;
      }
      async decode(...[, , , , rows, columns]: [number, number, number, number, number, number]) {
        if (behaviour.gpuFails) throw behaviour.gpuFails;
        return grey(rows, columns, behaviour.gpuValue);
      }
      async present(...[, , , , rows, columns]: [number, number, number, number, number, number]) {
        if (behaviour.gpuFails) throw behaviour.gpuFails;
        return { data: grey(rows, columns, behaviour.shown) };
      }
      free() { behaviour.fields -= 1; behaviour.freed += 1; }
    },
  }),
}));

vi.mock('./presentation', () => ({ canPresent: async () => behaviour.presents, pixelsOf: (image: { data: Uint8Array }) => image.data }));

const { Engine } = await import('./engine');

describe('engine', () => {
  let states: EngineState[];
  let engine: InstanceType<typeof Engine>;

  beforeEach(async () => {
    Object.assign(behaviour, working);
    vi.stubGlobal('navigator', { gpu: {} });
    states = [];
    engine = new Engine((state) => states.push(state));
    await engine.open(new Uint8Array(1));
  });

  it('starts on the CPU and changes to a device that agrees', async () => {
    expect(states.at(-1)?.engine).toBe('CPU');
    behaviour.gpuValue = 101;
    await engine.takeOver();
    expect(states.at(-1)).toMatchObject({ engine: 'WebGPU', reason: expect.stringContaining('a device.') });
    expect((await engine.decode(region, 8, 8, false))[0]).toBe(101);
  });

  it('refuses a device that shows another picture', async () => {
    behaviour.gpuValue = 110;
    await engine.takeOver();
    expect(states.at(-1)?.engine).toBe('CPU');
    expect(states.at(-1)?.reason).toContain('differed by 10 of 255');
    expect((await engine.decode(region, 8, 8, false))[0]).toBe(100);
  });

  it('repeats on the CPU what a lost device did not finish, and stays there', async () => {
    await engine.takeOver();
    behaviour.gpuFails = new Error('the device was lost');
    expect(await engine.decode(region, 4, 4, false)).toEqual(grey(4, 4, 100));
    expect(states.at(-1)?.reason).toBe('WebGPU stopped working (the device was lost), so the CPU took over.');
    behaviour.gpuFails = false;
    await engine.open(new Uint8Array(2));
    expect(states.at(-1)?.reason).toContain('the device was lost');
    await engine.takeOver();
    expect(engine.usesGpu).toBe(false);
  });

  it.each([
    ['is too wide for the device', { tooWide: true }, 'WebGPU is not used: the network is too wide.'],
    ['comes out differently', { gpuValue: 110 }, 'differed by 10 of 255'],
    ['is beyond a limit', { gpuFails: Object.assign(new Error('Too many samples.'), { kind: 'limit' }) }, 'too many samples'],
  ])('refuses a file that %s, and takes the next one', async (_, fault, reason) => {
    Object.assign(behaviour, fault);
    await engine.takeOver();
    expect(states.at(-1)).toMatchObject({ engine: 'CPU', reason: expect.stringContaining(reason) });
    Object.assign(behaviour, { tooWide: false, gpuValue: 100, gpuFails: false });
    await engine.takeOver();
    expect(engine.usesGpu).toBe(false);
    await engine.open(new Uint8Array(2));
    expect(states.at(-1)?.reason).toContain('WebGPU is still starting');
    await engine.takeOver();
    expect(states.at(-1)?.engine).toBe('WebGPU');
  });

  it.each([
    ['fails', new Error('the device was lost')],
    ['breaks its module', new WebAssembly.RuntimeError('unreachable')],
  ])('frees the field of a device that %s in the comparison, and refuses the device for good', async (_, error) => {
    behaviour.gpuFails = error;
    await engine.takeOver();
    expect(behaviour.fields).toBe(0);
    behaviour.gpuFails = false;
    await engine.open(new Uint8Array(2));
    await engine.takeOver();
    expect(engine.usesGpu).toBe(false);
    expect(behaviour.starts).toBe(1);
  });

  it('shows images of the device where the browser can, and reads numbers all the same', async () => {
    behaviour.presents = true;
    await engine.takeOver();
    expect(await engine.show(region, 8, 8, false)).toEqual({ data: grey(8, 8, 100) });
    expect(await engine.decode(region, 8, 8, false)).toEqual(grey(8, 8, 100));
    expect(engine.decoded).toEqual({ CPU: 0, WebGPU: 128 });
    behaviour.gpuFails = new Error('the device was lost');
    expect(await engine.show(region, 4, 4, false)).toEqual(new Uint8ClampedArray(grey(4, 4, 100)));
    expect(engine.usesGpu).toBe(false);
  });

  it('reads back where images come out differently', async () => {
    Object.assign(behaviour, { presents: true, shown: 0 });
    await engine.takeOver();
    expect(states.at(-1)).toMatchObject({ engine: 'WebGPU', reason: expect.stringContaining('read back') });
    expect(await engine.show(region, 4, 4, false)).toEqual(new Uint8ClampedArray(grey(4, 4, 100)));
  });

  it('says why there is no WebGPU', async () => {
    behaviour.startFails = true;
    await engine.takeOver();
    expect(states.at(-1)?.reason).toBe('WebGPU is not used: no adapter was found.');
    vi.stubGlobal('navigator', {});
    const other = new Engine((state) => states.push(state));
    await other.open(new Uint8Array(1));
    await other.takeOver();
    expect(states.at(-1)?.reason).toContain('this browser has no WebGPU');
  });

  it('sizes the pieces of work by what it measured', async () => {
    expect(engine.rowsFor(1_000_000, 30)).toBe(1);
    expect(engine.rowsFor(10, 30)).toBeGreaterThan(10);
    // However slow an engine was, its pieces are large enough to show that it no longer is.
    expect(engine.rowsFor(128, 0)).toBe(2);
  });

  it('frees one file before the next', async () => {
    await engine.takeOver();
    await engine.open(new Uint8Array(2));
    expect(behaviour.freed).toBe(2);
    expect(engine.usesGpu).toBe(false);
  });
});
