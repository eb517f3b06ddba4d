import { type Modification, modifyWith } from "./modify.ts";
import type { DynamicObject, KubeObject, ObjectKey } from "./object.ts";
import { type ApplyOptions, applyRequest, type Patch, type PatchOptions, patchRequest, replaceRequest } from "./requests.ts";
import { pathOf, type Resource } from "./resource.ts";
import type { Transport } from "./transport.ts";

/** Writes to one subresource of objects. */
export class Subresource {
  readonly #transport: Transport;
  readonly #name: string;

  constructor(transport: Transport, name: string) {
    this.#transport = transport;
    this.#name = name;
  }

  /** Server-side apply of this subresource. */
  apply<T extends KubeObject>(resource: Resource<T>, object: DynamicObject, options: ApplyOptions): Promise<T> {
    return this.#transport.json(applyRequest(resource, object, options, this.#name));
  }

  /** Changes some fields of this subresource: an object is a JSON merge patch, a list a JSON patch. */
  patch<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, patch: Patch, options: PatchOptions = {}): Promise<T> {
    return this.#transport.json(patchRequest(resource, key, patch, options, this.#name));
  }

  /** As the client's, on this subresource alone. */
  modify<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    modification: Modification<T>,
    options: PatchOptions = {},
  ): Promise<T> {
    const read = () => this.#transport.json<T>({ method: "GET", path: pathOf(resource, key), signal: options.signal });
    return modifyWith(read, (patch) => this.patch(resource, key, patch, options), modification);
  }

  /** Refused with a conflict if the object's `resourceVersion` is not the newest. */
  replace<T extends KubeObject>(resource: Resource<T>, object: T, options: PatchOptions = {}): Promise<T> {
    return this.#transport.json(replaceRequest(resource, object, options, this.#name));
  }
}
