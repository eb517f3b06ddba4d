import type { ProbeTargets } from "@rune/crds/contracts/pod";
import { type Client, type DynamicObject, services as serviceResource } from "kopf-ts";
import { hostAndPort } from "../shared/address.ts";
import type { Services } from "../shared/services.ts";

const dnsPort = 53;
const kubeletPort = 10250;

/**
 * Addresses that the isolation proof tries, or undefined while a target has none. Read from the API, because canary and
 * API server are in namespaces that the caches may not watch.
 */
export async function probeTargets(
  client: Client,
  { config, clusterDNS }: Pick<Services, "config" | "clusterDNS">,
  server: { name: string; namespace: string },
  hostIP: string,
): Promise<ProbeTargets | undefined> {
  const [canaryName = "", canaryNamespace = config.operatorNamespace] = config.canary.host.split(".");
  const find = async (namespace: string, name: string) => addressOf(await client.find(serviceResource, { namespace, name }));
  const [canary, modelServer, apiServer] = await Promise.all([
    find(canaryNamespace, canaryName),
    find(server.namespace, server.name),
    find("default", "kubernetes"),
  ]);
  if (!canary || !modelServer || !apiServer) return undefined;
  return { canary, dns: hostAndPort(clusterDNS, dnsPort), modelServer, apiServer, node: hostAndPort(hostIP, kubeletPort) };
}

function addressOf(service: DynamicObject | undefined): string | undefined {
  const ip = service?.spec?.clusterIP;
  const number = service?.spec?.ports?.[0]?.port;
  return ip && ip !== "None" && number ? hostAndPort(ip, number) : undefined;
}
