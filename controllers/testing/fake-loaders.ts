import { LoaderDenied, LoaderUnavailable } from "@rune/clients/loader/loader";
import type { DemandVerdict, HeldAdapter, LoaderState, LoadRequest, refusal } from "@rune/crds/contracts/loader";
import type { z } from "zod";
import type { LoaderAddress, Services } from "../shared/services.ts";

/** Loaders of pods that exist only in a test: they hold what they are asked to load. */
export class FakeLoaders {
  /** Whether the registry that loaders pull from is unavailable. */
  registryAway = false;
  /** Adapters whose bytes can't be pulled, while others' can. */
  readonly unpullable = new Set<string>();
  /** Whether loaders refuse the operator's token. */
  denies = false;
  /** Responses to clients that waited for an adapter. */
  readonly answers = new Map<string, DemandVerdict>();
  readonly #followers = new Map<string, () => void>();
  readonly #states = new Map<string, LoaderState>();
  readonly requests: LoadRequest[] = [];
  /** Adapters that every loader refuses, with the reason. */
  readonly refusals = new Map<string, z.infer<typeof refusal>>();

  /** Makes the engine of a pod ready. */
  boot(podUID: string, engine: Partial<LoaderState["engine"]> = {}): void {
    this.#states.set(podUID, {
      engine: { ready: true, bootID: `boot of ${podUID}`, slots: 4, maxRank: 16, ...engine },
      adapters: [],
      wanted: [],
    });
  }

  /** Makes clients of a pod request adapters that it doesn't hold. */
  ask(podUID: string, ...names: string[]): void {
    this.#states.set(podUID, { ...this.#of(podUID), wanted: names });
    this.#followers.get(podUID)?.();
  }

  readonly followDemand = ({ podUID }: LoaderAddress, wake: () => void): void => {
    this.#followers.set(podUID, wake);
  };

  held(podUID: string): string[] {
    return this.#of(podUID).adapters.flatMap(({ name, state }) => (state === "Loaded" ? [name] : []));
  }

  readonly loader = ({ podUID }: LoaderAddress): ReturnType<Services["loader"]> => ({
    state: async () => structuredClone(this.#of(podUID)),
    load: async (name, request) => {
      this.requests.push(request);
      if (this.registryAway || this.unpullable.has(name)) {
        this.#set(podUID, name, { name, digest: request.digest, state: "Refused", reason: "RegistryUnavailable" });
        throw new LoaderUnavailable("the registry is unavailable", { retryAfterSeconds: 2 });
      }
      const reason = this.refusals.get(name);
      return this.#set(podUID, name, {
        name,
        digest: request.digest,
        ...(reason ? { state: "Refused", reason } : { state: "Loaded", canary: "Matched" }),
      });
    },
    unload: async (name) => this.#set(podUID, name, undefined),
    answer: async (name, verdict) => {
      this.answers.set(name, verdict);
      const state = this.#of(podUID);
      this.#states.set(podUID, { ...state, wanted: state.wanted.filter((each) => each !== name) });
      return structuredClone(this.#of(podUID));
    },
  });

  #set(podUID: string, name: string, entry: HeldAdapter | undefined): LoaderState {
    const state = this.#of(podUID);
    const others = state.adapters.filter((held) => held.name !== name);
    const next = { ...state, adapters: entry ? [...others, entry] : others };
    this.#states.set(podUID, next);
    return structuredClone(next);
  }

  #of(podUID: string): LoaderState {
    if (this.denies) throw new LoaderDenied(`the loader of pod ${podUID} refused this operator's token`);
    const state = this.#states.get(podUID);
    if (!state) throw new LoaderUnavailable(`no engine of pod ${podUID} answers`);
    return state;
  }
}
