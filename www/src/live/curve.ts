// The PSNR curve of a training, as the path of an SVG.

/** A step and its PSNR in dB. */
export type Point = readonly [step: number, psnrDb: number];

export interface Curve {
  /** The `d` of a path in a box of `width` x `height`. */
  readonly path: string;
  /** The PSNR at the lower and the upper edge. */
  readonly low: number;
  readonly high: number;
}

/** Lays points out over `steps`; `null` where there is nothing to draw yet. */
export function layOut(points: readonly Point[], steps: number, width: number, height: number): Curve | null {
  if (points.length < 2) return null;
  const values = points.map(([, psnr]) => psnr).sort((a, b) => a - b);
  // The first steps fall far below the rest, which would lie flat above them.
  const low = Math.floor(values[Math.floor(values.length / 20)] ?? 0);
  const high = Math.max(Math.ceil(values[values.length - 1] ?? 1), low + 1);
  const place = ([step, psnr]: Point) => {
    const x = (width * step) / Math.max(steps, 1);
    const y = height * (1 - (Math.max(psnr, low) - low) / (high - low));
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  };
  return { path: `M${points.map(place).join('L')}`, low, high };
}
