import { type Clock, systemClock } from "@rune/clients/clock";

/** Counts the requests that are being answered, by model, so that nothing is unloaded under them. */
export class InFlight {
  readonly #counts = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  /** The function that is given back ends it; calling it again changes nothing. */
  begin(model: string): () => void {
    this.#counts.set(model, this.count(model) + 1);
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      const left = this.count(model) - 1;
      if (left > 0) this.#counts.set(model, left);
      else this.#counts.delete(model);
      for (const look of this.#waiting) look();
    };
  }

  count(model: string): number {
    return this.#counts.get(model) ?? 0;
  }

  total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Whether all requests, or all of one model, ended within the time. */
  async drained(milliseconds: number, model?: string, clock: Clock = systemClock): Promise<boolean> {
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
    await Promise.race([idle, clock.wait(milliseconds, over.signal).catch(() => undefined)]);
    this.#waiting.delete(look);
    over.abort();
    return left() === 0;
  }
}
