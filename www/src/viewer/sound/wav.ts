// A WAV file of decoded samples, of the number type of the source: integers of 8 or 16 bits, or floats.

export interface WavFormat {
  readonly rate: number;
  readonly channels: number;
  /** 8 and 16 are integers, 32 are floats. */
  readonly bits: 8 | 16 | 32;
}

/** `values` are interleaved, in [-1, 1]; what is not a number (absent) is silent. */
export function wav(values: Float32Array, { rate, channels, bits }: WavFormat): Blob {
  const width = bits / 8;
  const bytes = values.length * width;
  const view = new DataView(new ArrayBuffer(44 + bytes));
  const text = (at: number, word: string) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, 'RIFF');
  view.setUint32(4, 36 + bytes, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, bits === 32 ? 3 : 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * channels * width, true);
  view.setUint16(32, channels * width, true);
  view.setUint16(34, 8 * width, true);
  text(36, 'data');
  view.setUint32(40, bytes, true);
  values.forEach((value, i) => {
    const present = Number.isNaN(value) ? 0 : value;
    const scale = 2 ** (bits - 1);
    const code = Math.min(scale - 1, Math.max(-scale, roundHalfAway(present * scale)));
    if (bits === 32) view.setFloat32(44 + i * 4, present, true);
    else if (bits === 16) view.setInt16(44 + i * 2, code, true);
    // Eight bits have no sign in a WAV.
    else view.setUint8(44 + i, code + 128);
  });
  return new Blob([view.buffer], { type: 'audio/wav' });
}

/** As the program rounds: halves away from zero. */
function roundHalfAway(value: number): number {
  return Math.sign(value) * Math.round(Math.abs(value));
}
