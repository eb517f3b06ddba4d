import { configMaps, networkPolicies, services, statefulSets } from "kopf-ts";

/** The built-in kinds that a server consists of and that are watched for it. */
export const owned = [configMaps, networkPolicies, services, statefulSets];
