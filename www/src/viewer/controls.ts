// Buttons, fields, keys and words of the element: everything that a person touches besides the picture itself.

import type { Mode } from '../state/url';
import { ARROWS, type DragMode } from './crop-tool';
import type { TesseraViewer } from './element';
import type { CropDetail, ProgressDetail } from './events';
import type { CompareView } from './compare';
import type { Snap } from './grid';
import { bytes, decibels, exactBytes, integer, parsePercent, percent, sizeLine } from './text';
import { nextScale } from './transform';
import type { Trouble } from './trouble';
import type { Quality } from '../worker/protocol';

/** The size line is spoken when it has rested this long: not every step of a drag. */
const SPEAK_MS = 600;

export class Controls {
  readonly #viewer: TesseraViewer;
  readonly #root: ShadowRoot;
  readonly #stage: HTMLElement;
  readonly #live: HTMLElement;
  #speaking: ReturnType<typeof setTimeout> | undefined;
  #answer: ((yes: boolean) => void) | null = null;
  #comparing: number | null = null;

  constructor(viewer: TesseraViewer, root: ShadowRoot) {
    this.#viewer = viewer;
    this.#root = root;
    this.#stage = this.#get('.stage');
    this.#live = this.#get('p[role="status"]');
    root.addEventListener('click', (event) => this.#click(event));
    viewer.addEventListener('keydown', (event) => this.key(event));
    viewer.addEventListener('keyup', (event) => {
      if (event.key === ' ') viewer.gestures.spaceHeld = false;
    });
    const zoom = this.#get<HTMLInputElement>('input.zoom');
    zoom.addEventListener('change', () => {
      const scale = parsePercent(zoom.value);
      if (scale !== null) viewer.screen.zoom(scale);
      zoom.value = percent(viewer.screen.view.scale);
    });
    zoom.addEventListener('focus', () => zoom.select());
    const selector = this.#get<HTMLInputElement>('input.selector');
    selector.addEventListener('change', () => void this.#select(selector));
    const original = this.#get<HTMLInputElement>('.original-file');
    original.addEventListener('change', () => {
      const file = original.files?.[0];
      if (file) viewer.compareWith(file, file.name).catch((error: unknown) => viewer.report(error));
      original.value = '';
    });
    this.#divider();
    viewer.inspectTool.changed = (spoken) => this.#inspected(spoken);
    this.opened();
  }

  #get<E extends HTMLElement>(selector: string): E {
    return this.#root.querySelector(selector) as E;
  }
  #all(selector: string): HTMLElement[] {
    return [...this.#root.querySelectorAll<HTMLElement>(selector)];
  }

  /** Says something to a screen reader. */
  say(text: string): void {
    clearTimeout(this.#speaking);
    this.#live.textContent = text;
  }

  /** A file was opened or closed. */
  opened(): void {
    const file = this.#viewer.file;
    this.#stage.classList.toggle('filled', file !== null);
    this.#stage.tabIndex = file ? 0 : -1;
    this.#get('.poster').hidden = file !== null;
    this.#get('.stage').hidden = file === null;
    this.#get('.bar').hidden = file === null;
    for (const button of this.#all('.bar button, .bar input')) (button as HTMLButtonElement).disabled = file === null;
    if (!file) this.#size('', '', null);
    this.progress(null, !this.#viewer.busy);
    this.refresh();
  }

  /** Brings every control into line with the state. */
  refresh(): void {
    const { file, screen, mode, cropTool, compareTool } = this.#viewer;
    const zoom = this.#get<HTMLInputElement>('input.zoom');
    if (this.#root.activeElement !== zoom || !file) zoom.value = file ? percent(screen.view.scale) : '';
    const state = cropTool.state;
    const nothing = file !== null && cropTool.kept.length === 0;
    for (const button of this.#all('[data-action]') as HTMLButtonElement[]) {
      const { action, value } = button.dataset;
      const press = (on: boolean) => button.setAttribute('aria-pressed', String(on));
      if (action === 'crop' || action === 'compare' || action === 'inspect') press(mode === action);
      if (action === 'nearest') press(screen.nearest);
      if (action === 'drag') press(cropTool.mode === value);
      if (action === 'snap') press(state.snap === value);
      if (action === 'compare-view') press(compareTool.view === value);
      if (action === 'tint') press(this.#viewer.overlay.tint !== null);
      if (action === 'undo') button.disabled = !cropTool.canUndo;
      if (action === 'redo') button.disabled = !cropTool.canRedo;
      if (action === 'keep' || action === 'save-inr' || action === 'save-png') button.disabled = file === null || nothing;
      if (action === 'swap') button.hidden = compareTool.view !== 'flicker';
      if (action === 'swap' || action === 'compare-view') button.disabled = compareTool.original === null;
      if (action === 'tint') button.disabled = compareTool.result === null;
    }
    for (const strip of this.#all('.options')) strip.hidden = file === null || strip.dataset['mode'] !== mode;
    this.#stage.classList.toggle('cropping', mode === 'crop');
    this.#stage.classList.toggle('inspecting', mode === 'inspect');
    this.#get('.legend').hidden = this.#viewer.overlay.tint === null;
    this.#figures();
    this.layout();
    this.#describe();
  }

  /** Puts the divider and the tags in place. */
  layout(): void {
    const { compareTool, mode } = this.#viewer;
    const divider = this.#get('.divider');
    const flickers = mode === 'compare' && compareTool.original !== null && compareTool.view === 'flicker';
    divider.hidden = !compareTool.divides;
    this.#get('.tag.left').hidden = !compareTool.divides && !(flickers && compareTool.showsOriginal);
    this.#get('.tag.right').hidden = !compareTool.divides && !(flickers && !compareTool.showsOriginal);
    divider.style.setProperty('left', `${compareTool.split * 100}%`);
    divider.setAttribute('aria-valuenow', String(Math.round(compareTool.split * 100)));
  }

  #describe(): void {
    const { file, fileName, mode } = this.#viewer;
    const text = this.#get('#description');
    if (!file) {
      text.textContent = 'No file is open.';
      return;
    }
    const [rows, columns] = file.info.shape;
    const size = `${fileName}: a picture of ${columns} by ${rows} samples in ${integer(file.info.partitions)} parts, ${exactBytes(file.info.bytes)}.`;
    const help = {
      view: 'Arrow keys move, plus and minus zoom, C crops, V compares, X inspects, question mark lists all keys.',
      crop: 'Tab reaches the handles, arrow keys move them. Enter places a region, I inverts, Escape leaves.',
      compare: 'F flickers, D shows the difference, L the slider. Escape leaves.',
      inspect: 'Arrow keys go from part to part. Escape leaves.',
    }[mode];
    const words = `${size} ${help}`;
    if (text.textContent !== words) text.textContent = words;
  }

  #size(strong: string, exact: string, detail: CropDetail | null): void {
    const line = this.#get('.size');
    (line.querySelector('strong') as HTMLElement).textContent = strong;
    (line.querySelector('.exact') as HTMLElement).textContent = exact;
    line.dataset['bytes'] = detail ? String(detail.croppedBytes) : '';
    line.dataset['kept'] = detail ? String(detail.kept) : '';
  }

  /** Shows and, when it has come to rest, speaks the size line. */
  size(detail: CropDetail): void {
    const text = detail.kept === 0 ? `0 of ${integer(detail.present)} parts: nothing is kept` : sizeLine(detail.kept, detail.present, detail.bytes, detail.croppedBytes);
    this.#size(text, detail.kept === 0 ? '' : exactBytes(detail.croppedBytes), detail);
    const selector = this.#get<HTMLInputElement>('input.selector');
    if (this.#root.activeElement !== selector) {
      selector.value = detail.selector ?? '';
      selector.removeAttribute('aria-invalid');
    }
    clearTimeout(this.#speaking);
    if (this.#viewer.mode === 'crop' || detail.selector) this.#speaking = setTimeout(() => (this.#live.textContent = text), SPEAK_MS);
    this.refresh();
  }

  /** Progress of opening (three stages) or of refining the view; `null` without a stage resets. */
  progress(detail: ProgressDetail | null, hide = false): void {
    const panel = this.#get('.progress');
    if (!detail) {
      panel.hidden = hide;
      panel.classList.remove('slight');
      for (const label of this.#all('.progress label')) this.#stageProgress(label, 0, 1, '');
      return;
    }
    const label = this.#get(`.progress label[data-stage="${detail.stage}"]`);
    const { stage, done, total } = detail;
    const words = stage === 'bytes' ? (total ? `${bytes(done)} of ${bytes(total)}` : bytes(done)) : stage === 'decode' ? (total ? 'done' : 'checking') : total ? `${done} of ${total}` : '';
    this.#stageProgress(label, total === 0 ? 1 : done, total === 0 ? 1 : total, words);
    if (stage === 'decode') this.#stageProgress(this.#get('.progress label[data-stage="bytes"]'), 1, 1, 'done');
    if (stage === 'quality') {
      panel.classList.toggle('slight', (this.#viewer.timings?.firstPicture ?? null) !== null);
      panel.hidden = done === total;
    } else panel.hidden = false;
  }

  #stageProgress(label: HTMLElement, done: number, total: number | null, words: string): void {
    const bar = label.querySelector('progress') as HTMLProgressElement;
    if (total === null) bar.removeAttribute('value');
    else {
      bar.max = Math.max(total, 1);
      bar.value = done;
    }
    (label.querySelector('output') as HTMLElement).textContent = words;
  }

  /** Progress of a comparison; `null` when it is over. */
  comparing(fraction: number | null): void {
    this.#comparing = fraction;
    this.#figures();
  }

  #figures(): void {
    const { compareTool } = this.#viewer;
    const figure = (label: string, q: Quality | null) => (q ? `${label} ${decibels(q.psnrDb)}${q.ssim === null ? '' : `, SSIM ${q.ssim.toFixed(4)}`}` : '');
    let text = '';
    if (!compareTool.original) text = 'Drop the original picture here, or choose it.';
    else if (this.#comparing !== null) text = `Decoding every sample: ${Math.floor(this.#comparing * 100)} %`;
    else if (compareTool.result) text = [figure('Whole', compareTool.result.whole), figure('Visible', compareTool.visible)].filter(Boolean).join(' · ');
    const output = this.#get('.figures');
    if (output.textContent !== text) output.textContent = text;
  }

  #inspected(spoken: boolean): void {
    const { inspected } = this.#viewer.inspectTool;
    const tip = this.#get('.tip');
    tip.hidden = inspected === null;
    const words = inspected ? inspected.text.replaceAll('\n', ', ') : 'Point at a partition, or move with the arrow keys.';
    this.#get('.inspected').textContent = words;
    if (!inspected) return;
    tip.textContent = inspected.text;
    const box = this.#stage.getBoundingClientRect();
    const x = Math.max(8, Math.min(inspected.x + 8, box.width - tip.offsetWidth - 8));
    const y = Math.max(8, Math.min(inspected.y, box.height - tip.offsetHeight - 8));
    tip.style.setProperty('transform', `translate(${x}px, ${y}px)`);
    if (spoken) this.say(words);
  }

  notice(trouble: Trouble, retry: boolean): void {
    const card = this.#get('.notice');
    const set = (selector: string, text: string) => {
      const part = card.querySelector(selector);
      if (part) part.textContent = text;
    };
    set('h2', trouble.title);
    set('.message', trouble.message);
    set('.advice', trouble.advice);
    const where = trouble.part === undefined ? '' : `Broken part: ${trouble.part}${trouble.offset === undefined ? '' : `, at byte ${integer(trouble.offset)}`}`;
    set('.where', where);
    this.#get<HTMLButtonElement>('[data-action="retry"]').hidden = !retry;
    card.hidden = false;
    this.progress(null, true);
  }

  hideNotice(): void {
    this.#get('.notice').hidden = true;
  }

  /** Asks before a large file is opened. */
  ask(name: string, size: number, exact: boolean, signal: AbortSignal): Promise<boolean> {
    const card = this.#get('.question');
    const amount = `${exact ? '' : 'more than '}${bytes(size)}`;
    this.#get('#question-text').textContent = `${name} has ${amount}. Opening it needs about twice as much memory and may take a while.`;
    card.hidden = false;
    this.#get<HTMLButtonElement>('[data-action="yes"]').focus();
    return new Promise((resolve) => {
      const settle = (yes: boolean) => {
        this.#answer = null;
        card.hidden = true;
        resolve(yes);
      };
      this.#answer = settle;
      signal.addEventListener('abort', () => settle(false), { once: true });
    });
  }

  async #select(field: HTMLInputElement): Promise<void> {
    const text = field.value.trim();
    try {
      if (text === '') this.#viewer.cropTool.clear();
      else await this.#viewer.cropTo(text);
      field.removeAttribute('aria-invalid');
    } catch (error) {
      field.setAttribute('aria-invalid', 'true');
      this.#viewer.report(error);
    }
  }

  #click(event: Event): void {
    const target = event.target as Element;
    const button = target.closest<HTMLButtonElement>('[data-action]');
    if (!button || button.disabled) return;
    this.act(button.dataset['action'] ?? '', button.dataset['value'] ?? '');
  }

  /** Does what a button or a key says. */
  act(action: string, value = ''): void {
    const viewer = this.#viewer;
    const { screen, cropTool, compareTool } = viewer;
    switch (action) {
      case 'in': return screen.zoom(nextScale(screen.view.scale, 1));
      case 'out': return screen.zoom(nextScale(screen.view.scale, -1));
      case 'actual': return screen.zoom(1);
      case 'fit': return screen.fit(viewer.keptBounds());
      case 'nearest':
        viewer.nearest = !viewer.nearest;
        return this.say(viewer.nearest ? 'Stored samples.' : 'Smooth.');
      case 'crop':
      case 'compare':
      case 'inspect':
        viewer.mode = viewer.mode === action ? 'view' : (action as Mode);
        if (action === 'crop' && viewer.mode === 'crop') {
          // The handles take their places while painting, and a hidden button takes no focus.
          screen.paint();
          cropTool.focusFirst();
        }
        return;
      case 'drag':
        cropTool.mode = value as DragMode;
        return this.refresh();
      case 'snap': return cropTool.setSnap(value as Snap);
      case 'place': return cropTool.place();
      case 'invert': return cropTool.invert();
      case 'undo': return cropTool.undo();
      case 'redo': return cropTool.redo();
      case 'clear': return cropTool.clear();
      case 'keep': return this.#leaveCrop(true);
      case 'command': return void this.#copy(viewer.command(), 'The command line');
      case 'original': return this.#get<HTMLInputElement>('.original-file').click();
      case 'compare-view': return compareTool.setView(value as CompareView);
      case 'swap': return compareTool.swap();
      case 'tint':
        viewer.overlay.tint = viewer.overlay.tint ? null : (compareTool.result?.partitions ?? null);
        screen.invalidate();
        return this.refresh();
      case 'save-inr': return void this.#save(() => viewer.croppedFile());
      case 'save-png': return void this.#save(() => viewer.png((fraction) => this.say(`Decoding: ${Math.floor(fraction * 100)} %`)));
      case 'cancel': return viewer.cancel();
      case 'retry': return viewer.retry();
      case 'dismiss':
        this.hideNotice();
        return this.#stage.focus();
      case 'yes': return this.#answer?.(true);
      case 'no': return this.#answer?.(false);
    }
  }

  #leaveCrop(keep: boolean): void {
    const { cropTool, screen } = this.#viewer;
    if (keep) cropTool.apply();
    else cropTool.abandon();
    this.#viewer.mode = 'view';
    if (keep) screen.fit(this.#viewer.keptBounds());
    this.#stage.focus();
  }

  async #copy(text: string, what: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.say(`${what} was copied.`);
      const label = this.#get('[data-action="command"] span');
      label.textContent = 'Copied';
      setTimeout(() => (label.textContent = 'Copy command'), 1500);
    } catch {
      // Without the permission there is still the text itself to copy by hand.
      this.notice({ title: what, message: text, advice: 'The browser did not allow copying: select the line and copy it.', kind: 'environment' }, false);
    }
  }

  async #save(make: () => Promise<{ readonly name: string; readonly blob: Blob }>): Promise<void> {
    try {
      const { name, blob } = await make();
      const address = URL.createObjectURL(blob);
      const link = document.createElement('a');
      link.href = address;
      link.download = name;
      link.click();
      // Some browsers read the address after the click has returned.
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      this.say(`${name}, ${exactBytes(blob.size)}, was saved.`);
    } catch (error) {
      this.#viewer.report(error);
    }
  }

  #divider(): void {
    const divider = this.#get('.divider');
    const { compareTool, screen } = this.#viewer;
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
      const box = this.#stage.getBoundingClientRect();
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

  /** Keys of the element; the page passes on those that nothing else took. `true` where one was ours. */
  key(event: KeyboardEvent): boolean {
    const target = event.composedPath()[0];
    const typing = target instanceof HTMLInputElement && target.type !== 'file';
    if (event.defaultPrevented || typing || !this.#viewer.file) return this.#keyWhileOpening(event, typing);
    const done = event.ctrlKey || event.metaKey ? this.#undoKey(event) : !event.altKey && this.#plainKey(event, target === this.#stage);
    if (done) event.preventDefault();
    return done;
  }

  #keyWhileOpening(event: KeyboardEvent, typing: boolean): boolean {
    if (event.key !== 'Escape' || event.defaultPrevented || typing || !this.#viewer.busy) return false;
    this.#viewer.cancel();
    return true;
  }

  #undoKey(event: KeyboardEvent): boolean {
    const key = event.key.toLowerCase();
    if (key === 'z') this.act(event.shiftKey ? 'redo' : 'undo');
    else if (key === 'y') this.act('redo');
    else return false;
    return true;
  }

  #plainKey(event: KeyboardEvent, onStage: boolean): boolean {
    const { mode, screen, gestures, cropTool, inspectTool, compareTool } = this.#viewer;
    const press = (action: string, value = '') => {
      this.act(action, value);
      return true;
    };
    if (event.key === 'Escape') {
      if (!this.#get('.notice').hidden) return press('dismiss');
      if (gestures.cancelDrag()) return true;
      if (this.#viewer.busy) return press('cancel');
      if (mode === 'crop') this.#leaveCrop(false);
      else if (mode !== 'view') this.#viewer.mode = 'view';
      else return false;
      this.#stage.focus();
      return true;
    }
    if (inspectTool.key(event)) return true;
    const arrow = ARROWS[event.key];
    if (arrow && onStage) {
      const step = (event.shiftKey ? 256 : 64) * screen.ratio;
      screen.pan(-arrow[1] * step, -arrow[0] * step);
      return true;
    }
    if (event.key === ' ' && onStage) {
      if (mode === 'compare' && compareTool.view === 'flicker') compareTool.swap();
      else gestures.spaceHeld = true;
      return true;
    }
    if (event.key === 'Enter' && onStage && mode === 'crop') {
      if (cropTool.state.steps.length === 0) cropTool.place();
      else this.#leaveCrop(true);
      return true;
    }
    switch (event.key.toLowerCase()) {
      case '+': case '=': return press('in');
      case '-': case '_': return press('out');
      case '0': return press('fit');
      case '1': return press('actual');
      case 'n': return press('nearest');
      case 'c': return press('crop');
      case 'v': return press('compare');
      case 'x': return press('inspect');
      case 's': return press('save-inr');
      case 'p': return press('save-png');
      case 'i': return mode === 'crop' && press('invert');
      case 'r': return mode === 'crop' && press('place');
      case 'l': return mode === 'compare' && press('compare-view', 'slider');
      case 'f': return mode === 'compare' && press('compare-view', 'flicker');
      case 'd': return mode === 'compare' && press('compare-view', 'difference');
      case 't': return mode === 'compare' && press('tint');
      default: return false;
    }
  }

}
