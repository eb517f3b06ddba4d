import type { KubeObject, ObjectKey } from "../api/object.ts";
import { selectorText } from "../api/requests.ts";
import { nameOf, type Resource } from "../api/resource.ts";
import { sleep } from "../core/clock.ts";
import { type CacheSelection, Informer, type InformerOptions } from "./cache.ts";
import type { ReflectorObserver } from "./reflector.ts";

type Sizes = Pick<Informer<KubeObject>, "size" | "unfitSize">;

/** All informers of a manager, shared by resource and selector. */
export class Informers {
  readonly #base: Omit<InformerOptions<KubeObject>, "resource" | keyof CacheSelection | "observer">;
  readonly #observer: (resource: Resource, informer: () => Sizes) => ReflectorObserver;
  readonly #informers = new Map<string, Informer<KubeObject>>();
  #started = false;

  constructor(
    base: Omit<InformerOptions<KubeObject>, "resource" | keyof CacheSelection | "observer">,
    observer: (resource: Resource, informer: () => Sizes) => ReflectorObserver = () => ({}),
  ) {
    this.#base = base;
    this.#observer = observer;
  }

  get all(): readonly Informer<KubeObject>[] {
    return [...this.#informers.values()];
  }

  /**
   * The informer for this selection, created on first use. After the start none can be created: then only existing ones
   * are returned.
   */
  of<T extends KubeObject>(resource: Resource<T>, selection: CacheSelection = {}): Informer<T> {
    const id = `${resource.version}/${nameOf(resource)}|${selectorText(selection.labelSelector) ?? ""}|${selectorText(selection.fieldSelector) ?? ""}|${selection.metadataOnly ? "metadata" : ""}`;
    const known = this.#informers.get(id) as Informer<T> | undefined;
    if (known) return known;
    if (this.#started) {
      throw new Error(
        `nothing caches ${nameOf(resource)} with this selection; call manager.cache(…), .owns(…) or .watches(…) with it before the manager starts`,
      );
    }
    const observer = this.#observer(resource, () => informer);
    const informer: Informer<T> = new Informer<T>({ ...(this.#base as InformerOptions<T>), ...selection, resource, observer });
    this.#informers.set(id, informer as unknown as Informer<KubeObject>);
    this.#base.client.resources.add(resource);
    return informer;
  }

  /** The object from any of this resource's informers. */
  find(resource: Resource, key: ObjectKey): KubeObject | undefined {
    const name = nameOf(resource);
    for (const informer of this.#informers.values()) {
      const found = nameOf(informer.resource) === name ? informer.get(key) : undefined;
      if (found) return found;
    }
    return undefined;
  }

  /** Whether any of the informers of this resource has to come to know this object. */
  willShow(resource: Resource, object: KubeObject): boolean {
    const name = nameOf(resource);
    return this.all.some((informer) => nameOf(informer.resource) === name && informer.willShow(object));
  }

  /** Starts every informer; the answer resolves once all have ended. */
  run(signal: AbortSignal): Promise<unknown> {
    this.#started = true;
    return Promise.all(this.all.map((informer) => informer.run(signal)));
  }

  /**
   * Resolves once every cache is complete, or the signal aborts.
   *
   * @throws Error that names the caches which were not complete within this time.
   */
  async waitForSync(seconds: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    signal.addEventListener("abort", () => over.abort(), { once: true });
    const synced = Promise.all(this.all.map((informer) => informer.synced)).then(() => over.abort());
    await Promise.race([synced, sleep(this.#base.clock, seconds * 1000, over.signal)]);
    if (over.signal.aborted) return;
    const missing = this.all
      .filter((informer) => !informer.hasSynced)
      .map(({ resource, lastError }) => `${nameOf(resource)}${lastError ? ` (${lastError.message})` : ""}`);
    throw new Error(
      `these caches were not complete after ${seconds} s: ${missing.join(", ")}; check the RBAC rules and that the CRDs are installed`,
    );
  }
}
