// Undo and redo: a list of states and a position in it. States are immutable, so nothing is copied.

export class History<T> {
  #states: T[];
  #position = 0;
  readonly #limit: number;

  constructor(initial: T, limit = 500) {
    this.#states = [initial];
    this.#limit = limit;
  }

  get current(): T {
    return this.#states[this.#position] as T;
  }

  get canUndo(): boolean {
    return this.#position > 0;
  }

  get canRedo(): boolean {
    return this.#position < this.#states.length - 1;
  }

  /** A new state after the current one; what was undone is forgotten. The same state again is no step. */
  push(state: T): void {
    if (state === this.current) return;
    this.#states = [...this.#states.slice(0, this.#position + 1), state];
    if (this.#states.length > this.#limit) this.#states.shift();
    this.#position = this.#states.length - 1;
  }

  undo(): T {
    if (this.canUndo) this.#position -= 1;
    return this.current;
  }

  redo(): T {
    if (this.canRedo) this.#position += 1;
    return this.current;
  }
}
