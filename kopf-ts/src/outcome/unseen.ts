import { type KubeObject, keyOf, type ObjectKey } from "../api/object.ts";
import type { Resource } from "../api/resource.ts";
import type { Clock } from "../core/clock.ts";

/** A cache that does not show a new object by then has seen it come and go, or lags so much that waiting is no help. */
const patienceMilliseconds = 5_000;
const lookAgainMilliseconds = 100;

interface Creation {
  readonly resource: Resource;
  readonly key: ObjectKey;
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
    const key = keyOf(parent.metadata);
    const creation = { resource, key: metadata, until: this.#clock.monotonic() + patienceMilliseconds };
    this.#creations.set(key, [...(this.#creations.get(key) ?? []), creation]);
  }

  /** Milliseconds after which it is worth looking again whether all are there; 0: they are, or it is no use to wait. */
  pause({ metadata }: KubeObject): number {
    const key = keyOf(metadata);
    const now = this.#clock.monotonic();
    const left = (this.#creations.get(key) ?? []).filter(
      ({ resource, key: child, until }) => until > now && !this.#cached(resource, child),
    );
    if (left.length > 0) this.#creations.set(key, left);
    else this.#creations.delete(key);
    return left.length > 0 ? lookAgainMilliseconds : 0;
  }

  forget(key: string): void {
    this.#creations.delete(key);
  }
}
