/** A stretch of samples or frames, `[start, end)`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}
