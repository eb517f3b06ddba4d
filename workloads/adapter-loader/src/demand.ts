import { type Clock, systemClock } from "@rune/clients/clock";
import { type DemandVerdict, demandLimits, demandWatchSeconds, type LoaderDemand } from "@rune/crds/contracts/loader";

/** How the wait for an adapter ended: it is there, it isn't and why, or the client disconnected. */
export type Ending = { there: true } | { there: false; verdict: DemandVerdict } | { there: false; verdict?: undefined };

const mostWaiting = 256;
/**
 * How long an answer is cached, so that a client that keeps retrying doesn't cause a request to the operator each time.
 */
const remembered = 5_000;
const mostRemembered = 1_000;

/**
 * Adapters that clients request and that aren't here. The operator reads their names and loads each or reports why not;
 * meanwhile the clients wait. However many clients wait for one adapter, it is listed once.
 */
export class Demand {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<(ending: Ending) => void>>();
  readonly #verdicts = new Map<string, { verdict: DemandVerdict; until: number }>();
  readonly #watching = new Set<() => void>();
  #sequence = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  get wanted(): string[] {
    return [...this.#waiting.keys()];
  }

  /** Whether no further client may wait. */
  isFull(name: string): boolean {
    const waiting = [...this.#waiting.values()].reduce((sum, each) => sum + each.size, 0);
    return waiting >= mostWaiting || (!this.#waiting.has(name) && this.#waiting.size >= demandLimits.names);
  }

  /** Waits until the adapter is there or the reason why not is known, a minute at most. */
  async wait(name: string, signal: AbortSignal): Promise<Ending> {
    const known = this.#verdicts.get(name);
    if (known && known.until > this.#clock.now()) return { there: false, verdict: known.verdict };
    const over = new AbortController();
    const { promise, resolve } = Promise.withResolvers<Ending>();
    const leave = () => resolve({ there: false });
    signal.addEventListener("abort", leave);
    this.#join(name, resolve);
    const late = this.#clock.wait(demandLimits.seconds * 1_000, over.signal).then(
      () => ({ there: false as const, verdict: tooLate(name) }),
      () => promise,
    );
    const ending = signal.aborted ? ({ there: false } as const) : await Promise.race([promise, late]);
    over.abort();
    signal.removeEventListener("abort", leave);
    this.#leave(name, resolve);
    return ending;
  }

  /** The adapter is ready for requests. */
  arrived(name: string): void {
    this.#verdicts.delete(name);
    this.#end(name, { there: true });
  }

  /** Why it isn't loaded. */
  answer(name: string, verdict: DemandVerdict): void {
    this.#verdicts.delete(name);
    this.#verdicts.set(name, { verdict, until: this.#clock.now() + remembered });
    const [oldest] = this.#verdicts.keys();
    if (this.#verdicts.size > mostRemembered && oldest !== undefined) this.#verdicts.delete(oldest);
    this.#end(name, { there: false, verdict });
  }

  /** Releases all waiting clients when the server exits. */
  dismiss(message: string): void {
    for (const name of this.wanted) this.#end(name, { there: false, verdict: { message, retrySeconds: 1 } });
  }

  /** Resolves as soon as an adapter is wanted that wasn't wanted at `after`. */
  async watch(after: number, signal: AbortSignal): Promise<LoaderDemand> {
    if (after === this.#sequence) {
      const over = new AbortController();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#watching.add(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      await Promise.race([promise, this.#clock.wait(demandWatchSeconds * 1_000, over.signal).catch(() => undefined)]);
      over.abort();
      this.#watching.delete(resolve);
    }
    return { sequence: this.#sequence, wanted: this.wanted };
  }

  #join(name: string, resolve: (ending: Ending) => void): void {
    const waiting = this.#waiting.get(name);
    if (waiting) {
      waiting.add(resolve);
      return;
    }
    this.#waiting.set(name, new Set([resolve]));
    this.#sequence++;
    for (const look of this.#watching) look();
  }

  #leave(name: string, resolve: (ending: Ending) => void): void {
    const waiting = this.#waiting.get(name);
    waiting?.delete(resolve);
    if (waiting?.size === 0) this.#waiting.delete(name);
  }

  #end(name: string, ending: Ending): void {
    for (const resolve of this.#waiting.get(name) ?? []) resolve(ending);
    this.#waiting.delete(name);
  }
}

const tooLate = (name: string): DemandVerdict => ({
  message: `the adapter ${name} was not loaded within ${demandLimits.seconds} s; the operator or the registry is busy or unavailable, so ask again`,
  retrySeconds: 5,
});
