import { type Clock, systemClock } from "@rune/clients/clock";

/** Counts open requests by model, so that nothing is unloaded under them. */
export class InFlight {
  readonly #counts = new Map<string, number>();
  readonly #lastUses = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** The returned function ends the request; calling it again changes nothing. */
  begin(model: string): () => void {
    this.#counts.set(model, this.count(model) + 1);
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      const left = this.count(model) - 1;
      if (left > 0) this.#counts.set(model, left);
      else this.#counts.delete(model);
      this.#lastUses.set(model, this.#clock.now());
      for (const look of this.#waiting) look();
    };
  }

  count(model: string): number {
    return this.#counts.get(model) ?? 0;
  }

  /** When the model's last request ended, in milliseconds since the epoch. */
  lastUse(model: string): number | undefined {
    return this.#lastUses.get(model);
  }

  /** The model was unloaded; its last use doesn't matter any more. */
  forget(model: string): void {
    this.#lastUses.delete(model);
  }

  total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Whether all requests, or all of one model, ended within the time. */
  async drained(milliseconds: number, model?: string): Promise<boolean> {
    const left = () => (model === undefined ? this.total() : this.count(model));
    if (left() === 0) return true;
    const over = new AbortController();
    let look = () => undefined as undefined;
    const idle = new Promise<void>((resolve) => {
      look = () => {
        if (left() === 0) resolve();
        return undefined;
      };
      this.#waiting.add(look);
    });
    await Promise.race([idle, this.#clock.wait(milliseconds, over.signal).catch(() => undefined)]);
    this.#waiting.delete(look);
    over.abort();
    return left() === 0;
  }
}
