import type { OperatorNats } from "@rune/clients/nats/nats";
import type { Notice } from "@rune/controllers/shared/services";
import type { Progress } from "@rune/crds/contracts/trainer";
import { services as serviceResource, TerminalError } from "kopf-ts";
import { FakeApiServer } from "kopf-ts/testing";
import { expect, it } from "vitest";
import { parseConfig } from "./config.ts";
import { completeKeys } from "./credentials/keys.ts";
import { createServices, findClusterDNS } from "./services.ts";

const images = ["adapterLoader", "vllm", "trainer", "agent", "evaluator", "sandbox"]
  .map((name) => `  ${name}: { repository: x }`)
  .join("\n");
const config = parseConfig(
  `operatorNamespace: rune-system\nimages:\n${images}\nregistry: { url: "http://r:5000" }\nnats: { url: "nats://n:4222" }\ncanary: { host: c }`,
  "config.yaml",
);

/** The parts of NATS that services subscribe to. */
class Nats {
  readonly activity: ((kind: "session" | "evaluation", uid: string) => void)[] = [];
  readonly progress: ((uid: string, progress: Progress) => void)[] = [];
  onActivity = (callback: (typeof this.activity)[number]) => void this.activity.push(callback);
  onProgress = (callback: (typeof this.progress)[number]) => void this.progress.push(callback);
  say(uid: string, percent: number) {
    for (const callback of this.progress) callback(uid, { percent });
  }
}

async function made(registry: { credentialsSecret?: string } = {}) {
  const nats = new Nats();
  const keys = await completeKeys({});
  const logins = { loginFor: async (namespace: string) => `login of ${namespace}`, withToken: async (token: string) => token };
  const common = { keys, nats: nats as unknown as OperatorNats, clusterDNS: "10.96.0.10", logins, events: undefined };
  return { nats, services: createServices({ config: { ...config, registry: { ...config.registry, ...registry } }, ...common }) };
}
const claims = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

it("a registry token allows what it was asked for and ends when it was asked to", async () => {
  const { services } = await made();
  const access = [{ repository: "rune/default/adapters", actions: ["pull", "push"] as const }];
  const told = claims(await services.registryToken({ namespace: "default", subject: "TrainingRun default/a", access, seconds: 600 }));
  expect(told).toMatchObject({
    sub: "TrainingRun default/a",
    aud: "rune-registry",
    access: [{ name: "rune/default/adapters", actions: ["pull", "push"] }],
  });
  expect(told.exp - told.iat).toBe(600);
});

it("tokens end at whole seconds, because Go's verifiers refuse others", async () => {
  const { services } = await made();
  const access = [{ repository: "a", actions: ["pull"] as const }];
  expect(claims(await services.registryToken({ namespace: "default", subject: "s", access, seconds: 86_998.989 })).exp).toSatisfy(
    Number.isInteger,
  );
  const creds = await services.natsCredentials({ kind: "progress", uid: "u", seconds: 86_998.989 });
  const jwt = /^-----BEGIN NATS USER JWT-----\n(\S+)/m.exec(creds)?.[1] ?? "";
  expect(claims(jwt).exp).toSatisfy(Number.isInteger);
});

it("a runner's token is the same at every call and another for every epoch and object", async () => {
  const { services } = await made();
  expect(services.runnerToken("u", 1)).toBe(services.runnerToken("u", 1));
  expect(new Set([services.runnerToken("u", 1), services.runnerToken("u", 2), services.runnerToken("v", 1)]).size).toBe(3);
});

it("progress is remembered, and every word of it and every append is a notice", async () => {
  const { nats, services } = await made();
  const heard: Notice[] = [];
  services.onNotice((notice) => heard.push(notice));
  nats.say("run", 40);
  for (const callback of nats.activity) callback("session", "s");
  expect(services.progress("run")).toEqual({ percent: 40 });
  expect(services.progress("other")).toBeUndefined();
  expect(heard).toEqual([
    { kind: "progress", uid: "run" },
    { kind: "session", uid: "s" },
  ]);
});

it("the oldest progress is forgotten, so that memory has an end", async () => {
  const { nats, services } = await made();
  for (let n = 0; n <= 10_000; n++) nats.say(`run-${n}`, 1);
  expect(services.progress("run-0")).toBeUndefined();
  expect(services.progress("run-1")).toBeDefined();
});

it("a registry of one's own gets the login of the namespace, and a client for each", async () => {
  const { services } = await made({ credentialsSecret: "harbor" });
  const grant = { namespace: "team", subject: "s", access: [{ repository: "a", actions: ["pull"] as const }], seconds: 600 };
  expect(await services.registryToken(grant)).toBe("login of team");
  expect(services.registry("default", "a", ["pull"])).toBe(services.registry("default", "a", ["pull"]));
  expect(services.registry("default", "a", ["pull"])).not.toBe(services.registry("team", "a", ["pull"]));
  await expect(services.registryToken({ ...grant, access: [{ repository: "rune/b/tasks", actions: ["pull"] }] })).rejects.toThrow(
    TerminalError,
  );
});

it("one repository has one client, no matter who asks", async () => {
  const { services } = await made();
  expect(services.registry("default", "a", ["pull"])).toBe(services.registry("team", "a", ["pull"]));
  expect(services.registry("default", "a", ["pull"])).not.toBe(services.registry("default", "b", ["pull"]));
});

it("nothing of another namespace is opened, no matter who forgot to check", async () => {
  const { services } = await made();
  const access = ["rune/default/adapters", "rune/other/trajectories"].map((repository) => ({ repository, actions: ["pull"] as const }));
  const token = services.registryToken({ namespace: "default", subject: "s", access, seconds: 600 });
  await expect(token).rejects.toThrow("rune/other/trajectories belongs to the namespace other");
  expect(() => services.registry("default", "rune/other/reports", ["pull"])).toThrow(TerminalError);
});

it("the cluster's DNS is the Service that clusters label as such, else OpenShift's, or a sentence on what to set", async () => {
  const api = await FakeApiServer.start();
  const put = (metadata: object, clusterIP: string) =>
    api.put(serviceResource, { apiVersion: "v1", kind: "Service", metadata, spec: { clusterIP } } as never);
  try {
    await expect(findClusterDNS(config, api.client())).rejects.toThrow("set clusterDNS");
    put({ namespace: "openshift-dns", name: "dns-default" }, "172.30.0.10");
    expect(await findClusterDNS(config, api.client())).toBe("172.30.0.10");
    put({ namespace: "kube-system", name: "kube-dns", labels: { "k8s-app": "kube-dns" } }, "10.96.0.10");
    expect(await findClusterDNS(config, api.client())).toBe("10.96.0.10");
    expect(await findClusterDNS({ ...config, clusterDNS: "10.0.0.2" }, api.client())).toBe("10.0.0.2");
  } finally {
    await api.stop();
  }
});
