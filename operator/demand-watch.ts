import { type Clock, systemClock } from "@rune/clients/clock";
import type { LoaderClient } from "@rune/clients/loader/loader";
import type { LoaderAddress } from "@rune/controllers/shared/services";

type Followed = { wake: () => void; until: number };

const followed = 60_000;
const pause = 5_000;
/** Pause between wake-ups, so that clients that request ever new names can't keep the operator busy. */
const breath = 500;

/**
 * Notices at once when clients request an adapter that a loader doesn't hold: one open request per followed engine,
 * which stops when the engine is no longer followed.
 */
export class DemandWatch {
  readonly #open: (address: LoaderAddress) => Pick<LoaderClient, "wanted">;
  readonly #clock: Clock;
  readonly #followed = new Map<string, Followed>();

  constructor(open: (address: LoaderAddress) => Pick<LoaderClient, "wanted">, clock: Clock = systemClock) {
    this.#open = open;
    this.#clock = clock;
  }

  follow(address: LoaderAddress, wake: () => void): void {
    const key = `${address.podUID} ${address.ip}`;
    const isNew = !this.#followed.has(key);
    this.#followed.set(key, { wake, until: this.#clock.now() + followed });
    if (isNew) void this.#watch(key, address);
  }

  async #watch(key: string, address: LoaderAddress): Promise<void> {
    const loader = this.#open(address);
    let sequence = 0;
    for (let entry = this.#followed.get(key); entry && entry.until > this.#clock.now(); entry = this.#followed.get(key)) {
      try {
        const seen = await loader.wanted(sequence);
        const isNew = seen.sequence !== sequence && seen.wanted.length > 0;
        sequence = seen.sequence;
        if (!isNew) continue;
        this.#followed.get(key)?.wake();
        await this.#clock.wait(breath);
      } catch {
        // The loader is unavailable, or too old for this request; the server's reconcile notices both.
        await this.#clock.wait(pause);
      }
    }
    this.#followed.delete(key);
  }
}
