import { expect, it } from 'vitest';
import { History } from './history';

it('walks back and forth and forgets what was undone', () => {
  const history = new History('a');
  history.push('b');
  history.push('c');
  expect(history.undo()).toBe('b');
  expect(history.undo()).toBe('a');
  expect(history.undo()).toBe('a');
  expect(history.redo()).toBe('b');
  history.push('d');
  expect(history.canRedo).toBe(false);
  expect(history.redo()).toBe('d');
  expect(history.undo()).toBe('b');
});

it('keeps no more than its limit and no repeated state', () => {
  const history = new History(0, 3);
  for (const i of [1, 2, 2, 3, 4]) history.push(i);
  expect([history.undo(), history.undo(), history.undo()]).toEqual([3, 2, 2]);
  expect(history.canUndo).toBe(false);
});
