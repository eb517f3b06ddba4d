import { parseKey } from "../api/object.ts";
import { Heap, type HeapItem } from "../core/heap.ts";

/** A key that is ready: among those of its namespace the highest priority comes first, then the lowest sequence. */
export interface ReadyKey extends HeapItem {
  readonly key: string;
  readonly priority: number;
  readonly sequence: number;
}

/** The ready keys of one namespace, ordered among the other namespaces' queues by its turn. */
interface NamespaceQueue<T extends ReadyKey> extends HeapItem {
  readonly namespace: string;
  readonly keys: Heap<T>;
  turn: number;
}

const goesFirst = (a: ReadyKey, b: ReadyKey) => (a.priority === b.priority ? a.sequence < b.sequence : a.priority > b.priority);

/**
 * Ready keys in one queue per namespace; keys without a namespace share one. The namespaces take turns, one key each
 * (round robin): between two keys of a namespace that always has ready ones, every other namespace gets at most one. So
 * a key waits for at most one key of each other namespace per key before it in its own, however many there are. Only
 * queues with keys exist; adding and taking cost O(log n) of the queue and of the number of queues.
 */
export class FairQueue<T extends ReadyKey> {
  readonly #queues = new Map<string, NamespaceQueue<T>>();
  readonly #turns = new Heap<NamespaceQueue<T>>((a, b) => a.turn < b.turn);
  #turn = 0;
  #size = 0;

  /** Keys in all queues together. */
  get size(): number {
    return this.#size;
  }

  push(key: T): void {
    const namespace = namespaceOf(key);
    let queue = this.#queues.get(namespace);
    if (!queue) {
      queue = { namespace, keys: new Heap<T>(goesFirst), turn: 0, place: -1 };
      this.#queues.set(namespace, queue);
      this.#toTheBack(queue);
    }
    queue.keys.push(key);
    this.#size += 1;
  }

  /** Takes the first key of the namespace whose turn it is; undefined if there is none. */
  pop(): T | undefined {
    const queue = this.#turns.pop();
    const key = queue?.keys.pop();
    if (!queue || !key) return undefined;
    this.#size -= 1;
    if (queue.keys.size > 0) this.#toTheBack(queue);
    else this.#queues.delete(queue.namespace);
    return key;
  }

  /** Orders a key again whose priority or sequence has changed. Its namespace keeps its turn. */
  refile(key: T): void {
    const queue = this.#queues.get(namespaceOf(key));
    if (queue?.keys.remove(key)) queue.keys.push(key);
  }

  #toTheBack(queue: NamespaceQueue<T>): void {
    this.#turn += 1;
    queue.turn = this.#turn;
    this.#turns.push(queue);
  }
}

const namespaceOf = ({ key }: ReadyKey) => parseKey(key).namespace ?? "";
