import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  configMaps,
  type DynamicObject,
  Manager,
  ownerReference,
  progressing,
  type Reconciler,
  ready,
  resource,
  silentLogger,
  unchanged,
} from "kopf-ts";
import { manifestsOf } from "kopf-ts/manifests";
import { FakeApiServer, OperatorRunner, type SeenRequest } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const page = readFileSync(join(import.meta.dirname, "docs/deploying.md"), "utf8");
const rules = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)]
  .flatMap(([, text = ""]) => parseAllDocuments(text).map((document) => document.toJS() as { kind: string; rules: Rule[] }))
  .flatMap(({ kind, rules }) => (kind === "ClusterRole" || kind === "Role" ? rules : []));

const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const key = { namespace: "shop", name: "a" };

let server: FakeApiServer;
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  server.put(widgets, { apiVersion: "example.dev/v1", kind: "Widget", metadata: key, spec: { size: 3 } });
});
afterEach(() => server.stop());

/** `verb resource.group`, as an authorizer sees a request; a server-side apply may create. */
function asked({ method, path, watch, contentType }: SeenRequest): string[] {
  const parts = path.match(/^\/(?:api|apis\/([^/]+))\/v\d\w*\/(?:namespaces\/[^/]+\/)?([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/);
  if (!parts) return [`${method} ${path}`];
  const [, group = "", plural, name, subresource] = parts;
  const of = `${plural}${subresource ? `/${subresource}` : ""}.${group}`;
  if (method === "GET") return [`${watch ? "watch" : name ? "get" : "list"} ${of}`];
  if (method === "PATCH") return contentType.includes("apply-patch") ? [`patch ${of}`, `create ${of}`] : [`patch ${of}`];
  return [`${{ POST: "create", PUT: "update", DELETE: "delete" }[method] ?? method} ${of}`];
}

const allowed = (of: readonly Rule[]) =>
  new Set(
    of.flatMap((rule) =>
      rule.apiGroups.flatMap((group) => rule.resources.flatMap((name) => rule.verbs.map((verb) => `${verb} ${name}.${group}`))),
    ),
  );

/** The reconciler of README.md, which its own test runs from the page. */
const readme: Reconciler<DynamicObject> = (widget, ctx) => {
  const at = { namespace: widget.metadata.namespace, name: `${widget.metadata.name}-size` };
  if (ctx.cache(configMaps).get(at)?.data?.size === String(widget.spec.size)) return ready({ size: widget.spec.size });
  return progressing("Writing", "the ConfigMap is being written")
    .applying({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { ...at, ownerReferences: [ownerReference(widget)] },
      data: { size: String(widget.spec.size) },
    })
    .event("Normal", "Writing", "the ConfigMap is being written");
};

let manager: Manager;

/** What the roles allow that are made from what the program declares. */
const generated = () =>
  allowed(
    manifestsOf(manager, { name: "widget-operator", namespace: "shop" }).flatMap((manifest) =>
      "rules" in manifest ? (manifest.rules ?? []) : [],
    ),
  );

async function requestsOf(reconcile: Reconciler<DynamicObject>, until: () => boolean): Promise<Set<string>> {
  manager = new Manager({
    client: server.client(),
    logger: silentLogger,
    leaderElection: { name: "widget-operator", namespace: "shop" },
  });
  manager.controller("widget").for(widgets).owns(configMaps).complete(reconcile);
  await manager.start();
  await expect.poll(until).toBe(true);
  await manager.stop();
  return new Set(server.requests.flatMap(asked));
}

test("the rules of docs/deploying.md suffice for the README's operator, and say nothing that it does not need", async () => {
  const seen = await requestsOf(readme, () => server.find(widgets, key)?.status?.size === 3);
  const granted = allowed(rules);
  expect([...seen].filter((request) => !granted.has(request))).toEqual([]);
  expect([...granted].filter((request) => !generated().has(request))).toEqual([]);
  // The owner's finalizers are asked of an admission plugin, an event's patch of a repetition.
  const unseen = ["update widgets/finalizers.example.dev", "patch events.events.k8s.io"];
  expect([...granted].filter((request) => !seen.has(request) && !unseen.includes(request))).toEqual([]);
});

test("the table of docs/deploying.md names the verbs of finalizers, creations and deletions", async () => {
  const child = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "child", labels: { of: "a" } } };
  server.put(configMaps, { ...child, metadata: { ...child.metadata, name: "old" } });
  const seen = await requestsOf(
    ({ metadata }, ctx) =>
      unchanged()
        .finalizer("example.dev/x", true)
        .creating(child)
        .deleting(
          ...ctx
            .cache(configMaps)
            .list()
            .filter((one) => one.metadata.name === "old" && metadata.finalizers),
        ),
    () =>
      server.find(configMaps, { namespace: "shop", name: "old" }) === undefined && server.find(configMaps, child.metadata) !== undefined,
  );
  const writes = [...seen].filter((request) => !/^(list|watch) |leases/.test(request));
  const documented = ["get", "patch"]
    .map((verb) => `${verb} widgets.example.dev`)
    .concat(["create", "get", "delete"].map((verb) => `${verb} configmaps.`));
  expect(writes.filter((request) => !documented.includes(request))).toEqual([]);
  expect([...seen].filter((request) => !generated().has(request))).toEqual([]);
  expect(page).toContain("| `.finalizer(…)`; delete handlers and daemons | `get`, `patch` | the resource |");
  expect(page).toContain("| `.creating(…)` | `create`, `get` | the child's resource |");
  expect(page).toContain("| `.deleting(…)` | `delete` | the child's resource |");
});

test("handlers need what the table says: get and patch on the resource, patch on its status", async () => {
  await using runner = await OperatorRunner.start(
    (operator) => {
      operator.on.create(widgets, ({ patch }) => {
        patch.status.phase = "made";
      });
      operator.on.delete(widgets, () => undefined);
    },
    { server },
  );
  await runner.until(() => server.find(widgets, key)?.metadata.annotations?.["kopf-ts.dev/last-handled"]);
  manager = runner.operator.manager;
  const seen = [...new Set(server.requests.flatMap(asked))];
  expect(seen.filter((request) => !generated().has(request))).toEqual([]);
  const writes = seen.filter((request) => !/^(list|watch) /.test(request));
  const documented = [
    "get widgets.example.dev",
    "patch widgets.example.dev",
    "get widgets/status.example.dev",
    "patch widgets/status.example.dev",
  ];
  expect(writes.filter((request) => !documented.includes(request))).toEqual([]);
  expect(page).toContain("| handlers of changes; `patch` in any handler | `get`, `patch` | the resource, and `<resource>/status` |");
});
