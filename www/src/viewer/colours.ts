// The colours of the style sheet for what is drawn on a canvas, through an element that has them.

/** A custom property of `frame` as the browser computes it: `rgb(...)`, or another notation that canvases take. */
export function colourOf(frame: HTMLElement, property: string): string {
  frame.style.setProperty('outline-color', `var(${property})`);
  const colour = getComputedStyle(frame).outlineColor;
  frame.style.removeProperty('outline-color');
  return colour;
}
