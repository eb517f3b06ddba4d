import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "@rune/cluster/shell";
import { helmPath } from "@rune/cluster/tools";
import { operatorConfig } from "@rune/controllers/shared/config";
import type { Services } from "@rune/controllers/shared/services";
import { kinds } from "@rune/crds/kinds/kinds";
import { label } from "@rune/crds/words/labels";
import { controllers } from "@rune/operator/controllers";
import { Client, Manager, silentLogger, staticCredentials } from "kopf-ts";
import { type PolicyRule, rulesOf } from "kopf-ts/manifests";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { chart, type Manifest, named, ofKind, refusal, render } from "./testing/render.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const workloads = (all: Manifest[]) => all.filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet");
const podsOf = (all: Manifest[]) => workloads(all).map((one) => [one.metadata.name, one.spec.template.spec] as const);
const configOf = (all: Manifest[]) => parse(named(all, "ConfigMap", "rune-config").data["config.yaml"]);
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

  test("the operator is restarted by a change of its configuration", () => {
    const annotations = named(all, "Deployment", "rune-operator").spec.template.metadata.annotations;
    expect(annotations["rune.dev/config-sha256"]).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("permissions", () => {
  const verbsOn = (rules: { resources: string[]; verbs: string[] }[], resource: string) =>
    new Set(rules.filter(({ resources }) => resources.includes(resource)).flatMap(({ verbs }) => verbs));
  const granted = (role: Manifest) =>
    role.rules.map(
      ({ apiGroups, resources, resourceNames, verbs }: Record<string, string[]>) =>
        `${apiGroups}/${resources}${resourceNames ? `[${resourceNames}]` : ""}: ${verbs?.join(" ")}`,
    );
  const plurals = kinds.map(({ plural }) => plural);
  const subresources = (name: string) => plurals.map((plural) => `${plural}/${name}`);

  test("of the operator are exactly what its code asks for: one more is a decision", async () => {
    const all = await render({ keysSecret: "our-keys" });
    expect(granted(named(all, "ClusterRole", "rune-operator")).sort()).toEqual(
      [
        `rune.dev/${plurals}: get list watch`,
        `rune.dev/${subresources("status")}: update`,
        `rune.dev/${subresources("finalizers")}: update`,
        "rune.dev/adapters: patch",
        "rune.dev/modelservers,adapters,trainingruns,evaluations,evolutiongenerations: create",
        "rune.dev/trainingruns,evaluations: patch",
        "rune.dev/modelservers,adapters: delete",
        "rune.dev/environmentchecks,trainingruns,agentsessions,evaluations,evolutiongenerations: delete",
        "/pods: get list watch create delete",
        "batch/jobs: get list watch create delete",
        "/services: get list watch create patch",
        "/configmaps: get list watch create patch delete",
        "apps/statefulsets: get list watch create patch",
        "networking.k8s.io/networkpolicies: get list watch create patch delete",
        "/secrets: get create patch delete",
        "/persistentvolumeclaims: get create",
        "events.k8s.io/events: list create patch",
      ].sort(),
    );
    expect(granted(named(all, "ClusterRole", "rune-operator-cluster"))).toEqual([
      "/services: get list",
      "/nodes: list",
      "/namespaces: get",
      "authentication.k8s.io/tokenreviews: create",
      "authorization.k8s.io/subjectaccessreviews: create",
    ]);
    expect(granted(named(all, "Role", "rune-operator"))).toEqual([
      "/secrets[our-keys]: get patch",
      "/secrets: create",
      "coordination.k8s.io/leases: get create update",
      "events.k8s.io/events: create patch",
    ]);
  });

  test("of the operator grow by the Secrets of subscribers to events, by name", async () => {
    const all = await render({ events: { subscribers: [{ name: "audit" }, { name: "team-a", namespace: "team-a" }] } });
    expect(granted(named(all, "Role", "rune-operator"))).toContain("/secrets[rune-events-audit,rune-events-team-a]: get patch");
    const disabled = await render({ events: { enabled: false, subscribers: [{ name: "audit" }] } });
    expect(granted(named(disabled, "Role", "rune-operator"))).not.toContain("/secrets[rune-events-audit]: get patch");
  });

  test("of the operator let it watch what its controllers watch, and write the status of what they look after: no less, no more", async () => {
    const manager = new Manager({ client: Client.fromCredentials(staticCredentials("http://localhost")), logger: silentLogger });
    for (const register of controllers) register(manager, { onNotice: () => undefined } as unknown as Services);
    const of = (rules: readonly PolicyRule[], verb: string, isMeant: (name: string) => boolean) =>
      rules
        .filter(({ verbs }) => (verbs as string[]).includes(verb))
        .flatMap(({ apiGroups, resources }) => resources.filter(isMeant).map((name) => `${apiGroups}/${name}`))
        .sort();
    const [derived, written] = [rulesOf(manager.permissions), named(await render(), "ClusterRole", "rune-operator").rules];
    for (const verb of ["list", "watch"]) {
      const isCached = (name: string) => name !== "events";
      expect(of(written, verb, isCached)).toEqual(of(derived, verb, isCached));
    }
    const isStatus = (name: string) => name.endsWith("/status");
    expect(of(written, "update", isStatus)).toEqual(of(derived, "update", isStatus));
    const isFinalizers = (name: string) => name.endsWith("/finalizers");
    expect(of(written, "update", isFinalizers)).toEqual(expect.arrayContaining(of(derived, "update", isFinalizers)));
  });

  test.each(plurals)("of people cover %s", async (plural) => {
    const all = await render();
    expect(verbsOn(named(all, "ClusterRole", "rune-viewer").rules, plural)).toEqual(new Set(["get", "list", "watch"]));
    expect(verbsOn(named(all, "ClusterRole", "rune-editor").rules, plural)).toContain("create");
    expect(verbsOn(named(all, "ClusterRole", "rune-editor").rules, `${plural}/status`)).toEqual(new Set());
  });

  test("of the operator reach the login and the certificates of a registry of one's own, by name", async () => {
    const registry = { embedded: false, url: "https://harbor.example.org", credentialsSecret: "harbor", caConfigMap: "harbor-ca" };
    const all = await render({ registry });
    expect(granted(named(all, "Role", "rune-operator"))).toEqual(
      expect.arrayContaining(["/secrets[harbor]: get", "/configmaps[harbor-ca]: get"]),
    );
    expect(configOf(all).registry).toEqual({ url: registry.url, credentialsSecret: "harbor", caConfigMap: "harbor-ca" });
  });

  test("of people cover artifacts: who may view pulls, who may edit pushes too, and nobody deletes", async () => {
    const all = await render();
    expect(verbsOn(named(all, "ClusterRole", "rune-viewer").rules, "artifacts")).toEqual(new Set(["get"]));
    expect(verbsOn(named(all, "ClusterRole", "rune-editor").rules, "artifacts")).toEqual(new Set(["get", "create"]));
  });

  test("with a list of namespaces nothing is granted outside them", async () => {
    const all = await render({ watchNamespaces: ["team-a"] });
    expect(ofKind(all, "ClusterRoleBinding").map(({ roleRef }) => roleRef.name)).toEqual(["rune-operator-cluster"]);
    expect(named(all, "RoleBinding", "rune-operator").metadata.namespace).toBe("team-a");
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

describe("embedded services", () => {
  test("are left out one by one, and their addresses become the user's", async () => {
    const all = await render({ registry: { embedded: false, url: "https://registry.example.org" } });
    expect(named(all, "Deployment", "rune-registry")).toBeUndefined();
    expect(named(all, "StatefulSet", "rune-nats")).toBeDefined();
    expect(configOf(all).registry.url).toBe("https://registry.example.org");
  });

  test("include a NATS that no log of an account under former keys keeps from its start", async () => {
    const [nats] = named(await render(), "StatefulSet", "rune-nats").spec.template.spec.containers;
    for (const probe of [nats.startupProbe, nats.readinessProbe, nats.livenessProbe])
      expect(probe.httpGet.path).toMatch(/^\/healthz\?js-(server|enabled)-only=true$/);
  });

  test("admit the operator and its pods, but no sandbox", async () => {
    const all = await render();
    for (const name of ["rune-registry", "rune-nats", "rune-mlflow"]) {
      const { ingress, egress } = named(all, "NetworkPolicy", name).spec;
      expect(ingress[0].from.at(-1).podSelector.matchExpressions).toContainEqual({
        key: "rune.dev/component",
        operator: "NotIn",
        values: ["sandbox"],
      });
      expect(egress).toEqual([]);
    }
  });

  test("admit pods only of the namespaces that are watched, where those are listed", async () => {
    const namespacesOf = (all: Manifest[], name: string) => named(all, "NetworkPolicy", name).spec.ingress[0].from.at(-1).namespaceSelector;
    const everywhere = await render();
    const listed = await render({ watchNamespaces: ["team-a", "rune-system"] });
    for (const name of ["rune-registry", "rune-nats", "rune-mlflow"]) {
      expect(namespacesOf(everywhere, name)).toEqual({});
      expect(namespacesOf(listed, name)).toEqual({
        matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "In", values: ["team-a", "rune-system"] }],
      });
    }
  });

  test("the registry sends people's clients to the operator's token endpoint, or to where the installation says", async () => {
    const realmOf = (all: Manifest[]) => parse(named(all, "ConfigMap", "rune-registry").data["config.yml"]).auth.token.realm;
    const all = await render();
    const { hostname, port, pathname } = new URL(realmOf(all));
    expect([hostname, pathname]).toEqual(["rune-operator.rune-system.svc", "/token"]);
    const service = named(all, "Service", "rune-operator").spec.ports.find((each: { port: number }) => each.port === Number(port));
    const [container] = named(all, "Deployment", "rune-operator").spec.template.spec.containers;
    expect(container.ports).toContainEqual({ name: service.targetPort, containerPort: 8082 });
    expect(named(all, "NetworkPolicy", "rune-operator").spec.ingress[0].ports).toContainEqual({ port: 8082, protocol: "TCP" });
    expect(realmOf(await render({ registry: { realm: "https://registry.example.org/token" } }))).toBe("https://registry.example.org/token");
  });

  test("the registry admits whom the installation names beside its own", async () => {
    const ingress = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress" } } };
    const before = named(await render(), "NetworkPolicy", "rune-registry").spec.ingress[0].from;
    const after = named(await render({ registry: { from: [ingress] } }), "NetworkPolicy", "rune-registry").spec.ingress[0].from;
    expect(after).toEqual([...before, ingress]);
  });

  test("of another release have other names", async () => {
    const all = await render({}, { release: "memory" });
    expect(named(all, "StatefulSet", "memory-rune-nats")).toBeDefined();
  });

  test("of a release with dots are names that Services may have", async () => {
    const services = ofKind(await render({}, { release: "team.v1" }), "Service").map(({ metadata }) => metadata.name);
    expect(services).toContain("team-v1-rune-registry");
    for (const name of services) expect(name).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
  });

  test("refer to Secrets and ConfigMaps by every name that Kubernetes allows, also one that YAML would read as a number", async () => {
    const registry = { embedded: false, url: "https://registry.example.org", credentialsSecret: "1.5", caConfigMap: "ca.team-a" };
    const all = await render({ keysSecret: "1e3", registry });
    const { keysSecret, registry: configured } = operatorConfig.parse(configOf(all));
    expect({ keysSecret, ...configured }).toMatchObject({ keysSecret: "1e3", credentialsSecret: "1.5", caConfigMap: "ca.team-a" });
    const readable = ofKind(all, "Role").flatMap(({ rules }) => rules.flatMap((rule: Manifest) => rule.resourceNames ?? []));
    expect(readable).toEqual(expect.arrayContaining(["1e3", "1.5", "ca.team-a"]));
  });

  test("are in namespaces, and tell subscribers, whose names YAML would read as numbers", async () => {
    const events = { subscribers: [{ name: "2024", namespace: "1e3" }] };
    const values = { watchNamespaces: ["1e3", "2024"], events, registry: { storageClassName: "7" } };
    const all = await render(values, { release: "42", namespace: "0777" });
    const namespaces = all.filter(({ kind }) => !kind.startsWith("Cluster") && kind !== "CustomResourceDefinition");
    expect(new Set(namespaces.map(({ metadata }) => metadata.namespace))).toEqual(new Set(["0777", "1e3", "2024"]));
    expect(new Set(all.flatMap(({ metadata }) => metadata.labels?.["app.kubernetes.io/instance"] ?? []))).toEqual(new Set(["42"]));
    const config = operatorConfig.parse(parse(named(all, "ConfigMap", "42-rune-config").data["config.yaml"]));
    expect(config).toMatchObject({ operatorNamespace: "0777", watchNamespaces: ["1e3", "2024"], events });
    const claims = ofKind(all, "PersistentVolumeClaim").map(({ spec }) => spec.storageClassName);
    expect(claims).toContain("7");
  });

  test("the registry signs upload sessions with the secret that the operator keeps, so that they outlive its restart", async () => {
    const all = await render({ keysSecret: "team-keys" });
    const { containers } = named(all, "Deployment", "rune-registry").spec.template.spec;
    const secret = containers[0].env.find(({ name }: { name: string }) => name === "REGISTRY_HTTP_SECRET");
    expect(secret.valueFrom.secretKeyRef).toEqual({ name: "team-keys", key: "registry-http.secret" });
  });

  test("the operator's pods are marked so that service meshes stay out of them, unless that is taken back", async () => {
    const { pods } = operatorConfig.parse(configOf(await render()));
    expect(pods.labels).toMatchObject({ "sidecar.istio.io/inject": "false" });
    expect(pods.annotations).toMatchObject({ "linkerd.io/inject": "disabled" });
    const values = { pods: { labels: { "sidecar.istio.io/inject": null, "example.org/team": "tessera" } } };
    const own = operatorConfig.parse(configOf(await render(values))).pods.labels;
    expect(own).toEqual({ "kuma.io/sidecar-injection": "disabled", "example.org/team": "tessera" });
  });

  test("the operator is told of a mirror of the hub and of a proxy before it, and of nothing where there is none", async () => {
    const hub = { endpoint: "https://mirror.example.org", proxy: "http://proxy.example.org:3128", noProxy: "mirror.example.org" };
    expect(operatorConfig.parse(configOf(await render({ hub }))).hub).toEqual(hub);
    expect(operatorConfig.parse(configOf(await render())).hub).toEqual({});
  });

  test("MLflow accepts the names that pods call it by", async () => {
    const all = await render({ mlflow: { allowedHosts: ["mlflow.example.org"] } });
    const env = named(all, "Deployment", "rune-mlflow").spec.template.spec.containers[0].env;
    const hosts = env.find(({ name }: { name: string }) => name === "MLFLOW_SERVER_ALLOWED_HOSTS").value.split(",");
    expect(hosts).toEqual(expect.arrayContaining([new URL(configOf(all).mlflow.url).host, "mlflow.example.org"]));
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
