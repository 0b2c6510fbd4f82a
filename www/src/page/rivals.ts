// The part of the panel with other formats: what a PNG and a JPEG take for the same picture, when somebody asks.
//
// Every figure is measured in this browser, on this picture; what it was measured against stands below.

import type { NoJpeg, Rivals } from '../worker/protocol';
import type { TesseraViewer } from '../viewer';
import { bytes, decibels, integer } from '../viewer/text';
import { section, text } from './parts';

const REASONS: Readonly<Record<NoJpeg, string>> = {
  'no original': 'How large a JPEG of the same quality is can only be found against the original: compare with it, and measure again.',
  transparent: 'JPEG knows no transparency, so there is none to compare with.',
  'parts are missing': 'Parts of this rectangle are missing, so there is no JPEG of the same picture.',
  'no encoder': 'This browser does not write JPEG.',
};

export class RivalsSection {
  readonly #viewer: TesseraViewer;
  readonly #changed: () => void;
  #running: { readonly abort: AbortController; fraction: number } | null = null;
  #found: Rivals | null = null;
  /** The original that it was measured against. */
  #against = '';

  /** `changed` is called when there is something else to show. */
  constructor(viewer: TesseraViewer, changed: () => void) {
    this.#viewer = viewer;
    this.#changed = changed;
    for (const event of ['load', 'close'] as const) viewer.addEventListener(event, () => this.#forget());
    viewer.addEventListener('comparison', () => {
      if ((viewer.compareTool.original?.name ?? '') !== this.#against) this.#forget();
    });
  }

  #forget(): void {
    this.#running?.abort.abort();
    this.#running = null;
    this.#found = null;
  }

  async #measure(): Promise<void> {
    const running = { abort: new AbortController(), fraction: 0 };
    this.#running = running;
    // Its figures are those of a comparison that has ended.
    this.#against = this.#viewer.compareTool.original?.name ?? '';
    this.#changed();
    try {
      const found = await this.#viewer.rivals(running.abort.signal, (fraction) => {
        running.fraction = fraction;
        if (this.#running === running) this.#changed();
      });
      if (this.#running === running) this.#found = found;
    } catch (error) {
      if (this.#running === running) this.#viewer.report(error);
    }
    if (this.#running !== running) return;
    this.#running = null;
    this.#changed();
  }

  #button(label: string, act: () => void): HTMLButtonElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset['rivals'] = '';
    button.textContent = label;
    button.addEventListener('click', act);
    return button;
  }

  /** The section, where the open file has one. */
  render(): HTMLElement[] {
    const info = this.#viewer.file?.info;
    if (info?.kind !== 'picture') return [];
    const title = 'Beside PNG and JPEG';
    if (this.#running) {
      const words = text('p', `Measuring: ${Math.floor(this.#running.fraction * 100)} %`);
      words.className = 'note';
      const cancel = this.#button('Cancel', () => {
        this.#forget();
        this.#changed();
      });
      return [section(title, words, cancel)];
    }
    const start = this.#button(this.#found ? 'Measure again' : 'Measure sizes', () => void this.#measure());
    if (!this.#found) return [section(title, start)];
    const note = text('p', notes(this.#found, this.#against));
    note.className = 'note';
    return [section(title, sizes(this.#found, info.bytes), note, start)];
  }
}

/** Bytes, bits per pixel and PSNR of each; figures that were not measured stay empty. */
function sizes(found: Rivals, fileBytes: number): HTMLTableElement {
  const { original, jpeg } = found;
  const pixels = found.rows * found.columns;
  const row = (label: string, count: number, psnrDb: number | null = null) => [label, bytes(count), ((8 * count) / pixels).toFixed(2), psnrDb === null ? '' : decibels(psnrDb)];
  const lines = [
    ['', 'Size', 'Bits per pixel', original ? 'PSNR' : ''],
    row('This file', fileBytes, original?.psnrDb),
    ...(typeof jpeg === 'object' ? [row('JPEG', jpeg.bytes, jpeg.psnrDb)] : []),
    row('PNG of this', found.pngBytes),
    ...(original ? [row('PNG, original', original.pngBytes)] : []),
  ];
  const table = document.createElement('table');
  table.className = 'sizes';
  for (const [i, cells] of lines.entries()) {
    const line = table.insertRow();
    for (const [j, words] of cells.entries()) {
      const head = (i === 0 || j === 0) && words !== '';
      const cell = line.appendChild(document.createElement(head ? 'th' : 'td'));
      if (head) cell.setAttribute('scope', i === 0 ? 'col' : 'row');
      cell.textContent = words;
    }
  }
  return table;
}

function notes({ rows, columns, jpeg }: Rivals, against: string): string {
  const what = `This browser's own encoders, on ${integer(columns)} × ${integer(rows)} pixels.`;
  const png = 'A PNG loses nothing, but the one of this picture lacks what this file has lost.';
  if (typeof jpeg !== 'object') return `${what} ${png} ${REASONS[jpeg]}`;
  const found = jpeg.reached
    ? `The JPEG is the smallest of its 101 settings (${jpeg.quality} here) with at least this file's PSNR.`
    : `No setting of JPEG reaches this file's PSNR; the best one is shown.`;
  return `${what} ${png} ${found} Both PSNRs are against ${against}, over red, green and blue.`;
}
