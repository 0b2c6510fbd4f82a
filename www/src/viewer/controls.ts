// Buttons, fields, keys and words that all kinds of signals share. What a kind has beside them, its stage brings.

import type { Mode } from '../state/url';
import type { DragMode } from './crop-session';
import type { TesseraViewer } from './element';
import type { CropDetail, ProgressDetail } from './events';
import type { Snap } from './grid';
import { bytes, exactBytes, integer, sizeLine } from './text';
import type { Trouble } from './trouble';

/** The size line is spoken when it has rested this long: not every step of a drag. */
const SPEAK_MS = 600;

export class Controls {
  readonly #viewer: TesseraViewer;
  readonly #root: ShadowRoot;
  readonly #live: HTMLElement;
  #speaking: ReturnType<typeof setTimeout> | undefined;
  #answer: ((yes: boolean) => void) | null = null;

  constructor(viewer: TesseraViewer, root: ShadowRoot) {
    this.#viewer = viewer;
    this.#root = root;
    this.#live = this.#get('p[role="status"]');
    root.addEventListener('click', (event) => this.#click(event));
    viewer.addEventListener('keydown', (event) => this.key(event));
    const selector = this.#get<HTMLInputElement>('input.selector');
    selector.addEventListener('change', () => void this.#select(selector));
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
    const { file, stage } = this.#viewer;
    for (const element of this.#all('.frame > .stage')) element.hidden = file === null || element !== stage.element;
    for (const element of this.#all('.bar > .kind')) element.hidden = element !== stage.toolbar;
    stage.element.classList.toggle('filled', file !== null);
    stage.element.tabIndex = file ? 0 : -1;
    this.#get('.poster').hidden = file !== null;
    this.#get('.bar').hidden = file === null;
    for (const button of this.#all('.bar button, .bar input')) (button as HTMLButtonElement).disabled = file === null;
    for (const button of this.#all('.modes button')) button.hidden = !stage.modes.includes(button.dataset['action'] as Mode);
    this.#get('[data-action="export"] span').textContent = stage.exportLabel;
    if (!file) this.#size('', '', null);
    this.progress(null, !this.#viewer.busy);
    this.refresh();
  }

  /** Brings every control into line with the state. */
  refresh(): void {
    const { file, mode, cropTool, stage } = this.#viewer;
    const state = cropTool.state;
    const nothing = file !== null && cropTool.kept.length === 0;
    for (const button of this.#all('[data-action]') as HTMLButtonElement[]) {
      const { action, value } = button.dataset;
      const press = (on: boolean) => button.setAttribute('aria-pressed', String(on));
      if (action === 'crop' || action === 'compare' || action === 'inspect') press(mode === action);
      if (action === 'drag') press(cropTool.mode === value);
      if (action === 'snap') press(state.snap === value);
      if (action === 'undo') button.disabled = !cropTool.canUndo;
      if (action === 'redo') button.disabled = !cropTool.canRedo;
      if (action === 'keep' || action === 'save-inr' || action === 'export') button.disabled = file === null || nothing;
    }
    for (const strip of this.#all('.options')) strip.hidden = file === null || strip.dataset['mode'] !== mode;
    stage.refresh();
    const { what, help } = stage.describe();
    const words = file ? `${this.#viewer.fileName}: ${what} ${help}` : 'No file is open.';
    const text = this.#get('#description');
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

  /** Shows an error. `retry`: opening may be tried again; `region`: a region of a file was to be opened. */
  notice(trouble: Trouble, retry: boolean, region = false): void {
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
    this.#get<HTMLButtonElement>('[data-action="whole"]').hidden = !region;
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
    const { cropTool, stage } = viewer;
    if (stage.act(action, value)) return;
    switch (action) {
      case 'crop':
      case 'compare':
      case 'inspect':
        viewer.mode = viewer.mode === action ? 'view' : (action as Mode);
        if (action === 'crop' && viewer.mode === 'crop') stage.focusRegion();
        return;
      case 'drag':
        cropTool.mode = value as DragMode;
        return this.refresh();
      case 'snap': return cropTool.setSnap(value as Snap);
      case 'place': return stage.place();
      case 'invert': return cropTool.invert();
      case 'undo': return cropTool.undo();
      case 'redo': return cropTool.redo();
      case 'clear': return cropTool.clear();
      case 'keep': return this.#leaveCrop(true);
      case 'command': return void this.#copy(viewer.command(), 'The command line');
      case 'save-inr': return void this.#save(() => viewer.croppedFile());
      case 'export': return void this.#save(() => viewer.exported((fraction) => this.say(`Decoding: ${Math.floor(fraction * 100)} %`)));
      case 'cancel': return viewer.cancel();
      case 'retry': return viewer.retry();
      case 'whole': return viewer.openWhole();
      case 'dismiss':
        this.hideNotice();
        return stage.element.focus();
      case 'yes': return this.#answer?.(true);
      case 'no': return this.#answer?.(false);
    }
  }

  #leaveCrop(keep: boolean): void {
    const { cropTool, stage } = this.#viewer;
    if (keep) cropTool.apply();
    else cropTool.abandon();
    this.#viewer.mode = 'view';
    if (keep) stage.fit();
    stage.element.focus();
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

  /** Keys of the element; the page passes on those that nothing else took. `true` where one was ours. */
  key(event: KeyboardEvent): boolean {
    const target = event.composedPath()[0];
    const slides = target instanceof HTMLInputElement && target.type === 'range';
    const typing = (target instanceof HTMLInputElement && target.type !== 'file' && !slides) || target instanceof HTMLSelectElement;
    // Keys that the focused control takes itself.
    if (target instanceof HTMLButtonElement && (event.key === ' ' || event.key === 'Enter')) return false;
    if (slides && /^(Arrow|Home|End|Page)/.test(event.key)) return false;
    if (event.defaultPrevented || typing || !this.#viewer.file) return this.#keyWhileOpening(event, typing);
    const done = event.ctrlKey || event.metaKey ? this.#undoKey(event) : !event.altKey && this.#plainKey(event, target === this.#viewer.stage.element);
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

  #plainKey(event: KeyboardEvent, focused: boolean): boolean {
    const { mode, stage, cropTool } = this.#viewer;
    const press = (action: string, value = '') => {
      this.act(action, value);
      return true;
    };
    if (event.key === 'Escape') {
      if (!this.#get('.notice').hidden) return press('dismiss');
      if (stage.cancelDrag()) return true;
      if (this.#viewer.busy) return press('cancel');
      if (mode === 'crop') this.#leaveCrop(false);
      else if (mode !== 'view') this.#viewer.mode = 'view';
      else return false;
      stage.element.focus();
      return true;
    }
    if (event.key === 'Enter' && focused && mode === 'crop') {
      if (cropTool.state.steps.length === 0) stage.place();
      else this.#leaveCrop(true);
      return true;
    }
    if (stage.key(event, focused)) return true;
    switch (event.key.toLowerCase()) {
      case 'c': return press('crop');
      case 'v': return stage.modes.includes('compare') && press('compare');
      case 'x': return stage.modes.includes('inspect') && press('inspect');
      case 's': return press('save-inr');
      case 'p': return press('export');
      case 'i': return mode === 'crop' && press('invert');
      case 'r': return mode === 'crop' && press('place');
      default: return false;
    }
  }
}
