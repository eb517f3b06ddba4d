import { configMaps, networkPolicies, services, statefulSets } from "kopf-ts";

/** The built-in kinds that a server creates and watches. */
export const owned = [configMaps, networkPolicies, services, statefulSets];
