// An orbiting camera and the little linear algebra that it takes. Matrices are column-major arrays of 16, as WebGL wants.
//
// Libraries for this bring scene graphs; what is needed here is one product and two matrices.

export type Vector = readonly [number, number, number];
export type Matrix = readonly number[];

/** Vertical field of view in radians. */
export const FIELD = 0.6;
const MOST_PITCH = Math.PI / 2 - 0.02;

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
export function normalised(a: Vector): Vector {
  const length = Math.hypot(...a) || 1;
  return [a[0] / length, a[1] / length, a[2] / length];
}
function multiply(a: Matrix, b: Matrix): Matrix {
  return Array.from({ length: 16 }, (_, i) => {
    const [row, column] = [i % 4, i - (i % 4)];
    return [0, 1, 2, 3].reduce((sum, k) => sum + (a[row + 4 * k] as number) * (b[column + k] as number), 0);
  });
}

/** A point on the screen: CSS or device pixels as the given size, and its depth, growing away from the eye. */
export interface Projected {
  x: number;
  y: number;
  readonly depth: number;
}

export class Camera {
  /** Around the vertical axis and above the horizon, in radians. */
  yaw = 0.6;
  pitch = 0.35;
  /** From the target, in the units of the scene. */
  distance = 3;
  target: Vector = [0, 0, 0];
  /** Half the diagonal of what is looked at. */
  #radius = 1;

  /** Shows a box as large as fits, from the direction that it has. */
  fit(low: Vector, high: Vector, aspect: number): void {
    this.target = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2];
    this.#radius = Math.max(1e-6, Math.hypot(high[0] - low[0], high[1] - low[1], high[2] - low[2]) / 2);
    this.distance = (1.05 * this.#radius) / Math.sin(FIELD / 2) / Math.min(1, aspect);
  }

  orbit(yaw: number, pitch: number): void {
    this.yaw += yaw;
    this.pitch = Math.min(MOST_PITCH, Math.max(-MOST_PITCH, this.pitch + pitch));
  }

  /** Closer (above one) or farther away. */
  zoom(factor: number): void {
    this.distance = Math.min(this.#radius * 40, Math.max(this.#radius * 0.05, this.distance / factor));
  }

  /** Moves the target by shares of the height of the screen. */
  pan(right: number, up: number): void {
    const size = 2 * this.distance * Math.tan(FIELD / 2);
    const [x, y] = [this.right, this.up];
    const move = (i: 0 | 1 | 2) => this.target[i] - size * (right * x[i] + up * y[i]);
    this.target = [move(0), move(1), move(2)];
  }

  /** From the target to the eye. */
  get back(): Vector {
    return [Math.sin(this.yaw) * Math.cos(this.pitch), Math.sin(this.pitch), Math.cos(this.yaw) * Math.cos(this.pitch)];
  }
  get right(): Vector {
    return [Math.cos(this.yaw), 0, -Math.sin(this.yaw)];
  }
  get up(): Vector {
    return cross(this.back, this.right);
  }
  get eye(): Vector {
    const { back, target, distance } = this;
    return [target[0] + back[0] * distance, target[1] + back[1] * distance, target[2] + back[2] * distance];
  }

  /** From the scene to clip space. */
  matrix(aspect: number): Matrix {
    const { right, up, back, eye } = this;
    const view = [
      right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0,
      -dot(right, eye), -dot(up, eye), -dot(back, eye), 1,
    ];
    const near = Math.max(this.distance - 4 * this.#radius, this.distance * 0.01, this.#radius * 0.01);
    const far = this.distance + 4 * this.#radius;
    const scale = 1 / Math.tan(FIELD / 2);
    const projection = [scale / aspect, 0, 0, 0, 0, scale, 0, 0, 0, 0, (near + far) / (near - far), -1, 0, 0, (2 * near * far) / (near - far), 0];
    return multiply(projection, view);
  }
}

/** Where a point of the scene is on a screen; `null` behind the eye. */
export function project(matrix: Matrix, [x, y, z]: Vector, width: number, height: number): Projected | null {
  const at = (row: number) => (matrix[row] as number) * x + (matrix[row + 4] as number) * y + (matrix[row + 8] as number) * z + (matrix[row + 12] as number);
  const w = at(3);
  if (w <= 1e-9) return null;
  return { x: ((at(0) / w + 1) / 2) * width, y: ((1 - at(1) / w) / 2) * height, depth: at(2) / w };
}
