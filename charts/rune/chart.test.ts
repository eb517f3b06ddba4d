import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "@rune/cluster/shell";
import { helmPath } from "@rune/cluster/tools";
import { operatorConfig } from "@rune/controllers/shared/config";
import { kinds } from "@rune/crds/kinds/kinds";
import { label } from "@rune/crds/words/labels";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { chart, configOf, type Manifest, named, ofKind, refusal, render } from "./testing/render.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const workloads = (all: Manifest[]) => all.filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet");
const podsOf = (all: Manifest[]) => workloads(all).map((one) => [one.metadata.name, one.spec.template.spec] as const);
const variants: [string, object][] = [
  ["its defaults", {}],
  [
    "everything of the user's own",
    {
      registry: { embedded: false, url: "https://registry.example.org/acme", credentialsSecret: "harbor", caConfigMap: "harbor-ca" },
      nats: { embedded: false, url: "nats://nats.example.org:4222" },
      mlflow: { embedded: false, url: "https://mlflow.example.org" },
    },
  ],
  ["two namespaces", { watchNamespaces: ["team-a", "team-b"] }],
  [
    "everything else turned around",
    {
      crds: { enabled: false },
      data: { keep: false },
      rbac: { aggregate: false },
      networkPolicy: { enabled: false },
      mlflow: { enabled: false },
      operator: { replicas: 2, nodeSelector: { role: "control" }, tolerations: [{ key: "control", operator: "Exists" }] },
      global: { imagePullSecrets: [{ name: "pull" }] },
      monitoring: { scrape: { enabled: true }, alerts: { enabled: true }, dashboards: { enabled: true } },
    },
  ],
];

// The first call unpacks Helm.
beforeAll(async () => void (await helmPath()), 60_000);

test("helm lint finds nothing wrong", async () => {
  expect(await run(await helmPath(), ["lint", "--strict", chart])).toContain("0 chart(s) failed");
});

