import { expect, it } from 'vitest';
import { Camera, project } from './camera';

it('shows what it is fitted to, in the middle and inside', () => {
  const camera = new Camera();
  camera.fit([-2, 0, 3], [4, 5, 9], 2);
  for (const [yaw, pitch] of [[0, 0], [1, 0.7], [4, -3]] as const) {
    camera.orbit(yaw, pitch);
    const matrix = camera.matrix(2);
    const middle = project(matrix, [1, 2.5, 6], 200, 100);
    expect([middle?.x, middle?.y].map((v) => Math.round(v ?? 0))).toEqual([100, 50]);
    for (const x of [-2, 4]) for (const y of [0, 5]) for (const z of [3, 9]) {
      const corner = project(matrix, [x, y, z], 200, 100);
      expect(corner && corner.x >= 0 && corner.x <= 200 && corner.y >= 0 && corner.y <= 100).toBe(true);
      expect(Math.abs(corner?.depth ?? 9)).toBeLessThan(1);
    }
  }
});

it('has the right on the right, up above, and what is near before what is far', () => {
  const camera = new Camera();
  camera.yaw = 0;
  camera.pitch = 0;
  camera.fit([-1, -1, -1], [1, 1, 1], 1);
  const at = (x: number, y: number, z: number) => project(camera.matrix(1), [x, y, z], 100, 100) as { x: number; y: number; depth: number };
  expect(at(1, 0, 0).x).toBeGreaterThan(50);
  expect(at(0, 1, 0).y).toBeLessThan(50);
  expect(at(0, 0, 1).depth).toBeLessThan(at(0, 0, -1).depth);
  expect(project(camera.matrix(1), [0, 0, 99], 100, 100)).toBeNull();
});

it('zooms within limits and never turns over', () => {
  const camera = new Camera();
  camera.fit([-1, -1, -1], [1, 1, 1], 1);
  camera.zoom(1e9);
  expect(camera.distance).toBeGreaterThan(0);
  camera.orbit(0, 99);
  expect(camera.pitch).toBeLessThan(Math.PI / 2);
  expect(camera.matrix(1).every(Number.isFinite)).toBe(true);
});
