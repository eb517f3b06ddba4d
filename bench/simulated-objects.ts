import { customResourceDefinition } from "@rune/crds/generate/definition";
import { kinds } from "@rune/crds/kinds/kinds";
import { apiVersion } from "../crds/words/group.ts";
import type { Api } from "./operator/http.ts";
import { installDefinition } from "./operator/widgets.ts";

/** A Rune object whose status is written by the benchmark instead of a controller. */
export interface SimulatedObject {
  readonly name: string;
  readonly labels?: object;
  readonly spec: object;
  readonly status: object;
}

const time = "2026-01-01T00:00:00Z";
export const condition = (type: string) => ({
  ...{ type, status: "True", reason: type, message: "" },
  lastTransitionTime: time,
  observedGeneration: 1,
});

export async function installKinds(api: Api): Promise<void> {
  for (const kind of kinds) {
    const path = `/apis/${apiVersion}/namespaces/default/${kind.plural}`;
    await installDefinition(api, customResourceDefinition(kind), path);
  }
}

/** Creates an object below `path`, such as `/apis/rune.dev/v1alpha1/namespaces/x/adapters`, and writes its status. */
export async function createWithStatus(
  api: Api,
  path: string,
  object: SimulatedObject & { readonly kind: string; readonly namespace: string },
): Promise<void> {
  const { kind, namespace, name, labels, spec, status } = object;
  const body = { apiVersion, kind, metadata: { name, namespace, ...(labels && { labels }) }, spec };
  const made = await api.call<{ metadata: object }>("POST", path, body);
  await api.call("PUT", `${path}/${name}/status`, { ...body, metadata: made.metadata, status });
}
