// Controls of pictures alone: the zoom field, the divider and figures of a comparison, the words of an inspected part.

import type { Quality } from '../../worker/protocol';
import { decibels, parsePercent } from '../text';
import type { PictureStage } from './stage';

export class PictureControls {
  readonly #stage: PictureStage;
  #comparing: number | null = null;

  constructor(stage: PictureStage) {
    this.#stage = stage;
    stage.host.root.addEventListener('keyup', (event) => {
      if ((event as KeyboardEvent).key === ' ') stage.gestures.spaceHeld = false;
    });
    const zoom = this.#get<HTMLInputElement>('input.zoom');
    zoom.addEventListener('change', () => {
      const scale = parsePercent(zoom.value);
      if (scale !== null) stage.screen.zoom(scale);
      zoom.value = stage.zoomText;
    });
    zoom.addEventListener('focus', () => zoom.select());
    const original = this.#get<HTMLInputElement>('.original-file');
    original.addEventListener('change', () => {
      const file = original.files?.[0];
      if (file) stage.compareWith(file, file.name).catch((error: unknown) => stage.host.report(error));
      original.value = '';
    });
    this.#divider();
    stage.inspectTool.changed = (spoken) => this.#inspected(spoken);
  }

  #get<E extends HTMLElement>(selector: string): E {
    return this.#stage.host.root.querySelector(selector) as E;
  }

  chooseOriginal(): void {
    this.#get<HTMLInputElement>('.original-file').click();
  }

  refresh(): void {
    const { screen, compareTool, overlay, host, opened } = this.#stage;
    const zoom = this.#get<HTMLInputElement>('input.zoom');
    if (host.root.activeElement !== zoom || !opened) zoom.value = this.#stage.zoomText;
    for (const button of host.root.querySelectorAll<HTMLButtonElement>('[data-action]')) {
      const { action, value } = button.dataset;
      const press = (on: boolean) => button.setAttribute('aria-pressed', String(on));
      if (action === 'nearest') press(screen.nearest);
      if (action === 'compare-view') press(compareTool.view === value);
      if (action === 'tint') press(overlay.tint !== null);
      if (action === 'swap') button.hidden = compareTool.view !== 'flicker';
      if (action === 'swap' || action === 'compare-view') button.disabled = compareTool.original === null;
      if (action === 'tint') button.disabled = compareTool.result === null;
    }
    this.#stage.element.classList.toggle('cropping', host.mode === 'crop');
    this.#stage.element.classList.toggle('inspecting', host.mode === 'inspect');
    this.#get('.legend').hidden = overlay.tint === null;
    this.#figures();
    this.layout();
  }

  /** Puts the divider and the tags in place. */
  layout(): void {
    const { compareTool, host } = this.#stage;
    const divider = this.#get('.divider');
    const flickers = host.mode === 'compare' && compareTool.original !== null && compareTool.view === 'flicker';
    divider.hidden = !compareTool.divides;
    this.#get('.tag.left').hidden = !compareTool.divides && !(flickers && compareTool.showsOriginal);
    this.#get('.tag.right').hidden = !compareTool.divides && !(flickers && !compareTool.showsOriginal);
    divider.style.setProperty('left', `${compareTool.split * 100}%`);
    divider.setAttribute('aria-valuenow', String(Math.round(compareTool.split * 100)));
  }

  /** Progress of a comparison; `null` when it is over. */
  comparing(fraction: number | null): void {
    this.#comparing = fraction;
    this.#figures();
  }

  #figures(): void {
    const { compareTool } = this.#stage;
    const figure = (label: string, q: Quality | null) => (q ? `${label} ${decibels(q.psnrDb)}${q.ssim === null ? '' : `, SSIM ${q.ssim.toFixed(4)}`}` : '');
    let text = '';
    if (!compareTool.original) text = 'Drop the original picture here, or choose it.';
    else if (this.#comparing !== null) text = `Decoding every sample: ${Math.floor(this.#comparing * 100)} %`;
    else if (compareTool.result) text = [figure('Whole', compareTool.result.whole), figure('Visible', compareTool.visible)].filter(Boolean).join(' · ');
    const output = this.#get('.figures');
    if (output.textContent !== text) output.textContent = text;
  }

  #inspected(spoken: boolean): void {
    const { inspected } = this.#stage.inspectTool;
    const tip = this.#get('.tip');
    tip.hidden = inspected === null;
    const words = inspected ? inspected.text.replaceAll('\n', ', ') : 'Point at a partition, or move with the arrow keys.';
    this.#get('.inspected').textContent = words;
    if (!inspected) return;
    tip.textContent = inspected.text;
    const box = this.#stage.element.getBoundingClientRect();
    const x = Math.max(8, Math.min(inspected.x + 8, box.width - tip.offsetWidth - 8));
    const y = Math.max(8, Math.min(inspected.y, box.height - tip.offsetHeight - 8));
    tip.style.setProperty('transform', `translate(${x}px, ${y}px)`);
    if (spoken) this.#stage.host.say(words);
  }

  #divider(): void {
    const divider = this.#get('.divider');
    const { compareTool, screen, element } = this.#stage;
    const set = (split: number) => {
      compareTool.split = Math.min(1, Math.max(0, split));
      this.layout();
      screen.invalidate();
    };
    divider.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      divider.focus();
      divider.setPointerCapture(event.pointerId);
    });
    divider.addEventListener('pointermove', (event) => {
      if (!divider.hasPointerCapture(event.pointerId)) return;
      const box = element.getBoundingClientRect();
      set((event.clientX - box.left) / box.width);
    });
    divider.addEventListener('keydown', (event) => {
      const step = event.shiftKey ? 0.1 : 0.01;
      const to = { ArrowLeft: compareTool.split - step, ArrowRight: compareTool.split + step, Home: 0, End: 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      set(to);
    });
  }
}
