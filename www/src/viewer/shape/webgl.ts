// Drawing a shape with WebGL 2: one program for the surface, one for the lines. Which partition a point belongs to, and
// whether it is kept, the fragment shader finds by the grid's rule, so that a crop needs no other mesh.

import type { PartitionGrid } from '../grid';
import type { Look, Mesh, Renderer } from './draw';

const SURFACE_VERTEX = `#version 300 es
in vec3 position; in vec3 normal;
uniform mat4 matrix;
out vec3 place; out vec3 facing;
void main() { place = position; facing = normal; gl_Position = matrix * vec4(position, 1.0); }`;

const SURFACE_FRAGMENT = `#version 300 es
precision highp float; precision highp int; precision mediump sampler3D;
in vec3 place; in vec3 facing;
uniform sampler3D kept; uniform ivec3 samples; uniform ivec3 factors;
uniform bool applied; uniform vec4 section;
uniform vec3 surface; uniform vec3 inside; uniform vec3 ground; uniform vec3 back; uniform vec3 right; uniform vec3 up;
out vec4 colour;
int owner(int n, int c, int at) {
  int size = n / c; int larger = n % c; int border = larger * (size + 1);
  return at < border ? at / (size + 1) : larger + (at - border) / size;
}
void main() {
  if (dot(section.xyz, place) > section.w) discard;
  ivec3 at = clamp(ivec3(floor(place + 0.5)), ivec3(0), samples - 1);
  ivec3 part = ivec3(owner(samples.x, factors.x, at.x), owner(samples.y, factors.y, at.y), owner(samples.z, factors.z, at.z));
  bool keeps = texelFetch(kept, part.zyx, 0).r > 0.5;
  if (applied && !keeps) discard;
  vec3 n = normalize(facing) * (gl_FrontFacing ? 1.0 : -1.0);
  float light = 0.3 + 0.45 * max(0.0, dot(back, n)) + 0.25 * max(0.0, 0.6 * dot(up, n) - 0.5 * dot(right, n) + 0.5 * dot(back, n));
  vec3 lit = (gl_FrontFacing ? surface : inside) * light;
  colour = vec4(keeps ? lit : mix(lit, ground, 0.78), 1.0);
}`;

const LINE_VERTEX = `#version 300 es
in vec3 position; uniform mat4 matrix; out vec3 place;
void main() { place = position; gl_Position = matrix * vec4(position, 1.0); }`;

const LINE_FRAGMENT = `#version 300 es
precision highp float;
in vec3 place; uniform vec3 line; uniform vec4 section; out vec4 colour;
void main() { if (dot(section.xyz, place) > section.w) discard; colour = vec4(line * 0.55, 0.55); }`;

export class WebGlRenderer implements Renderer {
  readonly name = 'WebGL';
  readonly canvas: HTMLCanvasElement;
  readonly #gl: WebGL2RenderingContext;
  readonly #surface: WebGLProgram;
  readonly #lines: WebGLProgram;
  readonly #meshArray: WebGLVertexArrayObject;
  readonly #lineArray: WebGLVertexArrayObject;
  readonly #buffers: Record<'positions' | 'normals' | 'triangles' | 'ends', WebGLBuffer>;
  readonly #kept: WebGLTexture;
  #corners = 0;
  #ends = 0;
  #samples: [number, number, number] = [1, 1, 1];
  #factors: [number, number, number] = [1, 1, 1];

  /** `null` where the browser has no WebGL 2 for this canvas. */
  static create(canvas: HTMLCanvasElement): WebGlRenderer | null {
    const gl = canvas.getContext('webgl2', { antialias: true, alpha: true, premultipliedAlpha: true, preserveDrawingBuffer: false });
    return gl ? new WebGlRenderer(canvas, gl) : null;
  }

