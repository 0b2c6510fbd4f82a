import { describe, expect, it } from 'vitest';
import { Ahead } from './ahead';
import { FrameClock } from './clock';

describe('a clock of frames', () => {
  it('keeps the rate of the clip', () => {
    const clock = new FrameClock(25, 100);
    clock.play(1000);
    expect([1000, 1039, 1040, 2000, 4999].map((now) => clock.frame(now))).toEqual([0, 0, 1, 25, 99]);
    expect([clock.over(4999), clock.over(5000), clock.frame(9999)]).toEqual([false, true, 99]);
  });

  it('goes round its range', () => {
    const clock = new FrameClock(10, 100);
    clock.setRange({ start: 20, end: 23 }, 0);
    clock.setLoop(true, 0);
    clock.play(0);
    expect([0, 100, 200, 300, 750].map((now) => clock.frame(now))).toEqual([20, 21, 22, 20, 21]);
    expect(clock.over(1e6)).toBe(false);
  });

  it('goes on from where it was when the speed changes, and rests when it is paused', () => {
    const clock = new FrameClock(10, 100);
    clock.play(0);
    clock.setSpeed(0.5, 1000);
    expect([clock.frame(1000), clock.frame(1200), clock.frame(3000)]).toEqual([10, 11, 20]);
    clock.pause(3000);
    expect(clock.frame(9000)).toBe(20);
    clock.seek(99.7, 9000);
    expect(clock.frame(9000)).toBe(99);
    clock.play(9000);
    expect(clock.frame(9000)).toBe(0);
  });
});

describe('decoding ahead', () => {
  /** Plays for `seconds` on a machine that needs `cost` milliseconds for a whole picture. */
  async function play(cost: number, seconds: number) {
    const clock = new FrameClock(20, 1000);
    const ahead = new Ahead<number>(clock, async (frame) => frame, () => {});
    let busyUntil = 0;
    clock.play(0);
    const scales: number[] = [];
    for (let now = 0; now < seconds * 1000; now += 5) {
      // Time is ours: a decode is answered, and learned from, when its cost has passed.
      if (now >= busyUntil) {
        const scale = ahead.scale;
        const found = ahead.take(now, () => {});
        expect(found === null || found.frame === clock.frame(now)).toBe(true);
        await Promise.resolve();
        await Promise.resolve();
        await Promise.resolve();
        ahead.learn(cost * scale * scale, scale);
        busyUntil = now + cost * scale * scale;
        scales.push(ahead.scale);
      }
    }
    return { scale: ahead.scale, scales, shown: ahead.shown };
  }

  it('keeps the full size where there is time', async () => {
    const { scale, shown } = await play(10, 3);
    expect(scale).toBe(1);
    expect(shown).toBeGreaterThan(40);
  });

  it('makes pictures smaller, and keeps the clock, where there is not', async () => {
    const { scale, shown } = await play(400, 3);
    expect(scale).toBeLessThan(0.36);
    expect(scale).toBeGreaterThan(0.2);
    expect(shown).toBeGreaterThan(40);
  });

  it('does not go to and fro', async () => {
    const { scales } = await play(60, 3);
    const changes = scales.slice(4).filter((s, i, all) => i > 0 && s !== all[i - 1]);
    expect(changes).toEqual([]);
  });
});
