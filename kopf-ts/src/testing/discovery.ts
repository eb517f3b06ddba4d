import { ApiError } from "../api/api-error.ts";
import type { Resource } from "../api/resource.ts";

/** The response to `/apis`. */
export function groupList(resources: readonly Resource[]): unknown {
  const preferred = new Map(resources.filter(({ group }) => group !== "").map((resource) => [resource.group, resource]));
  const groups = [...preferred.values()].map(({ group, version }) => {
    return { name: group, preferredVersion: { groupVersion: `${group}/${version}`, version } };
  });
  return { kind: "APIGroupList", groups };
}

/** The response to `/apis/group/version` and `/api/version`. */
export function resourceList(resources: readonly Resource[], { group, version }: Pick<Resource, "group" | "version">): unknown {
  const served = resources.filter((resource) => resource.group === group && resource.version === version);
  if (served.length === 0)
    throw new ApiError({ status: 404, reason: "NotFound", message: "the server could not find the requested resource" });
  const names = served.flatMap(({ plural, kind, namespaced }) => [plural, `${plural}/status`].map((name) => ({ name, kind, namespaced })));
  return { kind: "APIResourceList", resources: names };
}