  private constructor(canvas: HTMLCanvasElement, gl: WebGL2RenderingContext) {
    this.canvas = canvas;
    this.#gl = gl;
    this.#surface = program(gl, SURFACE_VERTEX, SURFACE_FRAGMENT);
    this.#lines = program(gl, LINE_VERTEX, LINE_FRAGMENT);
    this.#meshArray = gl.createVertexArray();
    this.#lineArray = gl.createVertexArray();
    this.#buffers = { positions: gl.createBuffer(), normals: gl.createBuffer(), triangles: gl.createBuffer(), ends: gl.createBuffer() };
    this.#kept = gl.createTexture();
    const attribute = (target: WebGLProgram, name: string, buffer: WebGLBuffer) => {
      const place = gl.getAttribLocation(target, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
    };
    gl.bindVertexArray(this.#meshArray);
    attribute(this.#surface, 'position', this.#buffers.positions);
    attribute(this.#surface, 'normal', this.#buffers.normals);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.#buffers.triangles);
    gl.bindVertexArray(this.#lineArray);
    attribute(this.#lines, 'position', this.#buffers.ends);
    gl.bindVertexArray(null);
  }

  setMesh(mesh: Mesh | null): void {
    const gl = this.#gl;
    this.#corners = mesh?.triangles.length ?? 0;
    if (!mesh) return;
    const fill = (target: number, buffer: WebGLBuffer, data: Float32Array | Uint32Array) => {
      gl.bindBuffer(target, buffer);
      gl.bufferData(target, data, gl.STATIC_DRAW);
    };
    gl.bindVertexArray(this.#meshArray);
    fill(gl.ARRAY_BUFFER, this.#buffers.positions, mesh.positions);
    fill(gl.ARRAY_BUFFER, this.#buffers.normals, mesh.normals);
    fill(gl.ELEMENT_ARRAY_BUFFER, this.#buffers.triangles, mesh.triangles);
    gl.bindVertexArray(null);
  }

  setGrid(grid: PartitionGrid): void {
    const last = (edges: readonly number[]) => edges[edges.length - 1] ?? 1;
    this.#samples = [last(grid.planeEdges), last(grid.rowEdges), last(grid.columnEdges)];
    this.#factors = [grid.planes, grid.rows, grid.columns];
  }

  setKept(kept: Uint8Array, lines: Float32Array): void {
    const gl = this.#gl;
    const [planes, rows, columns] = this.#factors;
    gl.bindTexture(gl.TEXTURE_3D, this.#kept);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage3D(gl.TEXTURE_3D, 0, gl.R8, columns, rows, planes, 0, gl.RED, gl.UNSIGNED_BYTE, kept.map((k) => (k ? 255 : 0)));
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_3D, filter, gl.NEAREST);
    gl.bindVertexArray(null);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffers.ends);
    gl.bufferData(gl.ARRAY_BUFFER, lines, gl.STATIC_DRAW);
    this.#ends = lines.length / 3;
  }

  draw(look: Look): void {
    const gl = this.#gl;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    const normal = [0, 0, 0];
    if (look.section) normal[look.section.axis] = 1;
    const section = [...normal, look.section?.at ?? 1e30] as [number, number, number, number];
    const use = (target: WebGLProgram) => {
      gl.useProgram(target);
      const at = (name: string) => gl.getUniformLocation(target, name);
      gl.uniformMatrix4fv(at('matrix'), false, look.matrix);
      gl.uniform4f(at('section'), ...section);
      return at;
    };
    if (this.#corners > 0) {
      const at = use(this.#surface);
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_3D, this.#kept);
      gl.uniform1i(at('kept'), 0);
      gl.uniform3i(at('samples'), ...this.#samples);
      gl.uniform3i(at('factors'), ...this.#factors);
      gl.uniform1i(at('applied'), look.applied ? 1 : 0);
      for (const name of ['surface', 'inside', 'ground', 'back', 'right', 'up'] as const) gl.uniform3fv(at(name), look[name]);
      gl.bindVertexArray(this.#meshArray);
      gl.drawElements(gl.TRIANGLES, this.#corners, gl.UNSIGNED_INT, 0);
    }
    if (look.wireframe && this.#ends > 0) {
      const at = use(this.#lines);
      gl.uniform3fv(at('line'), look.line);
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.depthMask(false);
      gl.bindVertexArray(this.#lineArray);
      gl.drawArrays(gl.LINES, 0, this.#ends);
      gl.depthMask(true);
      gl.disable(gl.BLEND);
    }
    gl.bindVertexArray(null);
  }
}

function program(gl: WebGL2RenderingContext, vertex: string, fragment: string): WebGLProgram {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error('The device gave no shader.');
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(gl.getShaderInfoLog(shader) ?? 'A shader was refused.');
  }
  gl.linkProgram(made);
  return made;
}
