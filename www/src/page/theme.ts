// Light, dark, or as the system says. Kept on this device only.

import { icon } from '../viewer/icons';

const KEY = 'tessera-theme';
const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

/** Storage may be forbidden; then a choice lasts as long as the page. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch { /* nothing to do about it */ }
}

export function setUpTheme(button: HTMLButtonElement, changed: () => void): void {
  button.innerHTML = icon('sun');
  let theme: Theme = THEMES.find((known) => known === recall(KEY)) ?? 'auto';
  const apply = () => {
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    const name = { auto: 'as the system', light: 'light', dark: 'dark' }[theme];
    button.setAttribute('aria-label', `Theme: ${name}`);
    button.title = `Theme: ${name}`;
    changed();
  };
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto';
    remember(KEY, theme);
    apply();
  });
  apply();
}
