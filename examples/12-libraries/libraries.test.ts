import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { heldOutTask, taskSet } from "@rune/crds/contracts/task-set";
import { corpusLine } from "@rune/crds/contracts/trajectory";
import { kinds } from "@rune/crds/kinds/kinds";
import { hypernetwork } from "@rune/crds/kinds/methods";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { Manifest } from "../shared/manifests.ts";
import {
  controlManifests,
  evaluationManifest,
  generateManifest,
  hypernetworkManifest,
  presets,
  serverManifest,
  type World,
} from "./manifests.ts";
import { optionsFrom } from "./options.ts";

const stored = { repository: "rune/libraries/things", digest: `sha256:${"0".repeat(64)}` };
const world: World = { base: { oci: stored }, training: stored, heldOut: stored, tasks: stored };
const options = optionsFrom([]);
const adapters = Array.from({ length: 64 }, (_, number) => `generated-${number}-0123456789abcdef`);
const [one = "", other = ""] = adapters;

test("the manifests have nothing but fields that their kinds have", () => {
  const manifests: Manifest[] = [
    serverManifest(options, world),
    hypernetworkManifest(options, world),
    generateManifest(options, world),
    ...controlManifests(options, world, adapters),
    evaluationManifest(options, world, one, other),
  ];
  for (const { kind, spec } of manifests) {
    const schema = kinds.find((each) => each.kind === kind)?.spec.strict();
    expect(schema, kind).toBeDefined();
    expect(() => schema?.parse(spec), kind).not.toThrow();
  }
});

test("every preset is a whole section `hypernetwork`, for the trial as for a TrainingRun", () => {
  expect(Object.keys(presets)).toEqual(["gpu", "cores", "smoke"]);
  for (const [name, preset] of Object.entries(presets)) expect(() => hypernetwork.strict().parse(preset), name).not.toThrow();
});

describe("the files of world/make.py", () => {
  const folder = mkdtempSync(join(tmpdir(), "libraries-"));
  const lines = (name: string) =>
    readFileSync(join(folder, name), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  beforeAll(() => {
    const make = join(import.meta.dirname, "world/make.py");
    execFileSync("python3", ["-B", make, "--out", folder, "--training", "3", "--held-out", "2", "--shuffled", "--sources"]);
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  test("are corpora and a task set in the ordinary formats", () => {
    const training = lines("training.jsonl").map((line) => corpusLine.strict().parse(line));
    expect(training.map(({ examples }) => examples?.length)).toEqual([20, 20, 20]);
    expect(lines("held-out.jsonl").map((line) => corpusLine.strict().parse(line))).toHaveLength(2);
    const set = taskSet.parse(JSON.parse(readFileSync(join(folder, "tasks.json"), "utf8")));
    for (const task of set.tasks) expect(() => heldOutTask.strict().parse(task)).not.toThrow();
    expect(new Set(set.tasks.map(({ id }) => id)).size).toBe(28);
  });

  test("have a program for every held-out task, and a file for every held-out library", () => {
    const reference = z.strictObject({ task: heldOutTask, program: z.string() });
    const set = taskSet.parse(JSON.parse(readFileSync(join(folder, "tasks.json"), "utf8")));
    expect(lines("references.jsonl").map((line) => reference.parse(line).task)).toEqual(set.tasks);
    const projects = new Set(set.tasks.map(({ scope }) => `${scope?.project}.py`));
    expect(new Set(readdirSync(join(folder, "sources")))).toEqual(projects);
  });

  test("hold no library out that is trained on", () => {
    const projects = (name: string) => lines(name).map(({ trajectory }) => trajectory.scope.project);
    expect(new Set([...projects("training.jsonl"), ...projects("held-out.jsonl")]).size).toBe(5);
  });

  test("ask nobody what its own session found out where they are shuffled", () => {
    const shuffled = lines("shuffled.jsonl").map((line) => corpusLine.parse(line));
    for (const { trajectory, examples = [] } of shuffled)
      for (const { program } of examples) expect(program).not.toContain(`import ${trajectory.scope.project}\n`);
  });
});
