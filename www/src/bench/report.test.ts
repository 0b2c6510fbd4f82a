import { describe, expect, it } from 'vitest';
import { figure, median, ratio } from './report';

describe('the report', () => {
  it('takes medians', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('keeps the first call apart', () => {
    expect(figure('picture', 'a', 10, [900, 100, 300, 200])).toMatchObject({
      first_seconds: 0.9, median_seconds: 0.2, fastest_seconds: 0.1, frames_per_second: 5, repetitions: 3,
    });
  });

  it('says how much faster than real time', () => {
    expect(figure('tenth', 'a', 10, [900, 100, 200, 300], 1).real_time).toBeCloseTo(5);
    expect(figure('picture', 'a', 10, [900, 100]).real_time).toBeNull();
  });

  it('has no ratio to what was not measured', () => {
    const figures = [figure('picture', 'a', 1, [1, 100]), figure('picture', 'b', 1, [1, 300]), figure('zoomed', 'c', 1, [1, 5])];
    expect(ratio(figures, ['x', 'a'], 'b')).toBeCloseTo(3);
    expect(ratio(figures, ['a'], 'c')).toBeNull();
  });
});
