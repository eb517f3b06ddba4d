/** What a request looks like to a fault's `match` and to the log of requests. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly accept: string;
  readonly body: string;
  readonly watch: boolean;
}

/**
 * - `refuse`: an error answer.
 * - `reset`: the connection is cut before anything happened.
 * - `reset after`: the request is carried out, but its answer never arrives.
 * - `hang`: no answer, ever; the connection stays open.
 * - `cut`: the request is carried out; its answer breaks off after half of its bytes.
 * - `hold`: carried out once `until` has settled.
 */
export type FaultAction =
  | { readonly do: "refuse"; readonly status: number; readonly reason?: string; readonly retryAfterSeconds?: number }
  | { readonly do: "reset" }
  | { readonly do: "reset after" }
  | { readonly do: "hang" }
  | { readonly do: "cut" }
  | { readonly do: "hold"; readonly until: Promise<unknown> };

/** A fault that strikes the next requests that match. */
export interface Fault {
  /** Which requests it strikes. Default: all. */
  readonly match?: (request: SeenRequest) => boolean;
  /** How many requests it strikes. Default 1. */
  readonly times?: number;
  readonly action: FaultAction;
}

/** The faults still to come, in order. */
export class Faults {
  readonly #pending: { match: (request: SeenRequest) => boolean; left: number; action: FaultAction }[] = [];

  add({ match = () => true, times = 1, action }: Fault): void {
    this.#pending.push({ match, left: times, action });
  }

  /** How many strikes are still to come. */
  get left(): number {
    return this.#pending.reduce((sum, { left }) => sum + left, 0);
  }

  clear(): void {
    this.#pending.length = 0;
  }

  strike(request: SeenRequest): FaultAction | undefined {
    const fault = this.#pending.find(({ match }) => match(request));
    if (!fault) return undefined;
    fault.left -= 1;
    if (fault.left <= 0) this.#pending.splice(this.#pending.indexOf(fault), 1);
    return fault.action;
  }
}
