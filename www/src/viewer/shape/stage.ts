// The shape's stage: the surface of the field, drawn from all sides, cut open, and cropped by a box.
//
// The field is sampled on grids from coarse to fine and the surface of each is drawn when it comes (in the Worker, on
// WebGPU where there is one). Following rays through the field on the device was the alternative: it looks the same,
// needs a device, and works again for every frame.

import type { Mode } from '../../state/url';
import { colourOf } from '../colours';
import { croppedName } from '../crop-model';
import { type Opened, replaces, type Saved, type Stage, type StageHost } from '../stage';
import { exactBytes, integer } from '../text';
import { Camera, FIELD, project, type Vector } from './camera';
import { type Colour, type Look, type Mesh, partitionAt, type Renderer, wireframe } from './draw';
import { OrbitGestures } from './gestures';
import { STAGE, TOOLBAR } from './markup';
import { hit, obj, passes, surface } from './mesh';
import { corners, SpaceRegion } from './region';
import styles from './shape.css?inline';
import { SoftwareRenderer } from './software';
import { WebGlRenderer } from './webgl';


export class ShapeStage implements Stage {
  readonly element: HTMLElement;
  readonly toolbar: HTMLElement;
  readonly modes: readonly Mode[] = ['crop'];
  readonly exportLabel = 'Save OBJ';
  readonly camera = new Camera();
  readonly #host: StageHost;
  readonly #region: SpaceRegion;
  readonly #gestures: OrbitGestures;
  #renderer: Renderer;
  #opened: Opened | null = null;
  #mesh: Mesh | null = null;
  #work: AbortController | null = null;
  #done = 0;
  #passes = 0;
  #kept = new Uint8Array();
  #present = new Uint8Array();
  #section = false;
  #wireframe = false;
  #ratio = 1;
  #frame = 0;
  #colours = { surface: [0.72, 0.68, 0.62] as Colour, inside: [0.66, 0.25, 0.04] as Colour, ground: [1, 1, 1] as Colour, line: [0, 0, 0] as Colour };

