// The page: a thin frame around <tessera-viewer> that brings files in, keeps the address up to date and shows details.

import './viewer';
import { Help } from './page/help';
import { Intake } from './page/intake';
import { Panel } from './page/panel';
import { readSamples, type Sample, sampleAddress, showSamples } from './page/samples';
import { setUpTheme } from './page/theme';
import { readLink, writeLink } from './state/url';
import type { TesseraViewer } from './viewer';

const get = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const viewer = get<TesseraViewer>('viewer');
const link = readLink(location.search);

if (link.embed) document.body.classList.add('embed');

let toastTimer: ReturnType<typeof setTimeout> | undefined;
function say(text: string): void {
  clearTimeout(toastTimer);
  get('toast').textContent = text;
  toastTimer = setTimeout(() => (get('toast').textContent = ''), Math.max(2500, text.length * 70));
}

setUpTheme(get('theme'), () => viewer.themeChanged());
const help = new Help(get<HTMLDialogElement>('help'), get('help-button'));
new Panel(viewer, get('panel'), get('details'));

/** The address of the open file, where it has one; a dropped file has none. */
let address: string | null = null;
/** The picture that the open sample was made from. */
let original: string | null = null;
/** What the link asked for, until the file it names is open. */
let wanted: typeof link | null = link;

const intake = new Intake(viewer, {
  say,
  opening: (url) => {
    if (url !== link.url) wanted = null;
    address = url;
    original = null;
    viewer.sharedView = wanted?.view ?? null;
    viewer.removeAttribute('crop');
  },
});

const picker = get<HTMLInputElement>('file');
picker.addEventListener('change', () => {
  if (picker.files) intake.takeAll([...picker.files]);
  picker.value = '';
});
picker.multiple = true;
for (const id of ['open', 'open-large']) get(id).addEventListener('click', () => picker.click());

function openSample(sample: Sample): void {
  intake.openUrl(sampleAddress(sample.file));
  original = sample.original ? sampleAddress(sample.original) : null;
}

void readSamples().then((samples) => {
  showSamples(samples, get('cards'), get('samples'), openSample);
  const none = samples.length === 0;
  get('samples-button').hidden = none;
  (document.querySelector('.welcome h3') as HTMLElement).hidden = none;
  // A link to a sample knows its original too.
  original ??= samples.find((s) => s.original && sampleAddress(s.file) === address)?.original ?? null;
  if (original && !original.startsWith('samples/')) original = sampleAddress(original);
});

const menu = get('samples');
menu.addEventListener('toggle', () => {
  const box = get('samples-button').getBoundingClientRect();
  menu.style.setProperty('left', `${Math.max(8, Math.min(box.left, innerWidth - menu.offsetWidth - 8))}px`);
  menu.style.setProperty('top', `${box.bottom + 4}px`);
});

const badge = get('engine');
const reason = get('engine-reason');
reason.addEventListener('toggle', () => {
  const box = badge.getBoundingClientRect();
  reason.style.setProperty('left', `${Math.max(8, Math.min(box.right - reason.offsetWidth, innerWidth - reason.offsetWidth - 8))}px`);
  reason.style.setProperty('top', `${box.bottom + 4}px`);
});
viewer.addEventListener('engine', () => {
  badge.hidden = false;
  badge.dataset['engine'] = viewer.engine.engine;
  badge.title = viewer.engine.reason;
  badge.setAttribute('aria-label', `Engine: ${viewer.engine.engine}`);
  (badge.querySelector('span') as HTMLElement).textContent = viewer.engine.engine;
  (reason.querySelector('p') as HTMLElement).textContent = viewer.engine.reason;
});

viewer.addEventListener('load', () => {
  get('file-name').textContent = viewer.fileName;
  document.title = `${viewer.fileName} · Tessera`;
  get('link').hidden = false;
  const ask = wanted;
  wanted = null;
  if (ask?.crop && !viewer.region) {
    viewer.cropTo(ask.crop).catch((error: unknown) => viewer.report(error));
  }
  if (ask?.nearest) viewer.nearest = true;
  if (ask && ask.mode !== 'view') viewer.mode = ask.mode;
});

/** The open state as a query string. */
function query(): string {
  return writeLink({
    url: address,
    crop: viewer.cropDetail?.selector ?? null,
    view: viewer.sharedView,
    mode: viewer.mode,
    nearest: viewer.nearest,
    embed: link.embed,
    live: link.live,
  });
}

let writing: ReturnType<typeof setTimeout> | undefined;
function writeSoon(): void {
  clearTimeout(writing);
  // Browsers refuse more than some address changes a second.
  writing = setTimeout(() => {
    if (viewer.file) history.replaceState(null, '', `${location.pathname}${query()}`);
  }, 400);
}
for (const event of ['load', 'view', 'crop', 'mode']) viewer.addEventListener(event, writeSoon);

/** In compare mode a sample brings its original along. */
viewer.addEventListener('mode', () => {
  if (viewer.mode !== 'compare' || viewer.compareTool.original || !original) return;
  const source = original;
  fetch(source)
    .then(async (response) => {
      if (!response.ok) throw new Error(`The original of this sample could not be loaded (${response.status}).`);
      await viewer.compareWith(await response.blob(), source.split('/').pop() ?? 'original');
    })
    .catch((error: unknown) => viewer.report(error));
});

get('link').addEventListener('click', () => {
  const text = `${location.origin}${location.pathname}${query()}`;
  navigator.clipboard.writeText(text).then(
    () => say(address ? 'The link was copied.' : 'The link was copied. It carries view and crop, but not the file itself, which is only on this device.'),
    () => say(`Copying was not allowed. The link: ${text}`),
  );
});

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) {
    // Undo works from anywhere on the page.
    if (!event.defaultPrevented && !event.altKey && !inField(event) && !get<HTMLDialogElement>('help').open) viewer.handleKey(event);
    return;
  }
  if (inField(event) || get<HTMLDialogElement>('help').open) return;
  const onViewer = event.composedPath().includes(viewer);
  if (event.key === '?') help.open();
  else if (!help.everywhere && !onViewer) return;
  else if (event.key.toLowerCase() === 'o') picker.click();
  else if (!onViewer && !(isButton(event) && (event.key === 'Enter' || event.key === ' '))) viewer.handleKey(event);
});

function inField(event: Event): boolean {
  return event.composedPath()[0] instanceof HTMLInputElement;
}

function isButton(event: Event): boolean {
  return event.composedPath()[0] instanceof HTMLButtonElement;
}

// Who goes on cropping needs what lies around the region as well.
if (link.url) intake.openUrl(link.url, link.mode === 'crop' ? null : link.crop);
else viewer.prepare();

// A program that trains serves this page and says so in its link; the code for it comes only then.
if (link.live) {
  void import('./live/live').then(({ follow }) => follow(viewer, document.querySelector('.work') as HTMLElement));
}
