import { credentialFrom, RegistryUnavailable } from "@rune/clients/registry/registry";
import { testClock } from "@rune/clients/testing/http-server";
import { configMaps, secrets } from "kopf-ts";
import { FakeApiServer } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RegistryLogins } from "./registry-login.ts";

const url = "https://harbor.example.org";
let api: FakeApiServer;
let clock: ReturnType<typeof testClock>;
beforeEach(async () => {
  api = await FakeApiServer.start();
  clock = testClock();
});
afterEach(() => api.stop());

const put = (namespace: string, name: string, user: string) => {
  const text = JSON.stringify({
    auths: { "harbor.example.org": { username: user, password: "p" }, "other.example.org": { auth: "eDp5" } },
    ca: "an authority of the namespace's own",
  });
  const data = { ".dockerconfigjson": Buffer.from(text).toString("base64") };
  api.put(secrets, { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/dockerconfigjson", metadata: { namespace, name }, data });
};
const logins = (
  registry: { credentialsSecret?: string; caConfigMap?: string } = { credentialsSecret: "harbor" },
  watchNamespaces: string[] = [],
) =>
  new RegistryLogins({
    client: api.client(),
    config: { operatorNamespace: "rune-system", watchNamespaces, registry: { url, ...registry } },
    clock,
  });
const userOf = (text: string) => credentialFrom(text, url).login;

it("a namespace's own Secret comes before the installation's, and no other registry's login is passed on", async () => {
  put("rune-system", "harbor", "all");
  put("team", "rune-registry", "team");
  const text = await logins().loginFor("team");
  expect(userOf(text)).toEqual({ kind: "Password", username: "team", password: "p" });
  expect(text).not.toMatch(/other\.example\.org|authority/);
  expect(userOf(await logins().loginFor("elsewhere"))).toMatchObject({ username: "all" });
});

it("asks for no Secret of a namespace that isn't watched, where the operator may read none", async () => {
  put("rune-system", "harbor", "all");
  put("rune-system", "rune-registry", "nobody");
  expect(userOf(await logins({ credentialsSecret: "harbor" }, ["team"]).loginFor("rune-system"))).toMatchObject({ username: "all" });
  expect(api.requests).toHaveLength(1);
});

it("says which Secrets are missing, and sees them within a minute", async () => {
  const waiting = logins();
  await expect(waiting.loginFor("team")).rejects.toThrow(RegistryUnavailable);
  await expect(waiting.loginFor("team")).rejects.toThrow("neither team has a Secret rune-registry nor rune-system one called harbor");
  put("rune-system", "harbor", "all");
  await clock.wait(60_001);
  expect(userOf(await waiting.loginFor("team"))).toMatchObject({ username: "all" });
});

it("asks the API server once a minute", async () => {
  put("team", "rune-registry", "team");
  const remembering = logins();
  for (let n = 0; n < 3; n++) await remembering.loginFor("team");
  expect(api.requests).toHaveLength(1);
  put("team", "rune-registry", "renewed");
  await clock.wait(60_001);
  expect(userOf(await remembering.loginFor("team"))).toMatchObject({ username: "renewed" });
});

it("a private authority's certificates come along, with a login or with a token", async () => {
  put("rune-system", "harbor", "all");
  const withCertificates = logins({ credentialsSecret: "harbor", caConfigMap: "harbor-ca" });
  await expect(withCertificates.loginFor("team")).rejects.toThrow("waits for the ConfigMap harbor-ca in rune-system");
  api.put(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "rune-system", name: "harbor-ca" },
    data: { "ca.crt": "PEM" },
  });
  await clock.wait(60_001);
  expect(credentialFrom(await withCertificates.loginFor("team"), url)).toMatchObject({ login: { username: "all" }, ca: "PEM" });
  expect(credentialFrom(await withCertificates.withToken("jwt"), url)).toEqual({ login: { kind: "Token", token: "jwt" }, ca: "PEM" });
  expect(await logins({}).withToken("jwt")).toBe("jwt");
});
