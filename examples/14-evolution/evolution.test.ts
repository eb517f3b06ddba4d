import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chosenTasks, partOf } from "@rune/clients/tasks/task-set";
import { taskSet } from "@rune/crds/contracts/task-set";
import { corpusLine } from "@rune/crds/contracts/trajectory";
import { kinds } from "@rune/crds/kinds/kinds";
import { afterAll, describe, expect, test } from "vitest";
import { effectNames, effectsOf, type Kill, killTable, neverHit, victimOf } from "./effects.ts";
import { copyManifests, generationManifests, serverManifest, trainingManifests } from "./manifests.ts";
import { optionsFrom } from "./options.ts";
import { checksOf, type Result } from "./report.ts";
import type { World } from "./world.ts";

const digest = `sha256:${"0".repeat(64)}`;
const stored = (name: string) => ({ repository: `rune/evolution/${name}`, digest });
const options = optionsFrom([]);
const world: World = {
  base: { oci: stored("base") },
  corpora: Array.from({ length: options.adapters }, () => stored("corpora")),
  taskSet: stored("tasks"),
};
const spec = {
  base: { name: "base", digest },
  artifact: { ...stored("adapters"), sizeBytes: 1 },
  ...{ rank: 8, alpha: 16, targetModules: ["down_proj"], scope: {}, source: { kind: "Import" as const }, generation: 0 },
};

