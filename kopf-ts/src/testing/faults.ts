import type { StatusDetails } from "../api/api-error.ts";

/** A request as passed to a fault's `match` and as recorded. */
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
 * - `refuse`: an error response.
 * - `reset`: the connection is cut before anything happened.
 * - `reset after`: the request is carried out, but its response never arrives.
 * - `hang`: never a response; the connection stays open.
 * - `cut`: the request is carried out; its response is cut off after half of its bytes.
 * - `hold`: carried out once `until` has settled.
 */
export type FaultAction =
  | {
      readonly do: "refuse";
      readonly status: number;
      readonly reason?: string;
      /** The server's words. Default: `injected` and the status. */
      readonly message?: string;
      readonly details?: StatusDetails;
      readonly retryAfterSeconds?: number;
    }
  | { readonly do: "reset" }
  | { readonly do: "reset after" }
  | { readonly do: "hang" }
  | { readonly do: "cut" }
  | { readonly do: "hold"; readonly until: Promise<unknown> };

/** A fault for the next requests that match. */
export interface Fault {
  /** Which requests it applies to. Default: all. */
  readonly match?: (request: SeenRequest) => boolean;
  /** How many requests it applies to. Default 1. */
  readonly times?: number;
  readonly action: FaultAction;
}

/** The pending faults, in order. */
export class Faults {
  readonly #pending: { match: (request: SeenRequest) => boolean; left: number; action: FaultAction }[] = [];

  add({ match = () => true, times = 1, action }: Fault): void {
    this.#pending.push({ match, left: times, action });
  }

  /** How many requests are still to be hit. */
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
