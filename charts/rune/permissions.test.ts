import { helmPath } from "@rune/cluster/tools";
import type { Services } from "@rune/controllers/shared/services";
import { kinds } from "@rune/crds/kinds/kinds";
import { controllers } from "@rune/operator/controllers";
import { Client, Manager, silentLogger, staticCredentials } from "kopf-ts";
import { type PolicyRule, rulesOf } from "kopf-ts/manifests";
import { beforeAll, describe, expect, test } from "vitest";
import { configOf, type Manifest, named, ofKind, render } from "./testing/render.ts";

// The first call unpacks Helm.
beforeAll(async () => void (await helmPath()), 60_000);

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
