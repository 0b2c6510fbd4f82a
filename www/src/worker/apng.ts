// An animated PNG from PNGs of equal size and kind: their data, in the frames of one file (PNG specification, third
// edition, section 11.3.6). Nothing is compressed again.

/** Chunks of a PNG by name, in order. */
function* chunks(png: Uint8Array): Generator<{ readonly name: string; readonly data: Uint8Array }> {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  for (let at = 8; at + 12 <= png.length; ) {
    const length = view.getUint32(at);
    yield { name: String.fromCharCode(...png.subarray(at + 4, at + 8)), data: png.subarray(at + 8, at + 8 + length) };
    at += 12 + length;
  }
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function chunk(name: string, ...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const out = new Uint8Array(12 + length);
  const view = new DataView(out.buffer);
  view.setUint32(0, length);
  [...name].forEach((letter, i) => (out[4 + i] = letter.charCodeAt(0)));
  let at = 8;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  let check = 0xffffffff;
  for (let i = 4; i < 8 + length; i++) check = (TABLE[(check ^ (out[i] as number)) & 255] as number) ^ (check >>> 8);
  view.setUint32(8 + length, (check ^ 0xffffffff) >>> 0);
  return out;
}

function words(...values: number[]): Uint8Array {
  const out = new Uint8Array(values.length * 4);
  values.forEach((value, i) => new DataView(out.buffer).setUint32(4 * i, value));
  return out;
}

export class AnimatedPng {
  readonly #parts: Uint8Array[] = [];
  readonly #frames: number;
  readonly #delay: readonly [number, number];
  #sequence = 0;

  /** `rate` in frames per second. */
  constructor(frames: number, rate: number) {
    this.#frames = frames;
    // Both are 16 bits in the file; thousandths are exact for every usual rate up to 65 frames a second.
    this.#delay = rate <= 65 ? [1000, Math.round(rate * 1000)] : [100, Math.min(65_535, Math.round(rate * 100))];
  }

  /** Adds the next frame. */
  add(png: Uint8Array): void {
    const all = [...chunks(png)];
    const head = all.find(({ name }) => name === 'IHDR')?.data;
    if (!head) throw new Error('The browser made no PNG.');
    const [width, height] = [new DataView(head.buffer, head.byteOffset).getUint32(0), new DataView(head.buffer, head.byteOffset).getUint32(4)];
    const first = this.#sequence === 0;
    if (first) this.#parts.push(png.slice(0, 8), chunk('IHDR', head), chunk('acTL', words(this.#frames, 0)));
    const [numerator, denominator] = this.#delay;
    const delay = Uint8Array.of(numerator >> 8, numerator & 255, denominator >> 8, denominator & 255, 0, 0);
    this.#parts.push(chunk('fcTL', words(this.#sequence++, width, height, 0, 0), delay));
    for (const { name, data } of all) {
      if (name !== 'IDAT') continue;
      this.#parts.push(first ? chunk('IDAT', data) : chunk('fdAT', words(this.#sequence++), data));
    }
  }

  finish(): Blob {
    return new Blob([...this.#parts, chunk('IEND')] as Uint8Array<ArrayBuffer>[], { type: 'image/apng' });
  }
}
