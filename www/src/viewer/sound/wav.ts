// A WAV file of decoded samples: 16-bit integers, or floats where the source had them.

export interface WavFormat {
  readonly rate: number;
  readonly channels: number;
  readonly float: boolean;
}

/** `values` are interleaved, in [-1, 1]; what is not a number (absent) is silent. */
export function wav(values: Float32Array, { rate, channels, float }: WavFormat): Blob {
  const width = float ? 4 : 2;
  const bytes = values.length * width;
  const view = new DataView(new ArrayBuffer(44 + bytes));
  const text = (at: number, word: string) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, 'RIFF');
  view.setUint32(4, 36 + bytes, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, float ? 3 : 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * channels * width, true);
  view.setUint16(32, channels * width, true);
  view.setUint16(34, 8 * width, true);
  text(36, 'data');
  view.setUint32(40, bytes, true);
  values.forEach((value, i) => {
    const present = Number.isNaN(value) ? 0 : value;
    if (float) view.setFloat32(44 + i * 4, present, true);
    else view.setInt16(44 + i * 2, Math.min(32_767, Math.max(-32_768, roundHalfAway(present * 32_768))), true);
  });
  return new Blob([view.buffer], { type: 'audio/wav' });
}

/** As the program rounds: halves away from zero. */
function roundHalfAway(value: number): number {
  return Math.sign(value) * Math.round(Math.abs(value));
}