describe("the manifests", () => {
  const manifests = [
    serverManifest(options, world.base),
    ...trainingManifests(options, world),
    ...copyManifests(options, { spec }),
    ...generationManifests(options, world),
  ];

  test("have nothing but fields that their kinds have", () => {
    for (const { kind, spec } of manifests) {
      const schema = kinds.find((each) => each.kind === kind)?.spec.strict();
      expect(() => schema?.parse(spec), kind).not.toThrow();
    }
  });

  test("give every object a name of its own", () => {
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("the world's files", () => {
  const directory = mkdtempSync(join(tmpdir(), "evolution-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const script = join(import.meta.dirname, "../10-minilang/world/pairs.py");
  execFileSync("python3", ["-B", script, "--out", directory, "--sessions", String(options.adapters)]);
  const text = (name: string) => readFileSync(join(directory, name), "utf8");
  const corpora = readdirSync(directory).filter((name) => name.endsWith(".jsonl"));

  test("hold a corpus of one session for each adapter", () => {
    expect(corpora).toHaveLength(options.adapters);
    for (const name of corpora) expect(() => corpusLine.strict().parse(JSON.parse(text(name)))).not.toThrow();
  });

  test("ask for three verbs, of which no session met more than two", () => {
    const set = taskSet.parse(JSON.parse(text("tasks.json")));
    const verbsOf = (id: string) => id.split("-").slice(1);
    const met = corpora.map((name) => {
      const { examples = [] } = corpusLine.parse(JSON.parse(text(name)));
      return new Set(examples.flatMap(({ task }) => verbsOf(task.id)));
    });
    for (const { id } of set.tasks) for (const verbs of met) expect(verbsOf(id).filter((verb) => verbs.has(verb)).length).toBeLessThan(3);
    for (const part of ["Validation", "Test"] as const) {
      const chosen = chosenTasks(set, { part, seed: 0 });
      expect(chosen.length).toBeGreaterThanOrEqual(20);
      expect(chosen.every((task) => partOf(task) === part)).toBe(true);
    }
  });
});

describe("what it was to show", () => {
  const rate = (estimate: number, lower: number) => ({ estimate, ci: [lower, estimate + 5] as [number, number] });
  type Generation = Result["verbs"][number];
  const generation = (promotion: Partial<Generation["promotion"]>, runs: string[] = [], more: Partial<Generation> = {}): Generation => ({
    ...{ name: "g", reason: "Continued", members: 12, best: null, archived: 0, decisions: [], ...more },
    children: runs.map((run) => ({ run, kind: "Merge", parents: 2, state: "Kept", passAt1: null, why: "" })),
    promotion: { outcome: "NotPromoted", candidate: null, delta: null, rivals: [], why: "nobody is better", ...promotion },
  });
  const counts = { blobs: 2, manifests: 1, tags: 1 };
  const registry = { before: counts, after: counts, changed: [], damaged: [] };
  const copies = [generation({}, ["b"], { name: "c" })];
  const sound = { verbs: [generation({}, ["a"])], copies, runs: ["b", "a"], generations: ["c", "g"], registry };
  const archival = { kind: "Archival", adapter: "x", recorded: true };
  const failedIn = (found: Parameters<typeof checksOf>[0]) => Object.entries(checksOf(found)).filter(([, holds]) => !holds);

  test("holds where nobody deserved it and it says why", () => {
    expect(failedIn(sound)).toEqual([]);
  });

  test.each([
    ["a copy was promoted", { copies: [generation({ outcome: "Promoted" }, ["b"], { name: "c" })] }],
    ["a child has two runs", { runs: ["b", "a", "a"] }],
    ["a generation was begun twice", { generations: ["c", "g", "g-g2"] }],
    ["an adapter was archived twice", { verbs: [generation({}, ["a"], { decisions: [archival, archival] })] }],
    ["a decision is not in the registry", { verbs: [generation({}, ["a"], { decisions: [{ ...archival, recorded: false }] })] }],
    ["the registry lost a tag", { registry: { ...registry, changed: ["x"] } }],
    ["a blob isn't what its digest says", { registry: { ...registry, damaged: ["x"] } }],
    ["nothing is said", { verbs: [generation({ why: "" }, ["a"])] }],
    [
      "the mean is as good",
      { verbs: [generation({ outcome: "Promoted", delta: rate(10, 2), rivals: [{ role: "Mean", delta: rate(10, 2) }] }, ["a"])] },
    ],
    ["the gain may be none", { verbs: [generation({ outcome: "Promoted", delta: rate(10, -1) }, ["a"])] }],
  ])("fails where %s", (_, changed) => {
    expect(failedIn({ ...sound, ...changed }).length).toBeGreaterThan(0);
  });
});

describe("kills after the effects of a generation", () => {
  const components = ["nats", "operator", "registry", "trainer"];

  test("hit each component after each effect, over as many generations", () => {
    const struck: Kill[] = [];
    for (const generation of components)
      for (const effect of effectNames) struck.push({ generation, effect, component: victimOf(components, effect, struck) ?? "" });
    for (const effect of effectNames)
      expect(new Set(struck.flatMap((each) => (each.effect === effect ? [each.component] : [])))).toEqual(new Set(components));
  });

  test("hit first whom no other effect's kills have hit, and nobody where nobody runs", () => {
    const struck = [{ generation: "g", effect: effectNames[0] ?? "", component: "nats" }];
    expect(victimOf(["nats", "trainer"], effectNames[1] ?? "", struck)).toBe("trainer");
    expect(victimOf([], effectNames[0] ?? "", struck)).toBeUndefined();
    expect(neverHit(struck)).toEqual(["operator", "registry", "trainer", "evaluator", "sandbox"]);
  });

  test("know what a status shows, and nothing more", () => {
    expect(effectsOf({})).toEqual([]);
    expect(effectsOf({ memberCount: 2, next: "g-g2" })).toEqual([effectNames[0], "the next generation is created"]);
    expect(effectsOf({}, ["trainer"])).toEqual(["a trainer works"]);
    const evaluations = [{ name: "g-m1", purpose: "Members" as const, adapters: [], state: "Planned" as const }];
    expect(effectsOf({ evaluations })).toEqual([]);
    expect(effectsOf({ evaluations: evaluations.map((each) => ({ ...each, state: "Running" as const })) })).toEqual([effectNames[1]]);
  });

  test("are reported for each effect", () => {
    expect(killTable([])).toBe("");
    const table = killTable([{ generation: "g", effect: effectNames[1] ?? "", component: "nats" }]);
    expect(table).toContain(`| ${effectNames[1]} | nats (g) |`);
    expect(table).toContain(`| ${effectNames[0]} | – |`);
  });
});
