// Line icons on a 20 x 20 grid, drawn for this page.

const PATHS = {
  minus: 'M4 10h12',
  plus: 'M4 10h12M10 4v12',
  fit: 'M3 7V3h4M17 7V3h-4M3 13v4h4M17 13v4h-4M7.5 7.5h5v5h-5z',
  samples: 'M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z',
  crop: 'M6 2v12h12M2 6h12v12',
  compare: 'M10 2v16M3 5h4v10H3M13 5h4v10h-4',
  inspect: 'M9 3a6 6 0 1 1 0 12A6 6 0 0 1 9 3zM13.5 13.5 18 18',
  undo: 'M7 4 3 8l4 4M3 8h8a5 5 0 0 1 0 10H8',
  redo: 'M13 4l4 4-4 4M17 8H9a5 5 0 0 0 0 10h3',
  save: 'M10 3v9M6 8.5 10 12.5l4-4M3 16.5h14',
  picture: 'M3 4h14v12H3zM3 13l4-4 4 4 2-2 4 4M13.5 7.5h.01',
  invert: 'M10 3a7 7 0 1 1 0 14zM10 3a7 7 0 0 0 0 14',
  close: 'M5 5l10 10M15 5 5 15',
  check: 'M4 10.5 8 14.5 16 5.5',
  copy: 'M7 7h10v10H7zM13 7V3H3v10h4',
  help: 'M7.5 7.5a2.5 2.5 0 1 1 3.6 2.3c-.7.4-1.1.9-1.1 1.7M10 14.5h.01',
  link: 'M8.5 11.5a3 3 0 0 0 4.3 0l3-3a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.500a3 3 0 0 0-4.3 0l-3 3a3 3 0 0 0 4.300 4.300l1-1',
  panel: 'M3 4h14v12H3zM12.500 4v12',
  sun: 'M10 6.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7zM10 1.500v2M10 16.500v2M1.500 10h2M16.500 10h2M4 4l1.400 1.400M14.600 14.600 16 16M16 4l-1.400 1.400M5.400 14.600 4 16',
  open: 'M2.500 16V4h5l2 2.500h8V16z',
  play: 'M6 4v12l10-6z',
  pause: 'M6.500 4v12M13.500 4v12',
  loop: 'M4 9a5 5 0 0 1 5-4.500h6M12.500 2 15 4.500 12.500 7M16 11a5 5 0 0 1-5 4.500H5M7.500 18 5 15.500 7.500 13',
  spectrum: 'M3 16V9M6.500 16V4M10 16v-5M13.500 16V7M17 16v-3',
  section: 'M3 6.500 10 3l7 3.500v7L10 17l-7-3.500zM3 6.500l7 3.500 7-3.500M10 10v7',
  back: 'M13.500 5v10L6.500 10zM5 5v10',
  forward: 'M6.500 5v10l7-5zM15 5v10',
  swap: 'M4 7h12M13 4l3 3-3 3M16 13H4M7 10l-3 3 3 3',
} as const;

export type IconName = keyof typeof PATHS;

/** Markup of an icon; decorative, the button around it has the name. */
export function icon(name: IconName): string {
  return `<svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false"><path d="${PATHS[name]}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"/></svg>`;
}
