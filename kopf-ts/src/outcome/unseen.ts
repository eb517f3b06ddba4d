import { type KubeObject, keyOf, type ObjectKey } from "../api/object.ts";
import type { Resource } from "../api/resource.ts";
import type { Clock } from "../core/clock.ts";

/** A cache that does not show a new object by then has seen it come and go, or lags so much that waiting is no help. */
const patienceMilliseconds = 5_000;
const lookAgainMilliseconds = 100;
/** The name of a child whose creation got no response is not known: a cache shows it by then, if it was created. */
const lostMilliseconds = 1_000;

interface Creation {
  /** Undefined if the response was lost. */
  readonly child: { readonly resource: Resource; readonly key: ObjectKey } | undefined;
  readonly until: number;
}

/**
 * Children whose names the server made up, created for an object and not in the cache yet: a pass that looked now would
 * miss them and create more. The expectations of Kubernetes' own controllers (ReplicaSet, Job).
 */
export class Unseen {
  readonly #clock: Clock;
  readonly #cached: (resource: Resource, key: ObjectKey) => KubeObject | undefined;
  readonly #creations = new Map<string, Creation[]>();

  constructor(clock: Clock, cached: (resource: Resource, key: ObjectKey) => KubeObject | undefined) {
    this.#clock = clock;
    this.#cached = cached;
  }

  created(parent: KubeObject, resource: Resource, { metadata }: KubeObject): void {
    const { namespace, name } = metadata;
    this.#await(parent, { resource, key: { namespace, name } }, patienceMilliseconds);
  }

  /** The response to a creation was lost: the child may exist. */
  lost(parent: KubeObject): void {
    this.#await(parent, undefined, lostMilliseconds);
  }

  #await(parent: KubeObject, child: Creation["child"], milliseconds: number): void {
    const key = keyOf(parent.metadata);
    const creation = { child, until: this.#clock.monotonic() + milliseconds };
    this.#creations.set(key, [...(this.#creations.get(key) ?? []), creation]);
  }

  /** Milliseconds after which it is worth looking again whether all are there; 0: they are, or it is no use to wait. */
  pause({ metadata }: KubeObject): number {
    const key = keyOf(metadata);
    const now = this.#clock.monotonic();
    const left = (this.#creations.get(key) ?? []).filter(
      ({ child, until }) => until > now && !(child && this.#cached(child.resource, child.key)),
    );
    if (left.length > 0) this.#creations.set(key, left);
    else this.#creations.delete(key);
    return left.length > 0 ? lookAgainMilliseconds : 0;
  }

  forget(key: string): void {
    this.#creations.delete(key);
  }
}
