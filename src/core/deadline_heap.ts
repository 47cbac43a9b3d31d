/**
 * Items ordered by deadline: a binary heap in which each item knows its position, so it can be removed at any time.
 * Adding and removing cost O(log n); reading the earliest item costs O(1).
 */

/** An item of at most one heap. */
export interface Timed {
  /** Milliseconds since the epoch. Must not change while the item is in a heap. */
  readonly deadlineMs: number;
  /** Managed by the heap: the position of the item, -1 while it is in no heap. */
  heapIndex: number;
}

export class DeadlineHeap<T extends Timed> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The item with the earliest deadline. */
  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    this.#rise(item, this.#items.length);
  }

  /** Removes an item; no effect if it is not in the heap. */
  remove(item: T): void {
    const i = item.heapIndex;
    if (i < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    if (i > 0 && last.deadlineMs < this.#items[(i - 1) >> 1].deadlineMs) this.#rise(last, i);
    else this.#sink(last, i);
  }

  #rise(item: T, i: number): void {
    const items = this.#items;
    for (; i > 0; i = (i - 1) >> 1) {
      const parent = items[(i - 1) >> 1];
      if (parent.deadlineMs <= item.deadlineMs) break;
      items[i] = parent;
      parent.heapIndex = i;
    }
    items[i] = item;
    item.heapIndex = i;
  }

  #sink(item: T, i: number): void {
    const items = this.#items;
    for (let child = 2 * i + 1; child < items.length; child = 2 * i + 1) {
      if (child + 1 < items.length && items[child + 1].deadlineMs < items[child].deadlineMs) child++;
      if (items[child].deadlineMs >= item.deadlineMs) break;
      items[i] = items[child];
      items[i].heapIndex = i;
      i = child;
    }
    items[i] = item;
    item.heapIndex = i;
  }
}
