// Numbers as people read them. Units are decimal (1 KB is 1000 bytes), as in the program's own tables.

/** `826 KB`, `1.24 MB`, `812 bytes`: three figures at most, so that the live size line does not jitter. */
export function bytes(count: number): string {
  if (count < 1000) return `${count} ${count === 1 ? 'byte' : 'bytes'}`;
  for (const [unit, size] of [['KB', 1e3], ['MB', 1e6], ['GB', 1e9]] as const) {
    const value = count / size;
    if (value < 999.5 || unit === 'GB') return `${figures(value)} ${unit}`;
  }
  return `${count} bytes`;
}

function figures(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** `206,610`. */
export function integer(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** `276,112 bytes`. */
export function exactBytes(count: number): string {
  return `${integer(count)} ${count === 1 ? 'byte' : 'bytes'}`;
}

/** The line under the picture: `64 of 256 parts, 826 KB to 276 KB`. */
export function sizeLine(kept: number, present: number, whole: number, cropped: number): string {
  const parts = `${integer(kept)} of ${integer(present)} ${present === 1 ? 'part' : 'parts'}`;
  return kept === present ? `${parts}, ${bytes(whole)}` : `${parts}, ${bytes(whole)} to ${bytes(cropped)}`;
}

/** `38 ms`, `1.4 s`. */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** `29.07 dB`; identical pictures have no finite ratio. */
export function decibels(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(2)} dB` : 'identical';
}

/** `125 %`; finer below 10. */
export function percent(ratio: number): string {
  const value = ratio * 100;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

/** Reads `150`, `150 %` or `150%` back; `null` for anything else. */
export function parsePercent(text: string): number | null {
  const match = /^\s*(\d+(?:[.,]\d+)?)\s*%?\s*$/.exec(text);
  const value = match?.[1] ? Number(match[1].replace(',', '.')) / 100 : NaN;
  return value > 0 ? value : null;
}
