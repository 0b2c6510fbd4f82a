// The page beside a program that is training: the field as it gets better, its curve, and the program's buttons.

import type { CompareView, TesseraViewer } from '../viewer';
import { layOut, type Point } from './curve';
import './live.css';

/** What the program tells; the answer of `live/state`. */
interface State {
  readonly name: string;
  readonly state: 'training' | 'paused' | 'finished';
  readonly step: number;
  readonly steps: number;
  readonly psnr_db: number | null;
  readonly seconds: number;
  /** Number of the newest snapshot; 0 before the first. */
  readonly snapshot: number;
  readonly has_original: boolean;
  readonly curve: readonly Point[];
  readonly finished: { readonly output: string; readonly psnr_db: number | null; readonly bytes: number } | null;
}

const POLL_MS = 500;
/** A comparison decodes the whole picture: not with every snapshot. */
const COMPARE_MS = 3000;
const [WIDTH, HEIGHT] = [240, 36];

const TEMPLATE = `
  <p class="live-text" aria-live="off"></p>
  <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img"><path vector-effect="non-scaling-stroke"/></svg>
  <div class="live-buttons">
    <button type="button" data-live="pause">Pause</button>
    <button type="button" data-live="finish">Finish now</button>
    <button type="button" data-live="compare" aria-pressed="false" hidden>Differences</button>
  </div>`;

/** Follows the program that serves this page. */
export function follow(viewer: TesseraViewer, before: Element): void {
  new Live(viewer, before).poll();
}

class Live {
  readonly #viewer: TesseraViewer;
  readonly #bar = document.createElement('section');
  #shown = 0;
  #comparedAt = 0;
  #original: Blob | null = null;
  #comparing = false;
  /** The view in which the comparison is to open. */
  #wantedView: CompareView | undefined;

  constructor(viewer: TesseraViewer, before: Element) {
    this.#viewer = viewer;
    this.#bar.className = 'live';
    this.#bar.setAttribute('aria-label', 'Training');
    this.#bar.innerHTML = TEMPLATE;
    before.before(this.#bar);
    this.#button('pause').addEventListener('click', () => void this.#press(this.#button('pause').dataset['does'] ?? 'pause'));
    this.#button('finish').addEventListener('click', () => void this.#press('finish'));
    this.#button('compare').addEventListener('click', () => void this.#toggleComparison());
    viewer.addEventListener('mode', () => {
      // The viewer falls back to its plain mode with every new file; leaving the comparison by hand ends it.
      if (viewer.mode !== 'compare' && !viewer.busy && !this.#refreshing) this.#setComparing(false);
    });
  }

  #refreshing = false;

  #button(name: string): HTMLButtonElement {
    return this.#bar.querySelector(`[data-live=${name}]`) as HTMLButtonElement;
  }

  readonly poll = async (): Promise<void> => {
    let again = true;
    try {
      const response = await fetch('live/state', { cache: 'no-store' });
      if (!response.ok) throw new Error(`${response.status}`);
      const state = (await response.json()) as State;
      this.#show(state);
      await this.#refresh(state);
      again = state.finished === null || this.#shown < state.snapshot;
    } catch {
      this.#bar.dataset['state'] = 'gone';
      this.#text('The program that trains does not answer any more. What it showed last stays here.');
      for (const button of this.#bar.querySelectorAll('button')) if (button.dataset['live'] !== 'compare') button.disabled = true;
      again = false;
    }
    if (again) setTimeout(this.poll, POLL_MS);
  };

  #text(text: string): void {
    (this.#bar.querySelector('.live-text') as HTMLElement).textContent = text;
  }

  #show(state: State): void {
    this.#bar.dataset['state'] = state.state;
    const psnr = (value: number | null) => (value === null ? '' : ` · ${value.toFixed(2)} dB`);
    if (state.finished) {
      this.#text(`Wrote ${state.finished.output}${psnr(state.finished.psnr_db)} · ${state.finished.bytes.toLocaleString('en')} bytes`);
    } else {
      const word = state.state === 'paused' ? 'Paused' : 'Training';
      this.#text(`${word} ${state.name} · step ${state.step} of ${state.steps}${psnr(state.psnr_db)} · ${Math.round(state.seconds)} s`);
    }
    const pause = this.#button('pause');
    const does = state.state === 'paused' ? 'resume' : 'pause';
    pause.dataset['does'] = does;
    pause.textContent = does === 'resume' ? 'Go on' : 'Pause';
    pause.disabled = this.#button('finish').disabled = state.finished !== null;
    this.#button('compare').hidden = !state.has_original;
    const curve = layOut(state.curve, state.finished ? state.step : state.steps, WIDTH, HEIGHT);
    const svg = this.#bar.querySelector('svg') as SVGElement;
    svg.querySelector('path')?.setAttribute('d', curve?.path ?? '');
    svg.setAttribute('aria-label', curve ? `PSNR over the steps, from ${curve.low} to ${curve.high} dB` : 'PSNR over the steps');
  }

  /** Opens the newest snapshot, unless the viewer is in use for something that it would disturb. */
  async #refresh(state: State): Promise<void> {
    const viewer = this.#viewer;
    // A picture that is never shown whole because the next one comes would be of no use.
    const shown = this.#shown === 0 || viewer.stage.complete;
    const idle = shown && !viewer.busy && (viewer.mode === 'view' || (viewer.mode === 'compare' && this.#comparing)) && !viewer.cropDetail?.selector;
    if (state.snapshot <= this.#shown || !idle) return;
    if (this.#comparing && performance.now() - this.#comparedAt < COMPARE_MS && !state.finished) return;
    const response = await fetch(`live/field.inr?${state.snapshot}`, { cache: 'no-store' });
    if (!response.ok) return;
    const blob = await response.blob();
    this.#refreshing = true;
    try {
      // Zoom and place stay where they are; without this a file opens whole.
      const view = this.#shown > 0 ? viewer.sharedView : null;
      viewer.sharedView = view;
      const name = `${state.name.replace(/\.[^.]+$/, '')}.inr`;
      if (await viewer.open({ blob, name })) this.#shown = state.snapshot;
      if (this.#comparing) await this.#compare();
    } finally {
      this.#refreshing = false;
    }
  }

  async #press(action: string): Promise<void> {
    // The header is one that no other site can make a browser send here.
    await fetch(`live/${action}`, { method: 'POST', headers: { 'X-Tessera': '1' } }).catch(() => {});
  }

  #setComparing(comparing: boolean): void {
    this.#comparing = comparing;
    this.#button('compare').setAttribute('aria-pressed', String(comparing));
  }

  async #toggleComparison(): Promise<void> {
    this.#setComparing(!this.#comparing);
    // Kept, not passed: a refresh on its way may be the one that opens the comparison.
    this.#wantedView = this.#comparing ? 'difference' : undefined;
    if (this.#comparing) await this.#compare();
    else this.#viewer.mode = 'view';
  }

  /** Compares with the original: first in the wanted view, then in the one that was chosen since. */
  async #compare(): Promise<void> {
    try {
      if (!this.#original) {
        const response = await fetch('live/original');
        if (!response.ok) return;
        this.#original = await response.blob();
      }
      if (await this.#viewer.compareWith(this.#original, 'original', this.#wantedView)) this.#wantedView = undefined;
      this.#comparedAt = performance.now();
      if (!this.#comparing) this.#viewer.mode = 'view';
    } catch (error) {
      this.#setComparing(false);
      this.#viewer.report(error);
    }
  }
}
