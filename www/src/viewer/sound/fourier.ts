// The spectrum of a stretch of sound: a radix-2 transform with a Hann window. Forty lines; the browser's own analyser
// works only on what is being played.

export class Spectrum {
  readonly size: number;
  readonly #window: Float32Array;
  readonly #cos: Float32Array;
  readonly #sin: Float32Array;
  readonly #order: Uint32Array;
  readonly #re: Float32Array;
  readonly #im: Float32Array;

  /** `size` is a power of two. */
  constructor(size: number) {
    this.size = size;
    this.#window = Float32Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
    this.#cos = Float32Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.#sin = Float32Array.from({ length: size / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
    const bits = Math.log2(size);
    this.#order = Uint32Array.from({ length: size }, (_, i) => {
      let reversed = 0;
      for (let b = 0; b < bits; b++) reversed |= ((i >> b) & 1) << (bits - 1 - b);
      return reversed;
    });
    this.#re = new Float32Array(size);
    this.#im = new Float32Array(size);
  }

  /** Levels of `size / 2` frequencies in dB below a sine of full scale; `read` gives the samples. */
  levels(read: (i: number) => number, into: Float32Array): void {
    const { size } = this;
    for (let i = 0; i < size; i++) {
      const at = this.#order[i] as number;
      this.#re[i] = read(at) * (this.#window[at] as number);
      this.#im[i] = 0;
    }
    for (let half = 1; half < size; half *= 2) {
      const stride = size / 2 / half;
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k++) this.#butterfly(start + k, start + k + half, k * stride);
      }
    }
    for (let i = 0; i < size / 2; i++) {
      const power = (this.#re[i] as number) ** 2 + (this.#im[i] as number) ** 2;
      // A sine of full scale gives size / 4 through this window.
      into[i] = 10 * Math.log10(power + 1e-20) - 20 * Math.log10(size / 4);
    }
  }

  #butterfly(a: number, b: number, turn: number): void {
    const [re, im] = [this.#re, this.#im];
    const [c, s] = [this.#cos[turn] as number, this.#sin[turn] as number];
    const [br, bi] = [re[b] as number, im[b] as number];
    const [tr, ti] = [br * c - bi * s, br * s + bi * c];
    re[b] = (re[a] as number) - tr;
    im[b] = (im[a] as number) - ti;
    re[a] = (re[a] as number) + tr;
    im[a] = (im[a] as number) + ti;
  }
}
