import { Client } from "../api/client.ts";
import { staticCredentials } from "../api/credentials.ts";
import { type KubeObject, keyOf } from "../api/object.ts";
import { apiVersionOf, type Resource } from "../api/resource.ts";
import type { Cache, CacheReader } from "../cache/cache.ts";
import { type IndexFunction, Store } from "../cache/store.ts";
import type { Clock } from "../core/clock.ts";
import { silentLogger } from "../core/logger.ts";
import type { EventInput } from "../outcome/outcome.ts";
import type { Context } from "../outcome/reconciler.ts";
import { Recorder } from "../outcome/recorder.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** The indexes of a fake cache, by resource. */
export interface FakeIndex<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>;
  readonly name: string;
  readonly values: IndexFunction<T>;
}

/** A cache that holds exactly these objects; their resource is determined by `apiVersion` and `kind`. */
export function fakeCache(objects: readonly KubeObject[] = [], indexes: readonly FakeIndex[] = []): Cache {
  return <T extends KubeObject>(resource: Resource<T>): CacheReader<T> => {
    const isOne = (object: KubeObject) => object.kind === resource.kind && object.apiVersion === apiVersionOf(resource);
    const store = new Store<T>({ freeze: "deep" });
    for (const { resource: indexed, name, values } of indexes) {
      if (indexed.kind === resource.kind) store.addIndex(name, values as unknown as IndexFunction<T>);
    }
    for (const object of objects.filter(isOne)) store.put(structuredClone(object) as T);
    return {
      get: (key) => store.get(keyOf(key)),
      byIndex: (index, value) => store.byIndex(index, value),
      list: (lookup) => store.list(lookup),
    };
  };
}

/** A recorder that keeps its events. */
export class FakeRecorder extends Recorder {
  readonly told: { readonly regarding: KubeObject; readonly event: EventInput }[] = [];

  constructor() {
    super({ client: unreachableClient(), controller: "test", instance: "test", logger: silentLogger });
  }

  override event(regarding: KubeObject, event: EventInput): void {
    this.told.push({ regarding, event });
  }
}

/**
 * A reconciler's context over a fake cache; give a FakeApiServer's client where live reads are made.
 *
 * @example
 * ```ts
 * import { pods } from "kopf-ts";
 * import { fakeContext } from "kopf-ts/testing";
 *
 * const pod = { apiVersion: "v1", kind: "Pod", metadata: { namespace: "shop", name: "a" } };
 * const ctx = fakeContext({ objects: [pod] });
 * const [found] = ctx.cache(pods).list({ namespace: "shop" });
 * ```
 */
export function fakeContext(
  options: { objects?: readonly KubeObject[]; indexes?: readonly FakeIndex[]; client?: Client; clock?: Clock; signal?: AbortSignal } = {},
): Context & { recorder: FakeRecorder } {
  return {
    client: options.client ?? unreachableClient(),
    cache: fakeCache(options.objects, options.indexes),
    clock: options.clock ?? new VirtualClock(),
    logger: silentLogger,
    signal: options.signal ?? new AbortController().signal,
    reconcileID: "test",
    recorder: new FakeRecorder(),
  };
}

/** Port 9 of this machine, on which nothing listens, so a read that a test did not prepare fails at once. */
function unreachableClient(): Client {
  return new Client({ credentials: staticCredentials("http://127.0.0.1:9"), retries: 0 });
}
