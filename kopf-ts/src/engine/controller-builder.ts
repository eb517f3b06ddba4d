import type { KubeObject, ObjectKey } from "../api/object.ts";
import type { Resource } from "../api/resource.ts";
import type { Cache, CacheSelection, Informer } from "../cache/cache.ts";
import { checkNumbers } from "../core/numbers.ts";
import { refersTo } from "../outcome/owner.ts";
import type { Predicate } from "../outcome/predicate.ts";
import type { Reconciler } from "../outcome/reconciler.ts";
import { isOnlyRetrying } from "../outcome/status.ts";
import { Controller, type ControllerOptions, type Surroundings } from "./controller.ts";
import { lookingAfter, owning, type Verb, writingChildren } from "./permission.ts";

/** Which objects of a watched kind a controller receives. */
export interface SourceOptions<T extends KubeObject> extends CacheSelection {
  readonly predicate?: Predicate<T>;
  /**
   * What the controller does with these objects beside listing and watching them: nothing but `rbacOf` asks for it.
   * Default: whatever an Outcome may do with a kind in this place.
   */
  readonly verbs?: readonly Verb[];
}

/** The objects to reconcile because this one changed. Called for the old and the new state of an update. */
export type MapFunction<T extends KubeObject> = (object: T, cache: Cache) => Iterable<ObjectKey>;

/**
 * A controller under construction: its kind, what triggers it, how it runs. `complete` finishes it.
 *
 * @example
 * ```ts
 * import { configMaps, generationChanged, Manager, pods, resource, unchanged } from "kopf-ts";
 *
 * declare const manager: Manager;
 * const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
 * manager
 *   .controller("widget")
 *   .for(widgets, { predicate: generationChanged })
 *   .owns(pods, { metadataOnly: true })
 *   .watches(configMaps, ({ metadata }) => [{ namespace: metadata.namespace, name: metadata.labels?.widget ?? "" }])
 *   .withOptions({ maxConcurrentReconciles: 8, reconcileTimeoutSeconds: 30 })
 *   .complete(() => unchanged());
 * ```
 */
export class ControllerBuilder<T extends KubeObject = KubeObject> {
  readonly #name: string;
  readonly #surroundings: Surroundings;
  readonly #register: (controller: Controller<KubeObject>) => void;
  readonly #sources: ((controller: Controller<T>) => void)[] = [];
  #resource: Resource<T> | undefined;
  #informer: Informer<T> | undefined;
  #options: ControllerOptions = {};

  /** Use `manager.controller(name)`. */
  constructor(name: string, surroundings: Surroundings, register: (controller: Controller<KubeObject>) => void) {
    this.#name = name;
    this.#surroundings = surroundings;
    this.#register = register;
  }

  /** The controller's kind: each of its objects is reconciled. */
  for<U extends KubeObject>(resource: Resource<U>, options: SourceOptions<U> = {}): ControllerBuilder<U> {
    const self = this as unknown as ControllerBuilder<U>;
    const informer = this.#surroundings.informers.of(resource, options);
    self.#resource = resource;
    self.#informer = informer;
    this.#surroundings.permit(...lookingAfter(resource, options));
    self.#sources.push((controller) =>
      controller.listen(
        informer,
        (object) => [object.metadata],
        // A deletion brings no pass: it ends what is recorded about the object.
        (change) => change.type === "deleted" || (!isOnlyRetrying(change) && (options.predicate?.(change) ?? true)),
      ),
    );
    return self;
  }

  /** Changes of what its objects control reconcile the controller of the old and of the new state. */
  owns<U extends KubeObject>(resource: Resource<U>, options: SourceOptions<U> = {}): this {
    const informer = this.#surroundings.informers.of(resource, options);
    this.#surroundings.permit({ resource, verbs: options.verbs ?? writingChildren });
    this.#sources.push((controller) => {
      this.#surroundings.permit(owning(controller.resource));
      controller.listen(informer, (object) => ownersOf(object, controller.resource), options.predicate);
    });
    return this;
  }

  /** Changes of anything else reconcile the objects that `map` returns. */
  watches<U extends KubeObject>(resource: Resource<U>, map: MapFunction<U>, options: SourceOptions<U> = {}): this {
    const informer = this.#surroundings.informers.of(resource, options);
    const { cache } = this.#surroundings;
    this.#surroundings.permit({ resource, verbs: options.verbs ?? [] });
    this.#sources.push((controller) => controller.listen(informer, (object) => map(object, cache), options.predicate));
    return this;
  }

  /** Says what it does beside that: with `ctx.client`, or in Outcomes with what it does not own. Nothing but `rbacOf` asks for it. */
  uses(resource: Resource, ...verbs: readonly Verb[]): this {
    this.#surroundings.permit({ resource, verbs });
    return this;
  }

  /**
   * Sets how the controller runs; a later call adds to an earlier one.
   *
   * @throws RangeError for an invalid time or count.
   */
  withOptions(options: ControllerOptions): this {
    checkNumbers(`controller ${this.#name}`, options, {
      maxConcurrentReconciles: "a count above zero",
      reconcileTimeoutSeconds: "a time above zero",
      firstBackoffMilliseconds: "a time above zero",
      longestBackoffMilliseconds: "a time above zero",
    });
    this.#options = { ...this.#options, ...options };
    return this;
  }

  /**
   * Finishes the controller, which starts with its manager.
   *
   * @throws Error if `for` was not called.
   */
  complete(reconcile: Reconciler<T>): Controller<T> {
    if (!this.#resource || !this.#informer) throw new Error(`controller ${this.#name} looks after nothing; call .for(resource) first`);
    const parts = { name: this.#name, resource: this.#resource, informer: this.#informer, reconcile, options: this.#options };
    const controller = new Controller<T>(parts, this.#surroundings);
    for (const source of this.#sources) source(controller);
    this.#register(controller as unknown as Controller<KubeObject>);
    return controller;
  }
}

/** The keys of the controllers among an object's owners that are of this kind; cluster-scoped owners have no namespace. */
function ownersOf(object: KubeObject, resource: Resource): ObjectKey[] {
  const keys: ObjectKey[] = [];
  for (const reference of object.metadata.ownerReferences ?? []) {
    if (reference.controller !== true || !refersTo(reference, resource)) continue;
    keys.push(resource.namespaced ? { namespace: object.metadata.namespace, name: reference.name } : { name: reference.name });
  }
  return keys;
}
