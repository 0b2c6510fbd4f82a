// Our own samples, listed in samples/samples.json beside the page.

import { icon } from '../viewer/icons';

export interface Sample {
  readonly name: string;
  readonly title: string;
  /** The encoded file and the picture that it was made from, relative to the list. */
  readonly file: string;
  readonly original?: string;
  /** What kind of signal it is; pictures need not say. */
  readonly kind?: string;
}

/** What stands for a sample that is no picture. */
const SYMBOLS = { sound: 'spectrum', video: 'play', shape: 'section' } as const;

const LIST = 'samples/samples.json';

/** Reads the list; a page without samples has none, which is no error. */
export async function readSamples(): Promise<readonly Sample[]> {
  try {
    const response = await fetch(LIST);
    if (!response.ok) return [];
    const list: unknown = await response.json();
    return Array.isArray(list) ? list.filter(isSample) : [];
  } catch {
    return [];
  }
}

function isSample(value: unknown): value is Sample {
  const sample = value as Sample | null;
  return typeof sample === 'object' && sample !== null && typeof sample.file === 'string' && typeof sample.title === 'string';
}

/** Address of a file of the list, relative to the page. */
export function sampleAddress(file: string): string {
  return `samples/${file}`;
}

/** Fills the cards of the empty state and the menu. */
export function showSamples(samples: readonly Sample[], cards: HTMLElement, menu: HTMLElement, open: (sample: Sample) => void): void {
  for (const sample of samples) {
    const card = document.createElement('button');
    card.type = 'button';
    card.dataset['sample'] = sample.file;
    const { kind = 'picture' } = sample;
    // Only pictures are their own preview.
    if (sample.original && kind === 'picture') {
      const picture = document.createElement('img');
      picture.src = sampleAddress(sample.original);
      picture.alt = '';
      picture.loading = 'lazy';
      picture.decoding = 'async';
      card.append(picture);
    } else if (kind in SYMBOLS) {
      const symbol = document.createElement('div');
      symbol.className = 'symbol';
      symbol.innerHTML = icon(SYMBOLS[kind as keyof typeof SYMBOLS]);
      card.append(symbol);
    }
    const caption = document.createElement('span');
    caption.textContent = sample.title;
    card.append(caption);
    card.addEventListener('click', () => open(sample));
    const item = document.createElement('li');
    item.append(card);
    cards.append(item);

    const entry = document.createElement('button');
    entry.type = 'button';
    entry.textContent = sample.title;
    entry.addEventListener('click', () => {
      menu.hidePopover();
      open(sample);
    });
    menu.append(entry);
  }
}
