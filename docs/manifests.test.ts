import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseTaskSet } from "@rune/clients/tasks/task-set-text";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: looked at field by field; docs.test.ts checks it against the schemas
  spec: any;
  data?: Record<string, string>;
}
interface Judged {
  readonly id: string;
  readonly entryPoint: string;
  readonly tests: string;
}

const folder = join(import.meta.dirname, "../examples/manifests");
const read = (file: string) => readFileSync(join(folder, file), "utf8");
const files = globSync("*.yaml", { cwd: folder }).sort();
const manifests = files.flatMap((file) => parseAllDocuments(read(file)).map((document) => document.toJS() as Manifest));
const ofKind = (kind: string) => manifests.filter((manifest) => manifest.kind === kind);
const solutions = JSON.parse(read("testing/solutions.json")) as Record<string, string>;
const taught: Judged[] = ofKind("AgentSession")
  .filter(({ metadata }) => metadata.labels)
  .map(({ spec }) => spec.task);
const heldOut: Judged[] = parseTaskSet(ofKind("ConfigMap")[0]?.data?.["tasks.jsonl"] ?? "").tasks;

/** Whether a program passes the tests, as plain Python sees it. */
async function passes(program: string, tests: string): Promise<boolean> {
  return await promisify(execFile)("python3", ["-c", `${program}\n${tests}`]).then(
    () => true,
    () => false,
  );
}

describe("the numbered manifests", () => {
  test("are numbered without a gap, and the README has a line for each", () => {
    expect(files.map((file) => Number(file.slice(0, 2)))).toEqual(files.map((_, index) => index));
    expect(files.filter((file) => !read("README.md").includes(`[${file}](${file})`))).toEqual([]);
  });

  test("stand in one namespace, which comes first", () => {
    const [namespace, ...others] = manifests;
    expect(namespace?.kind).toBe("Namespace");
    expect(others.filter(({ metadata }) => metadata.namespace !== namespace?.metadata.name)).toEqual([]);
  });

  test("name only objects that are among them, and agree on the base", () => {
    const names = new Set(manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
    const named = manifests.flatMap(({ spec = {} }) => [
      ...(spec.requires ?? []).map(({ kind, name }: { kind: string; name: string }) => `${kind}/${name}`),
      ...(spec.serverRef ? [`ModelServer/${spec.serverRef.name}`] : []),
      ...(spec.arms ?? []).map((arm: { serverRef: { name: string } }) => `ModelServer/${arm.serverRef.name}`),
      ...(spec.arms ?? []).flatMap((arm: { adapters?: { matchLabels: Record<string, string> } }) =>
        arm.adapters ? [`TrainingRun/${arm.adapters.matchLabels["rune.dev/run"]}`] : [],
      ),
      ...(spec.taskSet?.configMap ? [`ConfigMap/${spec.taskSet.configMap.name}`] : []),
    ]);
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !names.has(name))).toEqual([]);
    expect(new Set(manifests.flatMap(({ spec }) => (spec?.base ? [JSON.stringify(spec.base)] : []))).size).toBe(1);
  });

  test("learn from sessions that the TrainingRun selects, and enough of them", () => {
    const { sessions, minimumSessions } = ofKind("TrainingRun")[0]?.spec.corpus ?? {};
    const selected = ofKind("AgentSession").filter(({ metadata }) =>
      Object.entries(sessions.matchLabels).every(([name, value]) => metadata.labels?.[name] === value),
    );
    expect(selected.length).toBe(taught.length);
    expect(selected.length).toBeGreaterThanOrEqual(minimumSessions);
  });

  test("hold out as many clusters as the gate asks for, and no task that is taught", () => {
    const clusters = new Set(parseTaskSet(ofKind("ConfigMap")[0]?.data?.["tasks.jsonl"] ?? "").tasks.map(({ cluster }) => cluster));
    expect(clusters.size).toBeGreaterThanOrEqual(ofKind("Evaluation")[0]?.spec.gate.minimumTasks);
    expect(heldOut.filter(({ entryPoint }) => taught.some((task) => task.entryPoint === entryPoint))).toEqual([]);
  });
});

test.each([...taught, ...heldOut].map((task) => [task.id, task] as const))(
  "the tests of %s pass with a solution and fail without the house rule",
  async (id, { entryPoint, tests }) => {
    const ignorant = `def ${entryPoint}(*values):\n    return " ".join(str(value) for value in values)`;
    expect(await Promise.all([passes(solutions[id] ?? "", tests), passes(ignorant, tests)])).toEqual([true, false]);
  },
);
