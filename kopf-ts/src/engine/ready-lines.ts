import { parseKey } from "../api/object.ts";
import { Heap, type HeapItem } from "../core/heap.ts";

/** A key that is ready: among those of its namespace the highest priority comes first, then the lowest sequence. */
export interface ReadyKey extends HeapItem {
  readonly key: string;
  readonly priority: number;
  readonly sequence: number;
}

/** The ready keys of one namespace. Its place in the heap of lines is by its turn. */
interface Line<T extends ReadyKey> extends HeapItem {
  readonly namespace: string;
  readonly keys: Heap<T>;
  turn: number;
}

const goesFirst = (a: ReadyKey, b: ReadyKey) => (a.priority === b.priority ? a.sequence < b.sequence : a.priority > b.priority);

/**
 * Ready keys in a line per namespace; keys without a namespace share one. The lines take turns, a key each (round
 * robin): between two keys of a namespace that has ready ones all the time, every other namespace gets at most one. So
 * a key waits for at most one of each other namespace per key that goes before it in its own, however many there are.
 * Only lines with keys exist; adding and taking cost O(log n) of the line and of the number of lines.
 */
export class ReadyLines<T extends ReadyKey> {
  readonly #lines = new Map<string, Line<T>>();
  readonly #turns = new Heap<Line<T>>((a, b) => a.turn < b.turn);
  #turn = 0;
  #size = 0;

  /** Keys in all lines together. */
  get size(): number {
    return this.#size;
  }

  push(key: T): void {
    const namespace = namespaceOf(key);
    let line = this.#lines.get(namespace);
    if (!line) {
      line = { namespace, keys: new Heap<T>(goesFirst), turn: 0, place: -1 };
      this.#lines.set(namespace, line);
      this.#toTheBack(line);
    }
    line.keys.push(key);
    this.#size += 1;
  }

  /** Takes the first key of the line whose turn it is; undefined if there is none. */
  pop(): T | undefined {
    const line = this.#turns.pop();
    const key = line?.keys.pop();
    if (!line || !key) return undefined;
    this.#size -= 1;
    if (line.keys.size > 0) this.#toTheBack(line);
    else this.#lines.delete(line.namespace);
    return key;
  }

  /** Files a key again whose priority or sequence has changed. Its line keeps its turn. */
  refile(key: T): void {
    const line = this.#lines.get(namespaceOf(key));
    if (line?.keys.remove(key)) line.keys.push(key);
  }

  #toTheBack(line: Line<T>): void {
    this.#turn += 1;
    line.turn = this.#turn;
    this.#turns.push(line);
  }
}

const namespaceOf = ({ key }: ReadyKey) => parseKey(key).namespace ?? "";
