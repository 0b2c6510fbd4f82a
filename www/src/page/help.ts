// The shortcut sheet. Single keys can be confined to the viewer, for people whose speech input types letters.

import { recall, remember } from './theme';

const KEY = 'tessera-keys-everywhere';

const SHEET: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  ['Move and zoom', [
    ['+ −', 'zoom in, zoom out'], ['0', 'show all'], ['1', '100 %: a sample is a pixel'], ['Arrows', 'move; with Shift farther'],
    ['Wheel, pinch', 'zoom at the pointer'], ['Double click', '100 % and back'], ['N', 'stored samples or smooth'],
  ]],
  ['Crop', [
    ['C', 'crop'], ['Drag', 'a rectangle'], ['Shift drag', 'add'], ['Ctrl drag', 'cut out'], ['Click', 'one part'], ['Space drag', 'move the picture'],
    ['R', 'place a region without dragging'], ['Tab', 'reach the handles'], ['Arrows', 'move a handle by a part; Shift by eight'], ['Delete', 'remove the region'],
    ['I', 'invert'], ['Enter', 'keep'], ['Esc', 'leave'], ['Ctrl Z', 'undo'], ['Ctrl Shift Z', 'redo'],
  ]],
  ['Play', [
    ['Space', 'play, pause'], ['← →', 'a second back or on; with Shift five'], ['Home End', 'to the start, to the end'], ['L', 'loop'],
    ['< >', 'slower, faster'], [', .', 'a frame of a video back or on'], ['G', 'spectrogram of a sound'],
  ]],
  ['Shapes', [['Arrows', 'turn; with Shift move'], ['Drag', 'turn; with Shift move'], ['K', 'cut it open'], ['G', 'show the parts']]],
  ['Compare', [['V', 'compare with the original'], ['L', 'slider'], ['F', 'flicker'], ['Space', 'swap in flicker'], ['D', 'difference'], ['T', 'tint parts by PSNR']]],
  ['Inspect', [['X', 'inspect parts'], ['Arrows', 'next part']]],
  ['File', [['O', 'open'], ['S', 'save the cropped .inr'], ['P', 'save a PNG, WAV, OBJ or APNG'], ['?', 'this sheet']]],
];

export class Help {
  readonly #dialog: HTMLDialogElement;
  /** Single keys work wherever the focus is, not only on the picture. */
  everywhere = recall(KEY) !== 'no';

  constructor(dialog: HTMLDialogElement, button: HTMLButtonElement) {
    this.#dialog = dialog;
    const title = document.createElement('h2');
    title.id = 'help-title';
    title.textContent = 'Keyboard and mouse';
    const columns = document.createElement('div');
    columns.className = 'columns';
    for (const [heading, rows] of SHEET) {
      const section = document.createElement('section');
      const h3 = document.createElement('h3');
      h3.textContent = heading;
      const list = document.createElement('dl');
      for (const [keys, meaning] of rows) {
        const dt = document.createElement('dt');
        const kbd = document.createElement('kbd');
        kbd.textContent = keys;
        dt.append(kbd);
        const dd = document.createElement('dd');
        dd.textContent = meaning;
        list.append(dt, dd);
      }
      section.append(h3, list);
      columns.append(section);
    }
    const foot = document.createElement('div');
    foot.className = 'foot';
    const label = document.createElement('label');
    const box = document.createElement('input');
    box.type = 'checkbox';
    box.checked = this.everywhere;
    box.addEventListener('change', () => {
      this.everywhere = box.checked;
      remember(KEY, box.checked ? 'yes' : 'no');
    });
    label.append(box, 'Single keys work anywhere on the page, not only on the viewer');
    const close = document.createElement('button');
    close.type = 'button';
    close.textContent = 'Close';
    close.addEventListener('click', () => dialog.close());
    foot.append(label, close);
    dialog.append(title, columns, foot);
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog) dialog.close();
    });
    button.addEventListener('click', () => this.open());
  }

  open(): void {
    this.#dialog.showModal();
  }
}
