import type { KubeObject } from "./object.ts";
import { apiVersionOf, builtins, type Resource } from "./resource.ts";

interface ApiResourceList {
  resources: { name: string; kind: string; namespaced: boolean }[];
}

/** From the `apiVersion` and `kind` in a manifest to the resource that serves it: known ones at once, others by asking the server, once. */
export class ResourceMap {
  readonly #known = new Map<string, Resource>();
  readonly #asked = new Map<string, Promise<ApiResourceList>>();
  readonly #get: (path: string) => Promise<ApiResourceList>;

  constructor(get: (path: string) => Promise<ApiResourceList>) {
    this.#get = get;
    for (const resource of builtins) this.add(resource);
  }

  add(resource: Resource): void {
    this.#known.set(`${apiVersionOf(resource)}/${resource.kind}`, resource);
  }

  /** The resource of an object, or a promise of it where the server has to be asked. */
  of(object: Pick<KubeObject, "apiVersion" | "kind">): Resource | Promise<Resource> {
    return this.#known.get(`${object.apiVersion}/${object.kind}`) ?? this.#discover(object.apiVersion, object.kind);
  }

  async #discover(apiVersion: string, kind: string): Promise<Resource> {
    const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    let asking = this.#asked.get(path);
    if (!asking) {
      // Not kept beyond the answer: a kind that is installed later must be found later.
      asking = this.#get(path).finally(() => this.#asked.delete(path));
      this.#asked.set(path, asking);
    }
    const [version = apiVersion, group = ""] = apiVersion.split("/").reverse();
    for (const { name, kind, namespaced } of (await asking).resources) {
      if (!name.includes("/")) this.add({ group, version, plural: name, kind, namespaced });
    }
    const found = this.#known.get(`${apiVersion}/${kind}`);
    if (!found) throw new Error(`the server has no kind ${kind} in ${apiVersion}; install its CustomResourceDefinition`);
    return found;
  }
}
