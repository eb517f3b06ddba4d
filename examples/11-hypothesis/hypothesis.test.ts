import { partOf } from "@rune/clients/tasks/task-set";
import { parseTaskSet } from "@rune/clients/tasks/task-set-text";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import { kinds } from "@rune/crds/kinds/kinds";
import { expect, test } from "vitest";
import type { Manifest } from "../shared/manifests.ts";
import {
  evaluationManifest,
  fineTunedManifest,
  generateManifest,
  hypernetworkManifest,
  meanManifest,
  mostInMean,
  serverManifest,
  sessionManifest,
  taskSetManifest,
} from "./manifests.ts";
import { optionsFrom } from "./options.ts";
import { type Result, resultPage, story } from "./report.ts";
import { askedFor, heldOutTasks, secondTries, trainedOn, trainingTasks, withNearestScope } from "./tasks.ts";

const options = optionsFrom([], "cpu");
const base = { oci: { repository: "rune/models/coder", digest: `sha256:${"0".repeat(64)}` } };
/** As many as HumanEval has, each with a word that one other shares. */
const set = parseTaskSet(
  JSON.stringify(
    Array.from({ length: 164 }, (_, number): HeldOutTask => {
      const description = `Complete this function: word${number % 41} of ${number}.`;
      return { id: `HumanEval/${number}`, description, tests: "assert solve()\n", entryPoint: "solve", scope: { project: "humaneval" } };
    }),
  ),
);
const training = trainingTasks(set, options);
const heldOut = withNearestScope(heldOutTasks(set, options), training);
const nearest = askedFor(heldOut, training);

test("sessions work on the Train part, each for itself, and tasks of the Test part are held out", () => {
  expect(training.length).toBeGreaterThanOrEqual(60);
  for (const { task } of training) expect(partOf(task)).toBe("Train");
  expect(new Set(training.map(({ scope }) => scope.task)).size).toBe(training.length);
  expect(heldOut).toHaveLength(25);
  for (const task of heldOut) expect(partOf(task)).toBe("Test");
});

test("a second session works on each unsolved task, under a name of its own and for the same scope", () => {
  const second = secondTries(training, training.slice(2));
  expect(second.map(({ task }) => task)).toEqual(training.slice(0, 2).map(({ task }) => task));
  expect(second.map(({ scope }) => scope)).toEqual(training.slice(0, 2).map(({ scope }) => scope));
  expect(training.map(({ name }) => name)).not.toContain(second[0]?.name);
});

test("the sessions that held-out tasks need are trained on before others, each once, and no more than two cores can take", () => {
  const learnt = trainedOn(training, nearest, options);
  expect(learnt).toHaveLength(options.minimumPairs);
  expect(learnt.slice(0, nearest.length)).toEqual(nearest);
  expect(new Set(learnt).size).toBe(learnt.length);
  expect(trainedOn(training, nearest, optionsFrom([], "cuda"))).toHaveLength(training.length);
});

test("a held-out task asks for the session whose task is most similar", () => {
  const shared = (text: string) => /word\d+/.exec(text)?.[0];
  for (const { description, scope } of heldOut) {
    const chosen = training.find((each) => each.scope.task === scope?.task);
    const some = training.some(({ task }) => shared(task.description) === shared(description));
    if (some) expect(shared(chosen?.task.description ?? "")).toBe(shared(description));
  }
  expect(nearest.length).toBeGreaterThan(1);
});

test("without a solved session a held-out task asks for nobody's knowledge", () => {
  const [first] = withNearestScope(heldOut, []);
  expect(first?.scope).toEqual({ project: "humaneval" });
});

test("the manifests have nothing but fields that their kinds have", () => {
  const adapters = Array.from({ length: 20 }, (_, number) => `generated-${number}-0123456789abcdef`);
  const manifests: Manifest[] = [
    serverManifest(options.namespace, base),
    ...training.map((each) => sessionManifest(options, each)),
    fineTunedManifest(options, base, training),
    hypernetworkManifest(options, base, training),
    generateManifest(options, base, nearest),
    meanManifest(options, base, adapters),
    evaluationManifest(options, { mean: "mean-1", fineTuned: "fine-tuned-1" }),
  ];
  for (const { kind, metadata, spec } of manifests) {
    const definition = kinds.find((each) => each.kind === kind);
    expect(() => definition?.spec.strict().parse(spec), kind).not.toThrow();
    expect(metadata.name.length).toBeLessThanOrEqual(definition?.nameMaxLength ?? 0);
  }
});

test("a mean is of no more adapters than a merge takes, and of two at least", () => {
  const adapters = Array.from({ length: 20 }, (_, number) => `a${number}`);
  expect(meanManifest(options, base, adapters).spec).toMatchObject({ merge: { adapters: adapters.slice(0, mostInMean) } });
});

test("the held-out tasks are a task a line", () => {
  const { data } = taskSetManifest(options.namespace, heldOut);
  expect(parseTaskSet(data?.["tasks.jsonl"] ?? "").tasks).toEqual(heldOut.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
});

const interval = { estimate: 0.5, lower: 0.4, upper: 0.6 };
const points = { estimate: -1.6, lower: -9, upper: 5.8 };
const run = { examples: 100, steps: 60, seconds: 1500, loss: 0.31, modeCollapse: true, metrics: { rightMinusWrong: -0.001 } };
const verdict = { verdict: "Failed" as const, why: "the gain is below 5 points" };
const result: Result = {
  options,
  sessions: { total: 82, solved: 61 },
  nearestSessions: 18,
  training: { fineTuned: run, hypernetwork: run, generated: run, mean: run },
  evaluation: {
    tasks: 25,
    arms: { base: interval, generated: interval },
    costs: {},
    gains: { generated: points },
    contrasts: { wrong: points },
    gate: { verdict, verdicts: { LowerBound: verdict, PointEstimate: verdict } },
    mlflowRunID: null,
  },
  minutes: 84,
  parts: { sessions: 12 },
  assessment: "# Gate FAILED\n\nIt did not.\n",
  page: "<html>",
};

test("the story tells of memory before it tells of the gain, and of a collapse by its name", () => {
  const text = story(result);
  expect(text.indexOf("generated adapters less each control arm")).toBeLessThan(text.indexOf("Each arm less the base"));
  expect(text).toContain("ended as collapsed");
  expect(text).toContain("-1.6 points [-9.0, +5.8]");
});

test("the page of results is the assessment, and what it was made from", () => {
  const page = resultPage(result);
  expect(page.startsWith(result.assessment.trimEnd())).toBe(true);
  expect(page).toContain("| hypernetwork | 100 | 60 | 25 | 0.3100 | yes |");
});