describe.each(variants)("with %s", (_, values) => {
  let all: Manifest[];
  beforeAll(async () => {
    all = await render(values);
  });

  test("every pod keeps to the restricted Pod Security Standard", () => {
    for (const [name, pod] of podsOf(all)) {
      expect(pod.securityContext, name).toMatchObject({ runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } });
      expect(Object.keys(pod)).not.toEqual(expect.arrayContaining(["hostNetwork"]));
      for (const volume of pod.volumes) expect(volume.hostPath, name).toBeUndefined();
      for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
        expect(container.securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(container.resources.requests.cpu, name).toMatch(/^([1-9]?[0-9]|100)m$/);
        expect(container.resources.limits.memory, name).toBeDefined();
        expect(container.readinessProbe, name).toBeDefined();
        expect(container.livenessProbe, name).toBeDefined();
      }
    }
  });

  test("only the operator gets a token of the API", () => {
    const withToken = podsOf(all).filter(([, pod]) => pod.automountServiceAccountToken !== false);
    expect(withToken.map(([name]) => name)).toEqual(["rune-operator"]);
  });

  test("no role holds a wildcard", () => {
    for (const role of [...ofKind(all, "ClusterRole"), ...ofKind(all, "Role")])
      expect(JSON.stringify(role.rules), role.metadata.name).not.toContain("*");
  });

  test("the operator's configuration is what the operator accepts", () => {
    expect(() => operatorConfig.strict().parse(configOf(all))).not.toThrow();
  });

  test("no Secret is made by Helm", () => {
    expect(ofKind(all, "Secret")).toEqual([]);
  });

  test("the operator is replaced without overlap where no Lease keeps two from working", async () => {
    const strategyWith = async (leaderElection: boolean) =>
      named(await render({ operator: { replicas: 1, leaderElection } }), "Deployment", "rune-operator").spec.strategy;
    expect(await strategyWith(false)).toEqual({ type: "Recreate" });
    expect(await strategyWith(true)).toEqual({ type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } });
  });

  test("the operator is restarted by a change of its configuration", () => {
    const annotations = named(all, "Deployment", "rune-operator").spec.template.metadata.annotations;
    expect(annotations["rune.dev/config-sha256"]).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("events", () => {
  const accessTo = (all: Manifest[]) => JSON.stringify(named(all, "NetworkPolicy", "rune-nats").spec.ingress);

  test("are told with nobody listening, unless values say otherwise", async () => {
    const all = await render();
    expect(operatorConfig.parse(configOf(all)).events).toMatchObject({ subscribers: [] });
    expect(accessTo(all)).not.toContain("event-subscriber");
    expect(operatorConfig.parse(configOf(await render({ events: { enabled: false } }))).events).toBeUndefined();
  });

  test("have subscribers with a Secret each, whose pods reach NATS", async () => {
    const all = await render({ events: { retentionDays: 30, subscribers: [{ name: "audit" }, { name: "a", namespace: "team-a" }] } });
    expect(operatorConfig.parse(configOf(all)).events).toMatchObject({
      retentionDays: 30,
      subscribers: [
        { name: "audit", secret: "rune-events-audit" },
        { name: "a", secret: "rune-events-a", namespace: "team-a" },
      ],
    });
    expect(accessTo(all)).toContain(label.eventSubscriber);
  });
});

test("quantities are those that Kubernetes, the kinds and the operator know, also those that YAML would read as numbers", async () => {
  const sandbox = { memory: "5e8", cpu: "2", cpuRequest: "0" };
  const all = await render({ sandbox, engine: { sharedMemory: "1e9" }, registry: { storage: "50e9" } });
  const { $defs } = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8"));
  const { schema } = named(all, "CustomResourceDefinition", "trainingruns.rune.dev").spec.versions[0];
  const { cpu, memory } = schema.openAPIV3Schema.properties.spec.properties.resources.properties;
  expect($defs).toMatchObject({ quantity: { pattern: cpu.pattern }, size: { pattern: memory.pattern } });
  const accepted = operatorConfig.parse(configOf(all));
  expect([accepted.sandbox, accepted.engine]).toMatchObject([sandbox, { sharedMemory: "1e9" }]);
  expect(named(all, "PersistentVolumeClaim", "rune-registry").spec.resources.requests.storage).toBe("50e9");
});

test("the sizes of helpers are the operator's own unless they are set, each with every other kept", async () => {
  const own = operatorConfig.parse(configOf(await render())).helpers;
  expect(own).toEqual(operatorConfig.shape.helpers.parse({}));
  const limited = await render({ helpers: { agent: { limits: { cpu: 1 } }, asker: { limits: { "ephemeral-storage": "1Gi" } } } });
  expect(operatorConfig.parse(configOf(limited)).helpers).toEqual({
    ...own,
    agent: { ...own.agent, limits: { ...own.agent.limits, cpu: "1" } },
    asker: { ...own.asker, limits: { ...own.asker.limits, "ephemeral-storage": "1Gi" } },
  });
});

test("sandboxes do without Landlock only in runtime classes that are named", async () => {
  expect(configOf(await render()).sandbox.landlockSubstitutes).toEqual([]);
  const named = await render({ sandbox: { landlockSubstitutes: ["gvisor", "kata"] } });
  expect(configOf(named).sandbox.landlockSubstitutes).toEqual(["gvisor", "kata"]);
});

describe("images", () => {
  const imageOf = (all: Manifest[], name: string) =>
    (named(all, "Deployment", name) ?? named(all, "StatefulSet", name)).spec.template.spec.containers[0].image;

  test("are named by digest where one is given, else by tag, else by the chart's version", async () => {
    const images = { operator: { digest: digest("a") }, registry: { tag: "3.1.2" }, vllm: { digest: digest("b") } };
    const all = await render({ images });
    expect(imageOf(all, "rune-operator")).toBe(`rune/operator@${digest("a")}`);
    expect(imageOf(all, "rune-registry")).toBe("rune/registry:3.1.2");
    expect(imageOf(all, "rune-nats")).toBe(`rune/nats:${parse(readFileSync(join(chart, "Chart.yaml"), "utf8")).appVersion}`);
    expect(operatorConfig.parse(configOf(all)).images.vllm).toBe(`rune/vllm@${digest("b")}`);
  });

  test.each(["localhost:5000", "10.0.0.1/rune", "acme", "mirror.example.org/a__b/c.d-e"])(
    "come from a registry such as %s",
    async (imageRegistry) => {
      expect(imageOf(await render({ global: { imageRegistry } }), "rune-operator")).toMatch(`${imageRegistry}/rune/operator:`);
    },
  );

  test("come from the installation's own registry, whatever host they name", async () => {
    const all = await render({
      global: { imageRegistry: "mirror.example.org/rune" },
      images: { nats: { repository: "hub.example.org:5000/library/nats" } },
    });
    expect(imageOf(all, "rune-nats")).toMatch(/^mirror\.example\.org\/rune\/library\/nats:/);
    expect(imageOf(all, "rune-operator")).toMatch(/^mirror\.example\.org\/rune\/rune\/operator:/);
    expect(configOf(all).images.agent.repository).toBe("mirror.example.org/rune/rune/agent");
  });
});

describe("what outlives helm uninstall", () => {
  const kept = (all: Manifest[], kind: string) =>
    ofKind(all, kind).map(({ metadata }) => metadata.annotations?.["helm.sh/resource-policy"]);

  test("are CRDs and volumes, unless told otherwise", async () => {
    const all = await render();
    expect(ofKind(all, "CustomResourceDefinition")).toHaveLength(kinds.length);
    expect(new Set([...kept(all, "CustomResourceDefinition"), ...kept(all, "PersistentVolumeClaim")])).toEqual(new Set(["keep"]));
    expect(named(all, "StatefulSet", "rune-nats").spec.persistentVolumeClaimRetentionPolicy.whenDeleted).toBe("Retain");
  });

  test("is nothing, when told so", async () => {
    const all = await render({ crds: { keep: false }, data: { keep: false } });
    expect(new Set([...kept(all, "CustomResourceDefinition"), ...kept(all, "PersistentVolumeClaim")])).toEqual(new Set([undefined]));
    expect(named(all, "StatefulSet", "rune-nats").spec.persistentVolumeClaimRetentionPolicy.whenDeleted).toBe("Delete");
  });
});

describe("wrong values are refused with the place and the reason", () => {
  test.each([
    ["a name that isn't there", { operators: {} }, "operators"],
    ["an image that isn't Rune's", { images: { adaptorLoader: {} } }, "adaptorLoader"],
    ["a digest that isn't one", { images: { vllm: { digest: "latest" } } }, "/images/vllm/digest"],
    ["a registry of images with a protocol", { global: { imageRegistry: "https://mirror.example.org" } }, "/global/imageRegistry"],
    ["a registry of images in upper case", { global: { imageRegistry: "mirror.example.org/Rune" } }, "/global/imageRegistry"],
    ["an image in upper case", { images: { vllm: { repository: "hub.example.org/Rune/vllm" } } }, "/images/vllm/repository"],
    ["a tag within a repository", { images: { vllm: { repository: "hub.example.org/rune/vllm:v1" } } }, "/images/vllm/repository"],
    ["a registry with its API's path", { registry: { embedded: false, url: "https://hub.example.org/v2/" } }, "/registry/url"],
    ["a registry's path in upper case", { registry: { embedded: false, url: "https://hub.example.org/Acme" } }, "/registry/url"],
    [
      "a registry's path without a login, which signed tokens don't name",
      { registry: { embedded: false, url: "https://hub.example.org/acme" } },
      "/registry/url",
    ],
    ["a registry of the user's own without address", { registry: { embedded: false } }, "/registry/url"],
    ["a token endpoint that isn't an address", { registry: { realm: "rune-operator" } }, "/registry/realm"],
    ["a login for the embedded registry, which takes none", { registry: { credentialsSecret: "harbor" } }, "/registry/credentialsSecret"],
    ["a name that no Secret can have", { keysSecret: "rune..keys" }, "/keysSecret"],
    ["a proxy that asks for a password", { hub: { proxy: "http://me:secret@proxy.example.org:3128" } }, "/hub/proxy"],
    ["an address of another protocol", { nats: { embedded: false, url: "http://nats" } }, "/nats/url"],
    [
      "a peer that is both addresses and pods, which no policy may have",
      { registry: { from: [{ ipBlock: { cidr: "10.0.0.0/8" }, podSelector: {} }] } },
      "/registry/from/0",
    ],
    ["a block without addresses", { registry: { from: [{ ipBlock: {} }] } }, "/registry/from/0/ipBlock"],
    ["two operators without leader", { operator: { replicas: 2, leaderElection: false } }, "/operator/leaderElection"],
    ["sandboxes that run as root", { sandbox: { uidRange: { start: 0, size: 1 } } }, "/sandbox/uidRange/start"],
    ["a unit that Kubernetes doesn't know", { sandbox: { memory: "512ki" } }, "/sandbox/memory"],
    ["memory that is none", { sandbox: { memory: "0" } }, "/sandbox/memory"],
    ["a CPU limit that limits nothing", { sandbox: { cpu: "0.0" } }, "/sandbox/cpu"],
    ["a helper's limit that is no quantity", { helpers: { loader: { limits: { cpu: "two" } } } }, "/helpers/loader/limits/cpu"],
    ["a label that is Rune's own", { pods: { labels: { "rune.dev/component": "x" } } }, "invalid propertyName 'rune.dev/component'"],
    ["a label's value that Kubernetes refuses", { pods: { labels: { "example.org/team": "a team" } } }, "/pods/labels/example.org~1team"],
    ["events that go before a repeated one is known again", { events: { retentionDays: 1 } }, "/events/retentionDays"],
    ["a subscriber whose Secret has no name", { events: { subscribers: [{ name: "A b" }] } }, "/events/subscribers/0/name"],
    ["a number as text", { engine: { cpuThreads: "two" } }, "/engine/cpuThreads"],
    ["an interval that Prometheus doesn't know", { monitoring: { scrape: { interval: "30 seconds" } } }, "/monitoring/scrape/interval"],
    ["an address that can't be led to a section", { monitoring: { alerts: { runbooks: "runbooks.md" } } }, "/monitoring/alerts/runbooks"],
    ["a dashboard that isn't there", { monitoring: { dashboards: { sessions: true } } }, "sessions"],
  ])("%s", async (_, values, place) => {
    const message = await refusal(values);
    expect(message).toContain("values don't meet the specifications of the schema");
    expect(message).toContain(place);
  });

  test("but mlflow needs no address when it is off", async () => {
    const all = await render({ mlflow: { enabled: false, embedded: false } });
    expect(configOf(all).mlflow).toBeUndefined();
  });
});
