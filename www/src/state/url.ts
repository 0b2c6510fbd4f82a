// What a link carries: file, view, crop and mode. The theme is the reader's own and stays out of it.

export type Mode = 'view' | 'crop' | 'compare' | 'inspect';

export interface LinkState {
  /** Address of the file, as given (relative ones are relative to the page). */
  readonly url: string | null;
  /** Selector of what is kept, in the common grammar. */
  readonly crop: string | null;
  /** Middle of the screen in samples (column, row) and device pixels per sample. */
  readonly view: { readonly column: number; readonly row: number; readonly scale: number } | null;
  readonly mode: Mode;
  /** Stored samples instead of the network at screen resolution. */
  readonly nearest: boolean;
  /** Without the page's header and panel, for frames in other pages. */
  readonly embed: boolean;
  /** Beside a program that trains and serves this page. */
  readonly live: boolean;
}

const MODES: readonly Mode[] = ['view', 'crop', 'compare', 'inspect'];

/** Reads a query string. What makes no sense is ignored: a link must never stop the page from opening. */
export function readLink(search: string): LinkState {
  const query = new URLSearchParams(search);
  const mode = query.get('mode');
  return {
    url: query.get('url') || null,
    crop: query.get('crop') || null,
    view: readView(query.get('view')),
    mode: MODES.find((known) => known === mode) ?? 'view',
    nearest: query.get('nearest') === '1',
    embed: query.get('embed') === '1',
    live: query.get('live') === '1',
  };
}

function readView(text: string | null): LinkState['view'] {
  const numbers = (text ?? '').split(',').map(Number);
  const [column, row, scale] = numbers;
  if (numbers.length !== 3 || column === undefined || row === undefined || scale === undefined) return null;
  return numbers.every(Number.isFinite) && text !== '' && scale > 0 ? { column, row, scale } : null;
}

/** Writes a query string, with only what differs from the defaults; readable, so `/`, `:` and `,` stay as they are. */
export function writeLink(state: LinkState): string {
  const fields: [string, string][] = [];
  if (state.url) fields.push(['url', state.url]);
  if (state.crop) fields.push(['crop', state.crop]);
  if (state.view) {
    const { column, row, scale } = state.view;
    fields.push(['view', [column.toFixed(1), row.toFixed(1), scale.toPrecision(4)].map(Number).join(',')]);
  }
  if (state.mode !== 'view') fields.push(['mode', state.mode]);
  if (state.nearest) fields.push(['nearest', '1']);
  if (state.embed) fields.push(['embed', '1']);
  if (state.live) fields.push(['live', '1']);
  if (fields.length === 0) return '';
  const plain = (text: string) => encodeURIComponent(text).replace(/%(2F|3A|2C|3D)/g, (code) => decodeURIComponent(code));
  return `?${fields.map(([key, value]) => `${key}=${plain(value)}`).join('&')}`;
}
