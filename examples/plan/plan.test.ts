import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { partOf } from "@rune/clients/tasks/task-set";
import { taskSet } from "@rune/crds/contracts/task-set";
import { kinds } from "@rune/crds/kinds/kinds";
import { afterAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { optionsFrom as laboratoryOptions } from "../10-minilang/options.ts";
import { sizes } from "../10-minilang/world.ts";
import type { Manifest } from "../shared/manifests.ts";
import { build, folderOf } from "./kustomize.ts";
import { namespaces, type Overlay, optionsFrom } from "./options.ts";
import { hasStarted, isDone, isStuck, ownNamespace, phaseNames, phaseOf, withFailingGate } from "./phases.ts";
import { copyOfPlan } from "./testing.ts";

const copy = await copyOfPlan();
afterAll(() => copy[Symbol.asyncDispose]());

const overlays = Object.keys(namespaces) as Overlay[];
const built = new Map<Overlay, Manifest[]>();
for (const overlay of overlays) built.set(overlay, await build(folderOf(overlay, copy.root)));
const minilang = built.get("minilang") ?? [];

/** The condition that a phase has shown what the next one builds on. */
const gates = [
  "EnvironmentCheck/environment ChecksPassed",
  "Evaluation/hypothesis GatePassed",
  "Evaluation/quantization GatePassed",
  "TrainingRun/lived Ready",
];

const requirement = z.object({ kind: z.string(), name: z.string(), condition: z.string() });
const requiring = z.looseObject({ requires: z.array(requirement).default([]) });
const requiresOf = ({ spec }: Manifest) => (spec ? requiring.parse(spec).requires : []);
const keyOf = ({ kind, metadata }: Manifest) => `${kind}/${metadata.name}`;
const isOurs = ({ apiVersion }: Manifest) => apiVersion.startsWith("rune.dev/");

describe.each(overlays)("%s", (overlay) => {
  const manifests = built.get(overlay) ?? [];
  const own = manifests.filter(isOurs);
  const byKey = new Map(own.map((manifest) => [keyOf(manifest), manifest]));

  /** Everything that an object waits for, by any mechanism: `kind/name condition`. */
  function awaited(manifest: Manifest, above: readonly string[] = []): Set<string> {
    const key = keyOf(manifest);
    if (above.includes(key)) throw new Error(`a cycle: ${[...above, key].join(" → ")}`);
    const next = requiresOf(manifest).flatMap(({ kind, name, condition }) => {
      const object = byKey.get(`${kind}/${name}`);
      return [`${kind}/${name} ${condition}`, ...(object ? awaited(object, [...above, key]) : [])];
    });
    return new Set(next);
  }

  test("has nothing but fields that its kinds have, and names that they take", () => {
    for (const { kind, metadata, spec } of own) {
      const definition = kinds.find((each) => each.kind === kind);
      expect(() => definition?.spec.strict().parse(spec), `${kind} ${metadata.name}`).not.toThrow();
      expect(metadata.name.length).toBeLessThanOrEqual(definition?.nameMaxLength ?? 0);
    }
    expect(byKey.size).toBe(own.length);
  });

  test("stands in a namespace of its own, which can be begun again, and every object in its phase", () => {
    const [namespace, ...others] = manifests;
    expect(namespace).toMatchObject({ kind: "Namespace", metadata: { name: namespaces[overlay], labels: ownNamespace } });
    for (const { metadata } of others) expect(metadata.namespace).toBe(namespaces[overlay]);
    expect(new Set(own.map(phaseOf))).toEqual(new Set(phaseNames));
  });

  test("requires objects that are there, by conditions that their kinds have, and nothing in a circle", () => {
    for (const manifest of own) {
      for (const { kind, name, condition } of requiresOf(manifest)) {
        const required = byKey.get(`${kind}/${name}`);
        expect(required, `${keyOf(manifest)} requires ${kind}/${name}`).toBeDefined();
        expect(conditionsOf(required as Manifest), `${kind}/${name}`).toContain(condition);
      }
      expect(() => awaited(manifest)).not.toThrow();
    }
  });

  test("begins no phase without the gate of the one before", () => {
    for (const manifest of own) {
      const phase = Number(phaseOf(manifest));
      for (const gate of gates.slice(0, phase)) expect(awaited(manifest), keyOf(manifest)).toContain(gate);
    }
  });

  test("names servers, runs and libraries that are there", () => {
    const text = JSON.stringify(own);
    const named = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name ?? "");
    for (const name of named(/"serverRef":\{"name":"([^"]+)"/g)) expect(byKey.has(`ModelServer/${name}`), name).toBe(true);
    for (const name of [...named(/"rune\.dev\/run":"([^"]+)"/g), ...named(/"hypernetwork":\{"run":"([^"]+)"/g)])
      expect(byKey.has(`TrainingRun/${name}`), name).toBe(true);
    for (const name of named(/"libraryConfigMap":"([^"]+)"/g)) expect(manifests.map(keyOf), name).toContain(`ConfigMap/${name}`);
  });

  test("asks for the gates' own numbers, and for 99 points where one is to fail", () => {
    expect(gateOf(manifests, "hypothesis")).toMatchObject({ rule: "PointEstimate", thresholdPoints: 5, mode: "Smoke" });
    expect(gateOf(manifests, "quantization")).toMatchObject({ maxRelativeDropPercent: 10 });
    const failing = withFailingGate(manifests, "2");
    expect(gateOf(failing, "hypothesis")).toEqual(gateOf(manifests, "hypothesis"));
    expect(gateOf(failing, "quantization")).toMatchObject({ thresholdPoints: 99 });
    expect(gateOf(failing, "quantization")).not.toHaveProperty("maxRelativeDropPercent");
    expect(failing.filter(({ kind }) => kind !== "Evaluation")).toEqual(manifests.filter(({ kind }) => kind !== "Evaluation"));
  });
});

/** Conditions that an object can get, as far as others may wait for them. */
function conditionsOf({ kind, spec }: Manifest): string[] {
  const own: Record<string, string[]> = {
    EnvironmentCheck: ["ChecksPassed"],
    Evaluation: spec && "gate" in spec ? ["GatePassed"] : [],
    AgentSession: ["Solved", "TrajectorySealed"],
  };
  return ["Ready", ...(kind === "ModelServer" ? [] : ["Succeeded"]), ...(own[kind] ?? [])];
}

const gateOf = (manifests: readonly Manifest[], name: string) =>
  z.looseObject({ gate: z.looseObject({}) }).parse(manifests.find((each) => keyOf(each) === `Evaluation/${name}`)?.spec).gate;

describe.each(["minilang", "coder"] as const)("the digests of %s", (overlay) => {
  test("all come into the manifests, and no manifest lacks one", () => {
    const text = JSON.stringify(built.get(overlay));
    for (const [name, digest] of Object.entries(copy.digests(overlay))) expect(text, name).toContain(digest);
    expect(text).not.toContain('"digest":""');
  });
});

test("sessions of the laboratory work on tasks of the Train part, so that Validation and Test are left to select and decide by", async () => {
  const directory = join(copy.root, "world");
  const options = { ...laboratoryOptions(["--quick"]), trainingProjects: 2, heldOutProjects: 2 };
  execFileSync("python3", ["-B", join(copy.root, "../10-minilang/world/make.py"), "--out", directory, ...sizes(options)]);
  const { tasks } = taskSet.parse(JSON.parse(readFileSync(join(directory, "project.json"), "utf8")));
  const sessions = minilang.filter(({ kind }) => kind === "AgentSession");
  expect(sessions).toHaveLength(3);
  for (const { spec } of sessions) {
    const { task, scope } = z.object({ task: z.looseObject({ id: z.string() }), scope: z.looseObject({}) }).parse(spec);
    const { scope: project, ...known } = tasks.find(({ id }) => id === task.id) ?? { scope: {} };
    expect(task).toEqual(known);
    expect(scope).toMatchObject(project ?? {});
    expect(partOf(task)).toBe("Train");
  }
}, 120_000);

describe("the hypernetwork of Phase 1, in the laboratory", () => {
  const specOf = <T extends z.ZodType>(key: string, shape: T) => shape.parse(minilang.find((each) => keyOf(each) === key)?.spec);
  const byRun = z.object({ run: z.literal("hypernetwork") });

  test("learns from one session, and begets a child of every generation", () => {
    const session = specOf("AgentSession/lived-3", z.object({ learn: z.strictObject({ policy: z.string(), hypernetwork: byRun }) }));
    expect(session.learn.policy).toBe("Generate");
    const evolution = z.object({ variation: z.object({ generate: z.strictObject({ hypernetwork: byRun }) }) });
    expect(() => specOf("EvolutionGeneration/evolution", evolution)).not.toThrow();
  });

  test("makes no adapter that the server refuses, were every session of the plan among what the parents have learnt from", () => {
    const { rank } = specOf("TrainingRun/hypernetwork", z.object({ hypernetwork: z.looseObject({ rank: z.number() }) })).hypernetwork;
    const { maxRank } = specOf("ModelServer/coder", z.object({ adapters: z.object({ maxRank: z.number() }) })).adapters;
    const { heldOutProjects } = laboratoryOptions(["--quick"]);
    const ofPhase2 = 1;
    const lived = minilang.filter(({ kind }) => kind === "AgentSession").length;
    const theStaticPart = 1;
    expect(maxRank).toBeGreaterThanOrEqual(rank * (heldOutProjects + ofPhase2 + lived + theStaticPart));
  });
});

const documents = (file: string) => parseAllDocuments(readFileSync(join(import.meta.dirname, file), "utf8")).map((each) => each.toJS());

const fluxKustomization = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.looseObject({
    path: z.string(),
    dependsOn: z.array(z.object({ name: z.string() })).default([]),
    wait: z.literal(true),
    timeout: z.string().regex(/^\d+h$/),
    healthCheckExprs: z.array(z.object({ kind: z.string(), failed: z.string(), current: z.string() }).loose()),
  }),
});