  constructor(host: StageHost) {
    this.#host = host;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    host.root.adoptedStyleSheets = [...host.root.adoptedStyleSheets, sheet];
    host.frame.insertAdjacentHTML('afterbegin', STAGE);
    this.element = host.frame.querySelector('.stage.shape') as HTMLElement;
    host.root.querySelector('.bar')?.insertAdjacentHTML('afterbegin', TOOLBAR);
    this.toolbar = host.root.querySelector('.bar > .solid') as HTMLElement;
    this.#renderer = this.#makeRenderer();
    this.#region = new SpaceRegion(this.element.querySelector('.handles') as HTMLElement, host.crop, {
      // Handles speak of sample edges, the scene of samples.
      project: ([x, y, z]) => {
        const { clientWidth, clientHeight } = this.element;
        return project(this.camera.matrix(clientWidth / Math.max(1, clientHeight)), [x - 0.5, y - 0.5, z - 0.5], clientWidth, clientHeight);
      },
      say: (text) => host.say(text),
    });
    this.#gestures = new OrbitGestures(this.element, this.camera, {
      moved: () => this.#moved(),
      tap: (event, x, y) => this.#tap(event, x, y),
    });
    this.#place.addEventListener('input', () => {
      this.#section = true;
      this.#host.refresh();
      this.#invalidate();
    });
    this.#axisField.addEventListener('change', () => {
      this.#section = true;
      this.#resetSection();
      this.#host.refresh();
      this.#invalidate();
    });
  }

  #makeRenderer(): Renderer {
    const canvas = this.element.querySelector('canvas.scene') as HTMLCanvasElement;
    const renderer = WebGlRenderer.create(canvas) ?? SoftwareRenderer.create(canvas);
    if (!renderer) throw new Error('The browser gave no canvas to draw a shape on.');
    canvas.addEventListener('contextrestored', () => this.#invalidate());
    canvas.addEventListener('webglcontextlost', (event) => {
      // A lost context is not waited for: it may never come back.
      event.preventDefault();
      const fresh = canvas.cloneNode() as HTMLCanvasElement;
      canvas.replaceWith(fresh);
      this.#renderer = this.#makeRenderer();
      if (this.#opened) this.#renderer.setGrid(this.#opened.grid);
      this.#renderer.setMesh(this.#mesh);
      this.cropChanged();
    });
    return renderer;
  }

  get #place(): HTMLInputElement {
    return this.toolbar.querySelector('input.section-place') as HTMLInputElement;
  }
  get #axisField(): HTMLSelectElement {
    return this.toolbar.querySelector('select.section-axis') as HTMLSelectElement;
  }
  /** What draws: WebGL, or the CPU. */
  get renderer(): string {
    return this.#renderer.name;
  }
  /** The surface on the screen, in samples of the canvas. */
  get mesh(): Mesh | null {
    return this.#mesh;
  }
  get complete(): boolean {
    return this.#opened === null || (this.#done === this.#passes && this.#frame === 0);
  }

  open(opened: Opened): void {
    const again = replaces(opened, this.#opened);
    this.close();
    this.#opened = opened;
    this.#present = new Uint8Array(opened.grid.count);
    for (const part of opened.file.present) this.#present[part] = 1;
    this.#kept = this.#present.slice();
    this.#renderer.setGrid(opened.grid);
    if (!again) {
      this.#section = false;
      this.#wireframe = false;
      this.#renderer.setMesh(null);
      this.camera.yaw = 0.6;
      this.camera.pitch = 0.35;
      this.#resetSection();
      this.fit();
    }
    this.#sample();
  }

  close(): void {
    this.#work?.abort();
    this.#work = null;
    this.#opened = null;
    this.#mesh = null;
  }

  reopened(): void {
    if (this.#done < this.#passes) this.#sample();
  }

  /** Asks for the surface, pass by pass. */
  #sample(): void {
    this.#work?.abort();
    const work = new AbortController();
    this.#work = work;
    const opened = this.#opened;
    if (!opened) return;
    const planned = passes(opened.file.info);
    this.#passes = planned.length;
    this.#done = 0;
    this.#host.quality(0, this.#passes);
    const next = async () => {
      for (const sampling of planned) {
        const mesh = await surface(this.#host.decoder, opened, sampling, null, { signal: work.signal });
        if (this.#opened !== opened || work.signal.aborted) return;
        this.#mesh = mesh;
        this.#renderer.setMesh(mesh);
        this.#paint();
        this.#host.firstShown();
        this.#done += 1;
        this.#host.quality(this.#done, this.#passes);
      }
    };
    next().catch((error: unknown) => {
      if (this.#opened === opened && !work.signal.aborted) this.#host.report(error);
    });
  }

  resize(ratio: number): void {
    const { clientWidth, clientHeight } = this.#host.frame;
    const { canvas } = this.#renderer;
    const [width, height] = [Math.max(1, Math.round(clientWidth * ratio)), Math.max(1, Math.round(clientHeight * ratio))];
    if (canvas.width === width && canvas.height === height && this.#ratio === ratio) return;
    this.#ratio = ratio;
    Object.assign(canvas, { width, height });
    this.#paint();
  }

  readColours(): void {
    const { frame } = this.#host;
    const probe = (property: string): Colour => {
      const context = new OffscreenCanvas(1, 1).getContext('2d') as OffscreenCanvasRenderingContext2D;
      context.fillStyle = colourOf(frame, property);
      context.fillRect(0, 0, 1, 1);
      const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
      return [red / 255, green / 255, blue / 255];
    };
    const accent = probe('--_accent');
    const ground = probe('--_ground');
    const dark = ground[0] < 0.5;
    this.#colours = { surface: dark ? [0.86, 0.83, 0.79] : [0.8, 0.77, 0.72], inside: accent, ground, line: probe('--_text') };
    this.#invalidate();
  }

  visibility(hidden: boolean): void {
    if (!hidden) this.#invalidate();
  }

  modeChanged(): void {
    this.element.classList.toggle('cropping', this.#host.mode === 'crop');
    this.#invalidate();
    this.#region.layout();
  }

  cropChanged(): void {
    const opened = this.#opened;
    if (!opened) return;
    const kept = this.#host.crop.grid === opened.grid ? this.#host.crop.kept : opened.file.present;
    this.#kept.fill(0);
    for (const part of kept) this.#kept[part] = 1;
    this.#renderer.setKept(this.#kept, wireframe(opened.grid, [...kept, ...this.#region.partitions()]));
    this.#invalidate();
    this.#region.layout();
  }

  /** What is kept, as two corners in samples. */
  #bounds(kept: boolean): { low: Vector; high: Vector } {
    const opened = this.#opened as Opened;
    const parts = kept && this.#host.crop.kept.length > 0 ? this.#host.crop.kept : opened.file.present;
    const { low, high } = corners(opened.grid.boundsOf(parts), opened.grid);
    return { low: low.map((v) => v - 0.5) as unknown as Vector, high: high.map((v) => v - 0.5) as unknown as Vector };
  }

  fit(): void {
    if (!this.#opened) return;
    const { low, high } = this.#bounds(this.#host.crop.state.applied && this.#host.crop.grid === this.#opened.grid);
    this.camera.fit(low, high, this.element.clientWidth / Math.max(1, this.element.clientHeight));
    this.#moved();
  }
  place(): void {
    if (!this.#opened) return;
    const { low, high } = this.#bounds(false);
    this.#region.put(low.map((v) => v + 0.5) as unknown as Vector, high.map((v) => v + 0.5) as unknown as Vector);
  }
  focusRegion(): void {
    this.#region.layout();
    this.#region.focusFirst();
  }
  cancelDrag(): boolean {
    return this.#gestures.cancel();
  }

  #resetSection(): void {
    if (!this.#opened) return;
    const axis = Number(this.#axisField.value) as 0 | 1 | 2;
    const { low, high } = this.#bounds(false);
    Object.assign(this.#place, { min: String(low[axis]), max: String(high[axis]) });
    this.#place.value = String((low[axis] + high[axis]) / 2);
  }

  act(action: string): boolean {
    switch (action) {
      case 'in': this.camera.zoom(1.25); this.#moved(); break;
      case 'out': this.camera.zoom(0.8); this.#moved(); break;
      case 'fit': this.fit(); break;
      case 'wireframe': this.#wireframe = !this.#wireframe; break;
      case 'section':
        this.#section = !this.#section;
        this.#host.say(this.#section ? 'Section.' : 'Whole.');
        break;
      default: return false;
    }
    this.refresh();
    this.#invalidate();
    return true;
  }

  key(event: KeyboardEvent, focused: boolean): boolean {
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (arrow && focused) {
      const [right = 0, up = 0] = arrow;
      if (event.shiftKey) this.camera.pan(-right * 0.08, -up * 0.08);
      else this.camera.orbit(-right * 0.15, -up * -0.15);
      this.#moved();
      return true;
    }
    switch (event.key.toLowerCase()) {
      case '+': case '=': return this.act('in');
      case '-': case '_': return this.act('out');
      case '0': return this.act('fit');
      case 'g': return this.act('wireframe');
      case 'k': return this.act('section');
      default: return false;
    }
  }

  refresh(): void {
    const press = (action: string, on: boolean) => this.toolbar.querySelector(`[data-action="${action}"]`)?.setAttribute('aria-pressed', String(on));
    press('wireframe', this.#wireframe);
    press('section', this.#section);
    const share = ((Number(this.#place.value) - Number(this.#place.min)) / Math.max(1e-9, Number(this.#place.max) - Number(this.#place.min))) * 100;
    this.#place.setAttribute('aria-valuetext', `${Math.round(share)} %`);
  }

  describe(): { what: string; help: string } {
    const info = this.#opened?.file.info;
    if (!info) return { what: '', help: '' };
    const help = this.#host.mode === 'crop'
      ? 'Tab reaches the handles of the box, arrow keys move them, Page Up and Page Down along Z. A click takes a part. Enter places a region, Escape leaves.'
      : 'Arrow keys turn it, with Shift they move it, plus and minus zoom, K cuts it open, G shows the partitions, C crops.';
    const empty = info.empty > 0 ? `, ${integer(info.empty)} of them empty` : '';
    return { what: `a shape of ${info.shape.map(integer).join(' by ')} samples in ${integer(info.partitions)} parts${empty}, ${exactBytes(info.bytes)}.`, help };
  }

  /** An OBJ of what is kept, from the stored samples. */
  async export(progress: (fraction: number) => void): Promise<Saved> {
    const opened = this.#opened;
    if (!opened) throw new Error('No file is open.');
    const kept = this.#host.crop.kept;
    const { low, high } = corners(opened.grid.boundsOf(kept), opened.grid);
    const [edges, shape] = [[0, 1, 2].flatMap((a) => [low[a] ?? 0, high[a] ?? 0]), [0, 1, 2].map((a) => (high[a] ?? 0) - (low[a] ?? 0))];
    const mesh = await surface(this.#host.decoder, opened, { edges, shape }, kept, { progress });
    const whole = kept.length === opened.file.present.length;
    return { name: whole ? `${opened.name.replace(/\.inr$/i, '')}.obj` : croppedName(opened.name, 'obj'), blob: obj(mesh, opened.file.info) };
  }

  /** A click takes the part of the surface under it. */
  #tap(event: PointerEvent, x: number, y: number): void {
    const { crop } = this.#host;
    const opened = this.#opened;
    if (!crop.active || !opened || !this.#mesh) return;
    const { clientWidth: width, clientHeight: height } = this.element;
    const { eye, right, up, back } = this.camera;
    const half = Math.tan(FIELD / 2);
    const [across, above] = [((2 * x) / width - 1) * half * (width / height), (1 - (2 * y) / height) * half];
    const ray = [0, 1, 2].map((a) => (right[a] as number) * across + (up[a] as number) * above - (back[a] as number));
    const section = this.#look().section;
    const at = hit(this.#mesh, eye, ray, (point) => !section || point[section.axis] <= section.at);
    if (!at) return;
    const box = opened.grid.partition(partitionAt(opened.grid, at));
    crop.push(crop.withBox(box, crop.modeOf(event)));
  }

  #moved(): void {
    this.#host.moved(1 / this.camera.distance);
    this.#invalidate();
  }

  #invalidate(): void {
    this.#frame ||= requestAnimationFrame(() => this.#paint());
  }

  #look(): Look {
    const { canvas } = this.#renderer;
    const axis = Number(this.#axisField.value) as 0 | 1 | 2;
    const { back, right, up } = this.camera;
    return {
      matrix: this.camera.matrix(canvas.width / Math.max(1, canvas.height)), back, right, up,
      applied: this.#host.crop.state.applied,
      section: this.#section ? { axis, at: Number(this.#place.value) } : null,
      wireframe: this.#wireframe || this.#host.mode === 'crop',
      ...this.#colours,
    };
  }

  #paint(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (!this.#opened) return;
    this.#renderer.draw(this.#look());
    this.#region.layout();
  }

  /** What the screen shows now, in device pixels. */
  pixels(): ImageData {
    this.#paint();
    const { canvas } = this.#renderer;
    const context = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d') as OffscreenCanvasRenderingContext2D;
    // In the same task as the drawing: afterwards the browser may take the picture of WebGL away.
    context.drawImage(canvas, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  }
}
