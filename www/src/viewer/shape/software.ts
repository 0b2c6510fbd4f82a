// Drawing a shape without WebGL: triangles into an image with a depth of its own, lines above. Slower, the same look.

import type { PartitionGrid } from '../grid';
import { project, type Projected, type Vector } from './camera';
import { brightness, type Look, type Mesh, partitionAt, type Renderer } from './draw';

/** Device pixels of the longer side; more are drawn larger. */
const MOST_PIXELS = 900;

export class SoftwareRenderer implements Renderer {
  readonly name = 'the CPU';
  readonly canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #mesh: Mesh | null = null;
  #grid: PartitionGrid | null = null;
  #kept = new Uint8Array();
  #lines = new Float32Array();
  /** Kept or not, by triangle. */
  #keeps: Uint8Array | null = null;

  static create(canvas: HTMLCanvasElement): SoftwareRenderer | null {
    const context = canvas.getContext('2d');
    return context ? new SoftwareRenderer(canvas, context) : null;
  }

  private constructor(canvas: HTMLCanvasElement, context: CanvasRenderingContext2D) {
    this.canvas = canvas;
    this.#context = context;
  }

  setMesh(mesh: Mesh | null): void {
    this.#mesh = mesh;
    this.#keeps = null;
  }
  setGrid(grid: PartitionGrid): void {
    this.#grid = grid;
    this.#keeps = null;
  }
  setKept(kept: Uint8Array, lines: Float32Array): void {
    this.#kept = kept.slice();
    this.#lines = new Float32Array(lines);
    this.#keeps = null;
  }

  #keptTriangles(mesh: Mesh): Uint8Array {
    if (this.#keeps) return this.#keeps;
    const keeps = new Uint8Array(mesh.triangles.length / 3);
    for (let t = 0; t < keeps.length; t++) {
      const middle = [0, 1, 2].map((axis) => [0, 1, 2].reduce((sum, k) => sum + (mesh.positions[(mesh.triangles[3 * t + k] as number) * 3 + axis] as number), 0) / 3) as unknown as Vector;
      keeps[t] = this.#grid ? (this.#kept[partitionAt(this.#grid, middle)] ?? 0) : 1;
    }
    this.#keeps = keeps;
    return keeps;
  }

  draw(look: Look): void {
    const { width, height } = this.canvas;
    const shrink = Math.max(1, Math.max(width, height) / MOST_PIXELS);
    const [columns, rows] = [Math.max(1, Math.round(width / shrink)), Math.max(1, Math.round(height / shrink))];
    const image = new ImageData(columns, rows);
    if (this.#mesh) this.#surface(this.#mesh, look, image);
    const surface = new OffscreenCanvas(columns, rows);
    surface.getContext('2d')?.putImageData(image, 0, 0);
    this.#context.clearRect(0, 0, width, height);
    this.#context.drawImage(surface, 0, 0, width, height);
    if (look.wireframe) this.#wires(look);
  }

  #surface(mesh: Mesh, look: Look, image: ImageData): void {
    const { width, height } = image;
    const { positions, normals, triangles } = mesh;
    const count = positions.length / 3;
    const [xs, ys, depths, lights] = [new Float32Array(count), new Float32Array(count), new Float32Array(count), new Float32Array(count)];
    for (let i = 0; i < count; i++) {
      const at = project(look.matrix, [positions[3 * i] as number, positions[3 * i + 1] as number, positions[3 * i + 2] as number], width, height);
      [xs[i], ys[i], depths[i]] = at ? [at.x, at.y, at.depth] : [NaN, NaN, NaN];
      lights[i] = brightness([normals[3 * i] as number, normals[3 * i + 1] as number, normals[3 * i + 2] as number], look);
    }
    const nearest = new Float32Array(width * height).fill(Infinity);
    const keeps = this.#keptTriangles(mesh);
    const { section } = look;
    for (let t = 0; t < keeps.length; t++) {
      if (look.applied && !keeps[t]) continue;
      const [a, b, c] = [triangles[3 * t] as number, triangles[3 * t + 1] as number, triangles[3 * t + 2] as number];
      const [ax, ay, bx, by, cx, cy] = [xs[a] as number, ys[a] as number, xs[b] as number, ys[b] as number, xs[c] as number, ys[c] as number];
      const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
      // Not a number where a corner lies behind the eye.
      if (!(Math.abs(area) > 1e-9)) continue;
      // The screen's y points down: what is counter-clockwise from outside has a negative area in front.
      const front = area < 0;
      const base = front ? look.surface : look.inside;
      const [x0, x1] = [Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5)), Math.min(width - 1, Math.floor(Math.max(ax, bx, cx) - 0.5))];
      const [y0, y1] = [Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5)), Math.min(height - 1, Math.floor(Math.max(ay, by, cy) - 0.5))];
      const cut = (i: number) => positions[3 * i + (section?.axis ?? 0)] as number;
      for (let y = y0; y <= y1; y++) {
        for (let x = x0; x <= x1; x++) {
          const [px, py] = [x + 0.5, y + 0.5];
          const u = ((bx - px) * (cy - py) - (cx - px) * (by - py)) / area;
          const v = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area;
          const w = 1 - u - v;
          if (u < 0 || v < 0 || w < 0) continue;
          const depth = u * (depths[a] as number) + v * (depths[b] as number) + w * (depths[c] as number);
          const place = y * width + x;
          if (depth >= (nearest[place] as number) || depth < -1) continue;
          if (section && u * cut(a) + v * cut(b) + w * cut(c) > section.at) continue;
          nearest[place] = depth;
          const light = front ? u * (lights[a] as number) + v * (lights[b] as number) + w * (lights[c] as number) : 0.6;
          const pale = keeps[t] ? 0 : 0.78;
          for (let k = 0; k < 3; k++) image.data[4 * place + k] = 255 * ((base[k] as number) * light * (1 - pale) + (look.ground[k] as number) * pale);
          image.data[4 * place + 3] = 255;
        }
      }
    }
  }

  #wires(look: Look): void {
    const { width, height } = this.canvas;
    const ends = this.#lines;
    const [red, green, blue] = look.line.map((v) => Math.round(v * 255));
    this.#context.strokeStyle = `rgb(${red} ${green} ${blue} / 0.3)`;
    this.#context.lineWidth = 1;
    this.#context.beginPath();
    for (let i = 0; i + 5 < ends.length; i += 6) {
      const point = (at: number) => [ends[at], ends[at + 1], ends[at + 2]] as unknown as Vector;
      if (look.section && Math.max(point(i)[look.section.axis], point(i + 3)[look.section.axis]) > look.section.at + 0.5) continue;
      const [a, b] = [project(look.matrix, point(i), width, height), project(look.matrix, point(i + 3), width, height)] as [Projected | null, Projected | null];
      if (!a || !b) continue;
      this.#context.moveTo(a.x, a.y);
      this.#context.lineTo(b.x, b.y);
    }
    this.#context.stroke();
  }
}
