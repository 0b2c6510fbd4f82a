// The information panel: what the file is, where its bytes are, what network it holds, how fast and how good.

import type { TesseraViewer } from '../viewer';
import type { FileInfo, Quality } from '../worker/protocol';
import { bytes, decibels, duration, exactBytes, integer } from '../viewer/text';
import { list, type Row, section, text } from './parts';
import { RivalsSection } from './rivals';

const MODELS: Readonly<Record<string, string>> = { siren: 'SIREN', 'per-partition': 'SIREN per partition', 'local-global': 'Local-Global SIREN', latents: 'latent grids' };
const CHANNELS: Readonly<Record<number, string>> = { 1: 'grey', 2: 'grey and opacity', 3: 'RGB', 4: 'RGB and opacity' };
const FORMATS: Readonly<Record<string, string>> = { u8: '8 bit', u16: '16 bit', f32: 'float' };
const AMPLITUDE: Readonly<Record<number, string>> = { 1: 'mono', 2: 'stereo' };
const COLOURS: Readonly<Record<string, string>> = { srgb: 'sRGB', unknown: 'of a profile that was not kept', linear: 'linear light', none: 'none' };

export class Panel {
  readonly #viewer: TesseraViewer;
  readonly #panel: HTMLElement;
  readonly #toggle: HTMLButtonElement;
  readonly #rivals: RivalsSection;

  constructor(viewer: TesseraViewer, panel: HTMLElement, toggle: HTMLButtonElement) {
    this.#viewer = viewer;
    this.#panel = panel;
    this.#toggle = toggle;
    this.#rivals = new RivalsSection(viewer, () => this.#fill());
    toggle.addEventListener('click', () => this.show(panel.hidden === true));
    panel.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      this.show(false);
      toggle.focus();
    });
    for (const event of ['load', 'engine', 'timings', 'comparison', 'crop'] as const) viewer.addEventListener(event, () => this.#fill());
    viewer.addEventListener('load', () => {
      toggle.hidden = false;
      // On a phone the sheet would cover the picture that was just opened.
      this.show(matchMedia('(min-width: 720px)').matches);
    });
    viewer.addEventListener('close', () => {
      if (viewer.file) return;
      toggle.hidden = true;
      this.show(false);
    });
  }

  show(visible: boolean): void {
    this.#panel.hidden = !visible;
    this.#toggle.setAttribute('aria-expanded', String(visible));
  }

  #fill(): void {
    const { file, fileName } = this.#viewer;
    if (!file) return;
    const close = document.createElement('button');
    close.type = 'button';
    close.className = 'close';
    close.textContent = 'Close';
    close.addEventListener('click', () => {
      this.show(false);
      this.#toggle.focus();
    });
    const scroll = this.#panel.scrollTop;
    // What is filled anew keeps the place of who works it by keyboard.
    const active = document.activeElement as HTMLElement | null;
    const measuring = active?.dataset['rivals'] !== undefined;
    const focused = this.#panel.contains(active);
    this.#panel.replaceChildren(close, this.#file(file.info, fileName), this.#bytes(file.info), ...this.#rivals.render(), this.#network(file.info), this.#decoding(), ...this.#quality());
    this.#panel.scrollTop = scroll;
    if (focused) ((measuring && this.#panel.querySelector<HTMLElement>('[data-rivals]')) || close).focus();
  }

  #file(info: FileInfo, name: string): HTMLElement {
    const { region } = this.#viewer;
    const partial = info.present + info.empty < info.partitions;
    const colour = info.colour === 'none' ? '' : `, ${COLOURS[info.colour] ?? info.colour}`;
    const facts = list([
      ['Name', name],
      ['Kind', `${info.kind}${channels(info)}`],
      ...sizes(info),
      ...(partial ? [['Kept', kept(info)] as Row] : []),
      ['Source', `${FORMATS[info.format] ?? info.format}${colour}`],
      ['Bytes', integer(info.bytes)],
      [`Bits per ${sample(info)}`, info.bits_per_sample.toFixed(3)],
      ['Format', `version ${info.version}`],
      ...(region ? [['Read', `${bytes(region.bytes)} of ${bytes(region.of)} in ${region.requests} ${region.requests === 1 ? 'request' : 'requests'}`] as Row] : []),
    ]);
    if (!region) return section('File', facts);
    const whole = document.createElement('button');
    whole.type = 'button';
    whole.textContent = 'Open the whole file';
    whole.addEventListener('click', () => this.#viewer.openWhole());
    return section('File', facts, whole);
  }

  #bytes(info: FileInfo): HTMLElement {
    const one = info.present === 1;
    const [shared, local] = isLatents(info) ? ['Synthesis network', one ? 'pyramid of latents' : 'pyramids of latents'] : ['Global network', one ? 'local network' : 'local networks'];
    const parts = [
      ['head', 'Header and index', info.head_bytes],
      ['global', shared, info.shared_bytes],
      ['local', `${integer(info.present)} ${local}`, info.local_bytes],
    ] as const;
    const bar = document.createElement('div');
    bar.className = 'bytes-bar';
    bar.setAttribute('role', 'img');
    bar.setAttribute('aria-label', parts.map(([, label, size]) => `${label} ${Math.round((100 * size) / info.bytes)} %`).join(', '));
    const key = document.createElement('ul');
    key.className = 'key';
    for (const [kind, label, size] of parts) {
      if (size === 0) continue;
      const piece = document.createElement('i');
      piece.className = `part-${kind}`;
      piece.style.setProperty('flex', `${size} 0 0`);
      piece.title = `${label}: ${exactBytes(size)}`;
      bar.append(piece);
      const item = document.createElement('li');
      const swatch = document.createElement('i');
      swatch.className = `part-${kind}`;
      item.append(swatch, text('span', label), text('span', bytes(size)));
      key.append(item);
    }
    return section('Bytes', bar, key);
  }

  #network(info: FileInfo): HTMLElement {
    const parts = [...info.partitions_shape].reverse().map(integer).join(' × ');
    const trained = info.training as { program?: string; steps?: number; seed?: string; psnr_db?: number | null };
    return section('Network', list([
      ['Model', MODELS[info.model] ?? info.model],
      ['Parts', info.present < info.partitions ? `${integer(info.present)} of ${parts}` : parts],
      ...(info.empty > 0 ? [['Empty parts', integer(info.empty)] as Row] : []),
      ...(info.blend.length > 0 ? [['Blended', `within ${[...info.blend].reverse().map(integer).join(' × ')} samples of borders`] as Row] : []),
      ...widths(info),
      ['Parameters', integer(info.parameters)],
      ['Multiply-adds', `${integer(info.macs_per_sample)} per ${sample(info)}`],
      ['Weights', info.coding],
      ...(trained.steps ? [['Trained', `${integer(trained.steps)} steps, seed ${trained.seed ?? '?'}`] as Row] : []),
      ...(typeof trained.psnr_db === 'number' ? [['At training', decibels(trained.psnr_db)] as Row] : []),
      ...(trained.program ? [['Made by', trained.program] as Row] : []),
    ]));
  }

  #decoding(): HTMLElement {
    const { engine, timings } = this.#viewer;
    const rows: Row[] = [['Engine', engine.engine]];
    if (timings) {
      rows.push(['Reading', duration(timings.bytes)], ['Checking', duration(timings.open)]);
      if (timings.firstPicture !== null) rows.push(['First look', duration(timings.firstPicture)]);
      if (timings.fullQuality !== null) rows.push(['Full quality', duration(timings.fullQuality)]);
    }
    const reason = text('p', engine.reason);
    reason.className = 'note';
    return section('Decoding', list(rows), reason);
  }

  #quality(): HTMLElement[] {
    const { compareTool } = this.#viewer;
    if (!compareTool.original || !compareTool.result) return [];
    const rows = (label: string, q: Quality | null): Row[] =>
      q ? [[`${label} PSNR`, decibels(q.psnrDb)], [`${label} SSIM`, q.ssim === null ? 'parts are missing' : q.ssim.toFixed(4)]] : [];
    return [section('Quality', list([['Original', compareTool.original.name], ...rows('Whole', compareTool.result.whole), ...rows('Visible', compareTool.visible)]))];
  }
}

