import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programOf } from "@rune/clients/prompts/program";
import { prefill, prompt } from "@rune/clients/prompts/prompt";
import { taskSet } from "@rune/crds/contracts/task-set";
import { corpusLine } from "@rune/crds/contracts/trajectory";
import { kinds } from "@rune/crds/kinds/kinds";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { Manifest } from "../shared/manifests.ts";
import {
  generateManifests,
  halfManifests,
  hypernetworkManifests,
  memoryManifest,
  mergeEvaluationManifest,
  mergeManifests,
  serverManifest,
  shuffledManifest,
} from "./manifests.ts";
import { optionsFrom } from "./options.ts";
import { corpora, sizes, taskSets, type World } from "./world.ts";

const digest = `sha256:${"0".repeat(64)}`;
const stored = (name: string) => ({ repository: `rune/minilang/${name}`, digest });
const world: World = {
  base: { oci: stored("base") },
  corpora: {
    training: stored("corpora"),
    shuffled: stored("corpora"),
    "held-out": stored("corpora"),
    first: stored("corpora"),
    second: stored("corpora"),
    project: stored("corpora"),
  },
  taskSets: { tasks: stored("tasks"), merge: stored("tasks"), project: stored("tasks") },
};
const adapters = Array.from({ length: 40 }, (_, number) => `met-h${number}-0123456789abcdef`);
const [one = "", other = ""] = adapters;

describe.each([
  ["whole", []],
  ["quick", ["--quick"]],
])("the %s laboratory", (_, argv) => {
  const options = optionsFrom(argv);
  const manifests: Manifest[] = [
    serverManifest(options, world.base),
    ...hypernetworkManifests(options, world),
    ...generateManifests(options, world),
    ...halfManifests(options, world),
    ...mergeManifests(options, world, adapters, [one, other]),
    memoryManifest(options, world, one, other),
    shuffledManifest(options, world, one),
    mergeEvaluationManifest(options, world, { merged: one, first: other }),
  ];

  test("applies nothing but fields that its kinds have", () => {
    for (const { kind, spec } of manifests) {
      const schema = kinds.find((each) => each.kind === kind)?.spec.strict();
      expect(() => schema?.parse(spec), kind).not.toThrow();
    }
  });

  test("gives every object a name of its own", () => {
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test("has a slot for each generated adapter, and room for the rank of their mean", () => {
    const specs = z.object({
      adapters: z.object({ slots: z.number(), maxRank: z.number() }).optional(),
      merge: z.object({ combine: z.string(), adapters: z.array(z.string()) }).optional(),
      hypernetwork: z.object({ rank: z.number() }).optional(),
    });
    const found = manifests.map(({ spec }) => specs.parse(spec));
    const ranks = found.flatMap(({ hypernetwork }) => hypernetwork?.rank ?? []);
    const most = Math.max(...found.map(({ merge }) => merge?.adapters.length ?? 0));
    const [server] = found;
    expect(server?.adapters?.slots).toBeGreaterThanOrEqual(options.heldOutProjects);
    expect(server?.adapters?.maxRank).toBeGreaterThanOrEqual(most * 2 * Math.max(...ranks));
  });
});

describe("the world's files", () => {
  const directory = mkdtempSync(join(tmpdir(), "minilang-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const few = { ...optionsFrom([]), trainingProjects: 20, heldOutProjects: 4 };
  execFileSync("python3", ["-B", join(import.meta.dirname, "world/make.py"), "--out", directory, ...sizes(few)]);
  const text = (name: string) => readFileSync(join(directory, name), "utf8");

  test.each(corpora)("%s.jsonl is a corpus, and its sessions are trajectories as agents seal them", (name) => {
    const lines = text(`${name}.jsonl`).trimEnd().split("\n");
    for (const line of lines) expect(() => corpusLine.strict().parse(JSON.parse(line))).not.toThrow();
    expect(lines).toHaveLength({ training: 20, shuffled: 20, "held-out": 4, first: 1, second: 1, project: 1 }[name]);
  });

  test.each(taskSets)("%s.json is a task set", (name) => {
    expect(() => taskSet.parse(JSON.parse(text(`${name}.json`)))).not.toThrow();
  });

  test("an answer of the base's words, as its tokenizer spells them, goes on with the stub", () => {
    const [task] = taskSet.parse(JSON.parse(text("tasks.json"))).tasks;
    if (!task) throw new Error("no task");
    expect(programOf(task, "|blim |rev |corv |srt")).toBe("from pipe import *\n\ndef solve(x):\n    return x|blim |rev |corv |srt\n");
    expect(prefill(task)).toBe(`\`\`\`python\n${task.stub}`);
    expect(prompt(task).at(-1)?.content).toContain("put the list x through |");
  });
});
