import { describe, expect, it } from 'vitest';
import { readLink, writeLink } from './url';

const empty = { url: null, crop: null, view: null, mode: 'view', nearest: false, embed: false, live: false } as const;

describe('link', () => {
  it('is empty for the defaults', () => {
    expect(writeLink(empty)).toBe('');
    expect(readLink('')).toEqual(empty);
  });

  it('returns what it was given', () => {
    const state = {
      url: 'https://example.org/a b.inr?x=1&y=2#z',
      crop: '256x256+128+128',
      view: { column: 256, row: 12.5, scale: 1.25 },
      mode: 'compare',
      nearest: true,
      embed: true,
      live: true,
    } as const;
    expect(readLink(writeLink(state))).toEqual(state);
    expect(writeLink({ ...empty, crop: 'parts=0-3,7' })).toBe('?crop=parts=0-3,7');
  });

  it('ignores nonsense', () => {
    expect(readLink('?view=1,2&mode=dance&nearest=yes&url=')).toEqual(empty);
    expect(readLink('?view=1,2,0').view).toBeNull();
    expect(readLink('?view=a,b,c').view).toBeNull();
    expect(readLink('?view=,,').view).toBeNull();
  });
});
