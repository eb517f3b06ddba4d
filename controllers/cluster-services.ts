import { type Cache, type DynamicObject, services } from "kopf-ts";
import type { OperatorConfig } from "./config.ts";

/** Services whose addresses the isolation proof tries. */
export function proofServices(
  cache: Cache,
  config: OperatorConfig,
  server: { name: string; namespace: string },
): Record<"canary" | "dns" | "modelServer" | "apiServer", DynamicObject | undefined> {
  const find = (namespace: string, name: string) => cache(services).get({ namespace, name });
  const [canaryName = "", canaryNamespace = config.operatorNamespace] = config.canary.host.split(".");
  return {
    canary: find(canaryNamespace, canaryName),
    dns: find("kube-system", "kube-dns"),
    modelServer: find(server.namespace, server.name),
    apiServer: find("default", "kubernetes"),
  };
}
