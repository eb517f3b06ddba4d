import { services as serviceResource } from "kopf-ts";
import { FakeApiServer } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { config } from "../testing/objects.ts";
import { probeTargets } from "./probe-targets.ts";

let api: FakeApiServer;

beforeEach(async () => {
  api = await FakeApiServer.start();
});
afterEach(() => api.stop());

function putService(namespace: string, name: string, clusterIP: string, port: number): void {
  api.put(serviceResource, { apiVersion: "v1", kind: "Service", metadata: { namespace, name }, spec: { clusterIP, ports: [{ port }] } });
}
const targets = () => probeTargets(api.client(), { config, clusterDNS: "10.96.0.10" }, { namespace: "team", name: "coder" }, "192.168.0.1");

it("the proof tries canary, DNS, model server, API server and kubelet, wherever their Services are", async () => {
  putService("rune-system", "rune-canary", "10.96.1.1", 8099);
  putService("default", "kubernetes", "10.96.0.1", 443);
  putService("team", "coder", "10.96.1.2", 8000);
  expect(await targets()).toEqual({
    canary: "10.96.1.1:8099",
    dns: "10.96.0.10:53",
    modelServer: "10.96.1.2:8000",
    apiServer: "10.96.0.1:443",
    node: "192.168.0.1:10250",
  });
});

it("the proof tries IPv6 addresses as URLs have them", async () => {
  putService("rune-system", "rune-canary", "fd00:10:96::1", 8099);
  putService("default", "kubernetes", "fd00:10:96::2", 443);
  putService("team", "coder", "fd00:10:96::3", 8000);
  const found = await probeTargets(
    api.client(),
    { config, clusterDNS: "fd00:10:96::a" },
    { namespace: "team", name: "coder" },
    "fd00:192:168::1",
  );
  expect(found).toEqual({
    canary: "[fd00:10:96::1]:8099",
    dns: "[fd00:10:96::a]:53",
    modelServer: "[fd00:10:96::3]:8000",
    apiServer: "[fd00:10:96::2]:443",
    node: "[fd00:192:168::1]:10250",
  });
});

it("the proof waits for a Service that is missing or has no address", async () => {
  putService("rune-system", "rune-canary", "10.96.1.1", 8099);
  putService("default", "kubernetes", "10.96.0.1", 443);
  expect(await targets()).toBeUndefined();
  putService("team", "coder", "None", 8000);
  expect(await targets()).toBeUndefined();
});
