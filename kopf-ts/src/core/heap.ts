/** A member of a heap; the heap keeps its place in it. */
export interface HeapItem {
  /** -1 while in no heap. */
  place: number;
}

/**
 * A binary heap that can also remove from its middle, in O(log n): each item stores its index. An item is in one heap
 * at a time.
 */
export class Heap<T extends HeapItem> {
  readonly #items: T[] = [];
  readonly #before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
    this.#up(item.place);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first) this.remove(first);
    return first;
  }

  /** Whether the item was here. */
  remove(item: T): boolean {
    const place = item.place;
    if (this.#items[place] !== item) return false;
    const last = this.#items.pop() as T;
    item.place = -1;
    if (last !== item) {
      this.#set(place, last);
      this.#up(place);
      this.#down(last.place);
    }
    return true;
  }

  #set(place: number, item: T): void {
    this.#items[place] = item;
    item.place = place;
  }

  #up(start: number): void {
    const item = this.#items[start] as T;
    let place = start;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.#items[parent] as T;
      if (!this.#before(item, above)) break;
      this.#set(place, above);
      place = parent;
    }
    this.#set(place, item);
  }

  #down(start: number): void {
    const item = this.#items[start] as T;
    let place = start;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#items.length) break;
      if (child + 1 < this.#items.length && this.#before(this.#items[child + 1] as T, this.#items[child] as T)) child += 1;
      const below = this.#items[child] as T;
      if (!this.#before(below, item)) break;
      this.#set(place, below);
      place = child;
    }
    this.#set(place, item);
  }
}
