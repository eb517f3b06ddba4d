import { ApiError } from "./api-error.ts";
import type { KubeObject } from "./object.ts";
import { apiVersionOf, builtins, nameOf, type Resource } from "./resource.ts";

interface ApiResourceList {
  resources: {
    name: string;
    kind: string;
    namespaced: boolean;
    singularName?: string;
    shortNames?: string[];
    verbs?: string[];
    categories?: string[];
  }[];
}

interface ApiGroupList {
  groups: { name: string; preferredVersion: { groupVersion: string } }[];
}

/** A resource as the server describes it. */
export interface DiscoveredResource extends Resource {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly verbs: readonly string[];
  readonly categories: readonly string[];
  /** Such as `status` and `scale`. */
  readonly subresources: readonly string[];
}

/**
 * From the `apiVersion` and `kind` in a manifest to the resource that serves it: known ones at once, others by a
 * request to the server, once.
 */
export class ResourceMap {
  readonly #known = new Map<string, Resource>();
  readonly #asked = new Map<string, Promise<ApiResourceList>>();
  readonly #get: <A>(path: string) => Promise<A>;

  constructor(get: <A>(path: string) => Promise<A>) {
    this.#get = get;
    for (const resource of builtins) this.add(resource);
  }

  /** Makes a resource known, so that no server has to be asked. */
  add(resource: Resource): void {
    this.#known.set(`${apiVersionOf(resource)}/${resource.kind}`, resource);
  }

  /** The resource of an object, or a promise of it where the server must be queried. */
  of(object: Pick<KubeObject, "apiVersion" | "kind">): Resource | Promise<Resource> {
    return this.#known.get(`${object.apiVersion}/${object.kind}`) ?? this.#discover(object.apiVersion, object.kind);
  }

  /**
   * Everything the server serves, each group in the version it prefers. Without groups whose own server is unavailable
   * (503: a broken APIService), or that are being deleted (404).
   */
  async list(): Promise<DiscoveredResource[]> {
    const { groups } = await this.#get<ApiGroupList>("/apis");
    const versions = ["v1", ...groups.map(({ preferredVersion }) => preferredVersion.groupVersion)];
    const answers = await Promise.allSettled(versions.map((version) => this.#describe(version)));
    return answers.flatMap((answer) => {
      if (answer.status === "fulfilled") return answer.value;
      if (answer.reason instanceof ApiError && (answer.reason.status === 503 || answer.reason.status === 404)) return [];
      throw answer.reason;
    });
  }

  /** By any name that kubectl accepts: `pods`, `pod`, `po`, `deployments.apps`, `Deployment`. */
  async find(name: string): Promise<DiscoveredResource | undefined> {
    const wanted = name.toLowerCase();
    const isIt = (resource: DiscoveredResource) =>
      [resource.plural, nameOf(resource), resource.singular, resource.kind.toLowerCase(), ...resource.shortNames].includes(wanted);
    return (await this.list()).find(isIt);
  }

  /** Whether the server lists a status subresource for it. */
  async hasStatus(resource: Resource): Promise<boolean> {
    const served = await this.#describe(apiVersionOf(resource));
    return served.some(({ plural, subresources }) => plural === resource.plural && subresources.includes("status"));
  }

  async #describe(apiVersion: string): Promise<DiscoveredResource[]> {
    const { resources } = await this.#get<ApiResourceList>(apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`);
    const [version = apiVersion, group = ""] = apiVersion.split("/").reverse();
    const subresourcesOf = (plural: string) =>
      resources.filter(({ name }) => name.startsWith(`${plural}/`)).map(({ name }) => name.slice(plural.length + 1));
    return resources
      .filter(({ name }) => !name.includes("/"))
      .map(({ name: plural, kind, namespaced, singularName, shortNames = [], verbs = [], categories = [] }) => {
        const found: Resource = { group, version, plural, kind, namespaced };
        this.add(found);
        return {
          ...found,
          singular: singularName || kind.toLowerCase(),
          shortNames,
          verbs,
          categories,
          subresources: subresourcesOf(plural),
        };
      });
  }

  async #discover(apiVersion: string, kind: string): Promise<Resource> {
    const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    let asking = this.#asked.get(path);
    if (!asking) {
      // Not cached beyond the answer: a kind that is installed later must be found later.
      asking = this.#get<ApiResourceList>(path).finally(() => this.#asked.delete(path));
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