/** Flux's result of its Kustomizations: the folder of each phase by itself. */
async function builtByFlux(phases: readonly z.infer<typeof fluxKustomization>[]): Promise<Manifest[]> {
  const all: Manifest[] = [];
  for (const { spec } of phases) all.push(...(await build(join(copy.root, spec.path.replace("./examples/plan/", "")))));
  return all;
}

const sorted = (manifests: readonly Manifest[]) => manifests.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));

describe.each(["base", "minilang"] as const)("Flux, %s", async (variant) => {
  const objects = await build(join(copy.root, "flux", variant));
  const phases = objects.filter(({ kind }) => kind === "Kustomization").map((each) => fluxKustomization.parse(each));

  test("has a Kustomization for each phase, each after the one before", () => {
    const names = phases.map(({ metadata }) => metadata.name).toSorted();
    expect(names.map((name) => name.split("-")[1])).toEqual(phaseNames);
    for (const { metadata, spec } of phases) {
      const before = names[names.indexOf(metadata.name) - 1];
      expect(spec.dependsOn.map(({ name }) => name)).toEqual(before ? [before] : []);
      const folder = variant === "base" ? "base" : `overlays/${variant}`;
      expect(spec.path).toBe(`./examples/plan/${folder}/${metadata.name.replace("plan-", "phase-")}`);
    }
  });

  test("makes of all phases together what kustomize makes at once", async () => {
    expect(sorted(await builtByFlux(phases))).toEqual(sorted(built.get(variant) ?? []));
  }, 240_000);

  test("judges by its gate each kind that has one", () => {
    for (const { spec } of phases) {
      const judged = Object.fromEntries(spec.healthCheckExprs.map(({ kind, failed }) => [kind, failed]));
      expect(judged.Evaluation).toContain("'GatePassed'");
      expect(judged.EnvironmentCheck).toContain("'ChecksPassed'");
      expect(Object.keys(judged)).toHaveLength(2);
    }
  });
});

