import type { InFlight } from "./in-flight.ts";

/** Whether new requests are let in. Shut while the engine is about to end, open again for the next one; locked when the pod ends. */
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

  /** Another engine started: what was shut for the old one opens. */
  reopen(): void {
    this.#shut = false;
  }

  /** Lets nobody in until the next engine, and waits for those who are in. Gives how many are left. */
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
