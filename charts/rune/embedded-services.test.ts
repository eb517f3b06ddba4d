import { helmPath } from "@rune/cluster/tools";
import { operatorConfig } from "@rune/controllers/shared/config";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { configOf, type Manifest, named, ofKind, render } from "./testing/render.ts";

const embedded = [
  ["Deployment", "rune-registry"],
  ["StatefulSet", "rune-nats"],
  ["Deployment", "rune-mlflow"],
] as const;

// The first call unpacks Helm.
beforeAll(async () => void (await helmPath()), 60_000);

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

  test("MLflow admits whom the installation names beside its own", async () => {
    const controller = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress" } } };
    const before = named(await render(), "NetworkPolicy", "rune-mlflow").spec.ingress[0].from;
    const after = named(await render({ mlflow: { from: [controller] } }), "NetworkPolicy", "rune-mlflow").spec.ingress[0].from;
    expect(after).toEqual([...before, controller]);
  });

  test("run where the installation says, and so do agents, evaluators and sandboxes", async () => {
    const where = { nodeSelector: { "kubernetes.io/arch": "amd64" }, tolerations: [{ key: "pool", operator: "Exists" }] };
    const all = await render({ registry: where, nats: where, mlflow: where, jobs: where });
    for (const [kind, name] of embedded) expect(named(all, kind, name).spec.template.spec, name).toMatchObject(where);
    expect(configOf(all).jobs).toMatchObject(where);
  });

  test("aren't replaced for a new version of the chart alone", async () => {
    const all = await render();
    for (const [kind, name] of embedded) {
      const { labels } = named(all, kind, name).spec.template.metadata;
      for (const versioned of ["helm.sh/chart", "app.kubernetes.io/version"]) expect(labels, name).not.toHaveProperty([versioned]);
    }
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
    const origins = env.find(({ name }: { name: string }) => name === "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS").value.split(",");
    expect(origins).toEqual(["https://mlflow.example.org", "http://mlflow.example.org"]);
  });
});