const annotated = z.looseObject({ metadata: z.looseObject({ annotations: z.record(z.string(), z.string()).default({}) }) });

test("Argo CD's waves are the phases, and its Application reads folders that are there", async () => {
  const [application] = documents("argocd/application.yaml");
  const { path, kustomize } = application.spec.source;
  const repository = join(import.meta.dirname, "../..");
  expect(existsSync(join(repository, path, "kustomization.yaml"))).toBe(true);
  for (const component of kustomize.components) expect(existsSync(join(repository, path, component, "kustomization.yaml"))).toBe(true);
  const folder = await copy.kustomization("argo", JSON.stringify({ resources: ["../overlays/minilang"], components: ["../argocd/waves"] }));
  for (const manifest of (await build(folder)).filter(isOurs)) {
    const { metadata } = annotated.parse(manifest);
    expect(metadata.annotations["argocd.argoproj.io/sync-wave"], keyOf(manifest)).toBe(phaseOf(manifest));
  }
}, 120_000);

test("Argo CD learns the health of every kind at once", () => {
  const [config] = documents("argocd/health.yaml");
  const rules = parse(config.data["resource.customizations"]);
  expect(Object.keys(rules)).toEqual(["rune.dev/*"]);
  expect(rules["rune.dev/*"]["health.lua"]).toContain('"Degraded"');
});

