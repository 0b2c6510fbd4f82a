// Pieces that panels are made of.

export type Row = readonly [label: string, value: string];

export function text(tag: string, content: string): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = content;
  return element;
}

export function section(title: string, ...children: HTMLElement[]): HTMLElement {
  const element = document.createElement('section');
  element.append(text('h2', title), ...children);
  return element;
}

export function list(rows: readonly Row[]): HTMLElement {
  const element = document.createElement('dl');
  for (const [label, value] of rows) element.append(text('dt', label), text('dd', value));
  return element;
}
