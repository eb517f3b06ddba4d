import {
  Client,
  configMaps,
  deployments,
  Handlers,
  Manager,
  nodes,
  Operator,
  pods,
  ready,
  resource,
  secrets,
  silentLogger,
  staticCredentials,
  unchanged,
} from "kopf-ts";
import { describe, expect, test, vi } from "vitest";
import { parseAllDocuments } from "yaml";
import { printManifests } from "./print.ts";
import { type PolicyRule, type Program, rbacOf, rulesOf } from "./rbac.ts";

const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const at = { name: "widget-operator", namespace: "widget-system" };
const newManager = (options: object = {}) =>
  new Manager({ client: Client.fromCredentials(staticCredentials("http://localhost")), logger: silentLogger, ...options });

/** `verb resource`, sorted. */
const granted = (rules: readonly PolicyRule[] = []) =>
  rules.flatMap(({ resources, verbs }) => resources.flatMap((name) => verbs.map((verb) => `${verb} ${name}`))).sort();
const ofKind = (program: Program, kind: string) => rbacOf(program, at).filter((manifest) => manifest.kind === kind);
const cluster = (program: Program) => granted(ofKind(program, "ClusterRole")[0]?.rules);

describe("the role of a program", () => {
  test("lets a controller watch and finish its kind, keep what it owns, and tell of it", () => {
    const manager = newManager();
    manager
      .controller("widget")
      .for(widgets)
      .owns(configMaps)
      .watches(nodes, () => [])
      .complete(() => ready());
    expect(cluster(manager)).toEqual(
      [
        ...["get", "list", "watch", "patch"].map((verb) => `${verb} widgets`),
        "update widgets/status",
        "update widgets/finalizers",
        ...["get", "list", "watch", "create", "patch", "delete"].map((verb) => `${verb} configmaps`),
        ...["list", "watch"].map((verb) => `${verb} nodes`),
        ...["create", "patch"].map((verb) => `${verb} events`),
      ].sort(),
    );
  });

  test("is as narrow as the controller says, and as wide as it has to be", () => {
    const manager = newManager().uses(nodes, "get");
    manager
      .controller("widget")
      .for(widgets, { verbs: [] })
      .owns(configMaps, { verbs: ["create"] })
      .uses(secrets, "get", "create")
      .complete(() => ready());
    expect(cluster(manager)).toEqual(
      [
        ...["list", "watch"].map((verb) => `${verb} widgets`),
        "update widgets/status",
        "update widgets/finalizers",
        ...["list", "watch", "create"].map((verb) => `${verb} configmaps`),
        ...["get", "create"].map((verb) => `${verb} secrets`),
        "get nodes",
        ...["create", "patch"].map((verb) => `${verb} events`),
      ].sort(),
    );
  });

  test("leaves the status and the rest of a kind that Kubernetes brings alone", () => {
    const manager = newManager();
    manager
      .controller("reloader")
      .for(deployments)
      .complete(() => unchanged());
    expect(cluster(manager)).toEqual(["create events", "list deployments", "patch events", "watch deployments"]);
  });

  test("lets handlers write what their patches and their progress ask for, and indexes read", () => {
    const manager = newManager();
    const handlers = manager.use(new Handlers());
    handlers.on.create(widgets, () => undefined);
    handlers.index("byNode", pods, () => undefined);
    expect(cluster(manager)).toEqual(
      [
        ...["get", "list", "watch", "patch"].map((verb) => `${verb} widgets`),
        ...["get", "patch", "update"].map((verb) => `${verb} widgets/status`),
        ...["list", "watch"].map((verb) => `${verb} pods`),
        ...["create", "patch"].map((verb) => `${verb} events`),
      ].sort(),
    );
  });

  test("is known of an operator without a server, its definitions included", () => {
    const operator = new Operator({ leaderElection: { name: "lease" }, logger: silentLogger }).define((manager) => {
      manager
        .controller("deployment")
        .for(deployments)
        .complete(() => unchanged());
    });
    operator.on.event(widgets, () => undefined);
    operator.uses(secrets, "get");
    expect(cluster(operator)).toEqual(expect.arrayContaining(["watch deployments", "watch widgets", "get secrets"]));
    expect(ofKind(operator, "Role")).toMatchObject([{ metadata: { namespace: at.namespace }, rules: [{ resources: ["leases"] }] }]);
  });
});

test("a program that is restricted to namespaces has roles there, and a ClusterRole for what is in none", () => {
  const manager = newManager({ namespaces: ["red", "blue"], leaderElection: { name: "lease", namespace: "home" } });
  manager
    .controller("widget")
    .for(widgets)
    .watches(nodes, () => [])
    .complete(() => ready());
  expect(ofKind(manager, "Role").map(({ metadata }) => metadata)).toEqual([
    { name: at.name, namespace: "red" },
    { name: at.name, namespace: "blue" },
    { name: `${at.name}-leases`, namespace: "home" },
  ]);
  expect(cluster(manager)).toEqual(["list nodes", "watch nodes"]);
  expect(ofKind(manager, "RoleBinding").every(({ subjects }) => subjects?.[0]?.namespace === at.namespace)).toBe(true);
  expect(ofKind(newManager({ namespaces: ["red"] }), "ClusterRole")).toEqual([]);
});

test("resources of one group with the same verbs share a rule, and the same resource is named once", () => {
  expect(
    rulesOf([
      { resource: configMaps, verbs: ["watch", "get"] },
      { resource: secrets, verbs: ["get"] },
      { resource: secrets, verbs: ["watch"] },
      { resource: deployments, verbs: ["get", "watch"] },
      { resource: nodes, verbs: [] },
    ]),
  ).toEqual([
    { apiGroups: [""], resources: ["configmaps", "secrets"], verbs: ["get", "watch"] },
    { apiGroups: ["apps"], resources: ["deployments"], verbs: ["get", "watch"] },
  ]);
});

test("everything is printed as YAML documents, definitions of the program's own kinds first", () => {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  try {
    printManifests(newManager(), { ...at, kinds: [widgets] });
    const kinds = parseAllDocuments(String(write.mock.calls[0]?.[0])).map((document) => document.toJS().kind);
    expect(kinds).toEqual(["CustomResourceDefinition", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"]);
  } finally {
    write.mockRestore();
  }
});
