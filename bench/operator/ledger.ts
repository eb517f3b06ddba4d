import type { Widget } from "./widgets.ts";

/**
 * Revisions that were sent and those that a status has acknowledged; times in microseconds of the machine's monotonic
 * clock.
 */
export class Ledger {
  readonly #open = new Map<string, { revision: number; sentAt: number }[]>();
  readonly #newest = new Map<string, number>();
  #sentAt: number[] = [];
  #answeredAt: number[] = [];

  /** The state of a widget from a watch or a list, and when it was seen. */
  see({ metadata, spec, status }: Widget, at: number): void {
    const key = metadata.uid;
    const revision = spec?.revision;
    if (revision === undefined) return;
    const open = this.#open.get(key) ?? [];
    if (revision > (this.#newest.get(key) ?? 0)) {
      open.push({ revision, sentAt: spec?.sentAt ?? at });
      this.#newest.set(key, revision);
    }
    const seen = status?.revision ?? 0;
    const still = open.filter((one) => one.revision > seen);
    for (const one of open) {
      if (one.revision > seen) continue;
      this.#sentAt.push(one.sentAt);
      this.#answeredAt.push(at);
    }
    if (still.length > 0) this.#open.set(key, still);
    else this.#open.delete(key);
  }

  /** The widget was deleted: nothing is expected for it any more. */
  drop(uid: string): void {
    this.#open.delete(uid);
    this.#newest.delete(uid);
  }

  /** Widgets that are not among these are deleted. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const uid of [...this.#newest.keys()]) if (!uids.has(uid)) this.drop(uid);
  }

  /** How many revisions have been answered since `forget`. */
  get answered(): number {
    return this.#answeredAt.length;
  }

  /** When the oldest unanswered revision was sent. */
  get oldestOpen(): number | undefined {
    let oldest: number | undefined;
    for (const [first] of this.#open.values()) {
      if (first && first.sentAt < (oldest ?? Number.POSITIVE_INFINITY)) oldest = first.sentAt;
    }
    return oldest;
  }

  /** Pairs, in the order of the answers. */
  get times(): { sentAt: readonly number[]; answeredAt: readonly number[] } {
    return { sentAt: this.#sentAt, answeredAt: this.#answeredAt };
  }

  /** Resets the count; what is open stays open. */
  forget(): void {
    this.#sentAt = [];
    this.#answeredAt = [];
  }
}
