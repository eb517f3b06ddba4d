import type { KubeObject } from "../api/object.ts";
import type { SeenRequest } from "./faults.ts";

/** Whether the objects of the response are to be reduced to their metadata. */
export function isPartial({ accept }: SeenRequest): boolean {
  return accept.includes("as=PartialObjectMetadata");
}

/** An object reduced as by `as=PartialObjectMetadata`. */
export function partial({ metadata }: KubeObject): KubeObject {
  return { apiVersion: "meta.k8s.io/v1", kind: "PartialObjectMetadata", metadata };
}
