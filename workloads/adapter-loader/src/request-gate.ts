import type { InFlight } from "./in-flight.ts";

/**
 * Whether new requests are admitted. Closed while the engine is about to exit, reopened for the next one; locked when
 * the pod ends.
 */
export class RequestGate {
  readonly #inFlight: InFlight;
  #shut = false;
  #locked = false;

  constructor(inFlight: InFlight) {
    this.#inFlight = inFlight;
  }

  get open(): boolean {
    return !this.#shut && !this.#locked;
  }

  /** Another engine started: what was closed for the old one opens. */
  reopen(): void {
    this.#shut = false;
  }

  /** Refuses new requests until the next engine start, waits for open ones, returns how many remain. */
  async drain(milliseconds: number): Promise<number> {
    this.#shut = true;
    await this.#inFlight.drained(milliseconds);
    return this.#inFlight.total();
  }

  async lock(milliseconds: number): Promise<number> {
    this.#locked = true;
    return await this.drain(milliseconds);
  }
}