function isLatents(info: FileInfo): boolean {
  return info.model === 'latents';
}

function widths(info: FileInfo): Row[] {
  const layers: Row = ['Hidden layers', integer(info.hidden_layers)];
  if (isLatents(info)) return [['Levels', integer(info.local_width)], ['Width', integer(info.global_width)], layers];
  const { first_omega: first, hidden_omega: hidden } = info;
  return [
    ...(info.local_width > 0 ? [['Local width', integer(info.local_width)] as Row] : []),
    ...(info.global_width > 0 ? [['Global width', integer(info.global_width)] as Row] : []),
    layers,
    ['Omega', first === hidden ? short(first) : `${short(first)}, then ${short(hidden)}`],
  ];
}

function sample(info: FileInfo): string {
  return { picture: 'pixel', video: 'pixel', sound: 'sample', shape: 'voxel' }[info.kind];
}

function channels(info: FileInfo): string {
  if (info.kind === 'shape') return '';
  const known = info.kind === 'sound' ? AMPLITUDE : CHANNELS;
  return `, ${known[info.channels] ?? `${info.channels} channels`}`;
}

/** How much there is of it, along time and in space. */
function sizes(info: FileInfo): Row[] {
  const [first = 0] = info.shape;
  const rate = info.rate[0] / info.rate[1];
  const size: Row = ['Size', [...info.shape].reverse().map(integer).join(' × ')];
  const length: Row[] = rate > 0 ? [['Length', `${(first / rate).toFixed(2)} s`]] : [];
  if (info.kind === 'sound') return [...length, ['Samples', integer(first)], ['Rate', rate > 0 ? `${integer(rate)} per second` : 'unknown']];
  return info.kind === 'video' ? [size, ...length, ['Rate', rate > 0 ? `${Number(rate.toFixed(3))} per second` : 'unknown']] : [size];
}

/** The bounding box of what is present. */
function kept(info: FileInfo): string {
  const rate = info.rate[0] / info.rate[1];
  if (info.kind === 'sound' && rate > 0) {
    const [start, end] = info.bounds[0] ?? [0, 0];
    return `${(start / rate).toFixed(2)} to ${(end / rate).toFixed(2)} s`;
  }
  const axes = [...info.bounds].reverse();
  return `${axes.map(([start, end]) => integer(end - start)).join(' × ')} at ${axes.map(([start]) => integer(start)).join(', ')}`;
}

/** At most four digits: a float's own are noise. */
function short(value: number): string {
  return `${Number(value.toPrecision(4))}`;
}