const seen = (kind: string, conditions: Record<string, string>, status: object = {}) => ({
  kind,
  metadata: { name: "one" },
  status: {
    ...status,
    conditions: Object.entries(conditions).map(([type, is]) => ({
      type,
      status: is as "True",
      reason: "R",
      message: "",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    })),
  },
});

test("a server is done when it is Ready, everything else when it is over; a gate that failed is a result", () => {
  expect(isDone(seen("ModelServer", { Ready: "True" }))).toBe(true);
  expect(isDone(seen("Evaluation", { Ready: "False", Reconciling: "True" }))).toBe(false);
  expect(isDone(seen("Evaluation", { Ready: "True", Succeeded: "True", GatePassed: "False" }))).toBe(true);
  expect(isStuck(seen("Evaluation", { Ready: "True", Succeeded: "True", GatePassed: "False" }))).toBe(false);
});

test("what is stalled is stuck, but for a session that ended: it taught nothing", () => {
  expect(isStuck(seen("TrainingRun", { Ready: "False", Stalled: "True" }))).toBe(true);
  expect(isStuck(seen("AgentSession", { Ready: "False", Stalled: "True" }))).toBe(true);
  expect(isStuck(seen("AgentSession", { Ready: "False", Stalled: "True", Failed: "True" }))).toBe(false);
});

test.each<[object, boolean]>([
  [{}, false],
  [{ replicas: 0, epoch: 0, attempts: [] }, false],
  [{ startTime: "2026-01-01T00:00:00Z" }, true],
  [{ epoch: 1 }, true],
  [{ attempts: [{ number: 1 }] }, true],
  [{ replicas: 1 }, true],
])("an object with %j has started: %s", (status, started) => {
  expect(hasStarted(seen("TrainingRun", { Ready: "False" }, status))).toBe(started);
});

test("options that can't be meant are refused with what can be", () => {
  expect(optionsFrom([])).toMatchObject({ overlay: "minilang", namespace: "plan-minilang", dataOnly: false });
  expect(optionsFrom(["--overlay", "coder", "--fail-gate", "1"])).toMatchObject({ namespace: "plan-coder", failGate: "1" });
  expect(() => optionsFrom(["--overlay", "qwen"])).toThrow("must be one of minilang, coder, base");
  expect(() => optionsFrom(["--fail-gate", "4"])).toThrow("1 or 2, not 4");
});
