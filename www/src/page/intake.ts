// How files come in: dropped anywhere, pasted, picked, or handed over by a page that embeds this one.

import type { TesseraViewer } from '../viewer';

const PICTURE = /\.(png|jpe?g|webp|avif|gif|bmp|svg|tiff?|heic|jxl)$/i;

/** Whether a file is a picture to compare with. Its name decides first: an .inr file has no media type of its own. */
export function isPicture(file: { readonly name: string; readonly type: string }): boolean {
  if (/\.inr$/i.test(file.name)) return false;
  return PICTURE.test(file.name) || file.type.startsWith('image/');
}

export interface IntakeHooks {
  /** Says something in passing. */
  say(text: string): void;
  /** A new file is being opened. */
  opening(url: string | null): void;
}

export class Intake {
  readonly #viewer: TesseraViewer;
  readonly #hooks: IntakeHooks;

  constructor(viewer: TesseraViewer, hooks: IntakeHooks) {
    this.#viewer = viewer;
    this.#hooks = hooks;
    this.#drop();
    this.#paste();
    this.#embedded();
  }

  /** Opens a file, or compares with it where it is a picture. */
  take(file: File): void {
    if (!isPicture(file)) {
      this.#hooks.opening(null);
      void this.#viewer.open({ blob: file, name: file.name });
    } else if (this.#viewer.file) {
      this.#viewer.compareWith(file, file.name).catch((error: unknown) => this.#viewer.report(error));
    } else {
      this.#hooks.say(`${file.name} is a picture. Open an .inr file of it first to compare with it, or make one: tessera encode ${file.name} -o picture.inr`);
    }
  }

  /** Takes an .inr file and the original of it in one go. */
  takeAll(files: readonly File[]): void {
    const field = files.find((file) => !isPicture(file));
    const picture = files.find(isPicture);
    if (field && picture) {
      this.#hooks.opening(null);
      void this.#viewer.open({ blob: field, name: field.name }).then((opened) => {
        if (opened) this.take(picture);
      });
      return;
    }
    const only = field ?? picture;
    if (only) this.take(only);
  }

  /** Opens an address; with a selector, that region alone where its server can. */
  openUrl(url: string, crop: string | null = null): void {
    this.#hooks.opening(url);
    void this.#viewer.open({ url, crop });
  }

  #drop(): void {
    const veil = document.getElementById('drop') as HTMLElement;
    const words = veil.querySelector('p') as HTMLElement;
    let depth = 0;
    const hide = () => {
      depth = 0;
      veil.hidden = true;
    };
    window.addEventListener('dragenter', (event) => {
      if (!event.dataTransfer?.types.some((type) => type === 'Files' || type === 'text/uri-list')) return;
      depth += 1;
      words.textContent = this.#viewer.file?.info.kind === 'picture' ? 'Drop an .inr file, or the original to compare' : 'Drop an .inr file';
      veil.hidden = false;
    });
    window.addEventListener('dragleave', () => {
      depth -= 1;
      if (depth <= 0) hide();
    });
    window.addEventListener('dragover', (event) => event.preventDefault());
    window.addEventListener('drop', (event) => {
      event.preventDefault();
      hide();
      const files = [...(event.dataTransfer?.files ?? [])];
      const address = event.dataTransfer?.getData('text/uri-list').split('\n')[0]?.trim();
      if (files.length > 0) this.takeAll(files);
      else if (address) this.openUrl(address);
    });
  }

  #paste(): void {
    window.addEventListener('paste', (event) => {
      if (event.composedPath().some((node) => node instanceof HTMLInputElement)) return;
      const files = [...(event.clipboardData?.files ?? [])];
      const text = event.clipboardData?.getData('text/plain').trim() ?? '';
      if (files.length > 0) this.takeAll(files);
      else if (/^https?:\/\/\S+$/.test(text)) this.openUrl(text);
      else return;
      event.preventDefault();
    });
  }

  /** `{ type: 'tessera:open', url }` or `{ type: 'tessera:open', bytes, name }` from the page around a frame. */
  #embedded(): void {
    if (parent === window) return;
    window.addEventListener('message', ({ source, data }: MessageEvent<unknown>) => {
      if (source !== parent || typeof data !== 'object' || data === null) return;
      const message = data as { type?: unknown; url?: unknown; bytes?: unknown; name?: unknown };
      if (message.type !== 'tessera:open') return;
      if (typeof message.url === 'string') this.openUrl(message.url);
      else if (message.bytes instanceof ArrayBuffer || message.bytes instanceof Blob) {
        const blob = message.bytes instanceof Blob ? message.bytes : new Blob([message.bytes]);
        this.#hooks.opening(null);
        void this.#viewer.open({ blob, name: typeof message.name === 'string' ? message.name : 'file.inr' });
      }
    });
    parent.postMessage({ type: 'tessera:ready' }, '*');
  }
}
