import type { Descriptor } from "@rune/clients/registry/registry";
import { mediaType, titleAnnotation } from "@rune/crds/contracts/artifact";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { Trajectory } from "@rune/crds/contracts/trajectory";
import { expect, test } from "vitest";
import type { ZodType } from "zod";
import { pullFacts } from "./adapter-facts.ts";
import { loadExperience } from "./experience.ts";
import { jobOf, tasks } from "./fake-world.ts";
import { refuseSeen, seenTasks } from "./seen-tasks.ts";

const digestOf = (name: string) => `sha256:${name.repeat(64)}`;
const at = { epoch: 1, time: "2026-11-28T00:00:00Z" };
const reflected = (n: number, notes: string[]): LogRecord => ({ type: "reflected", n, round: n, notes, ...at });
const trajectory = (description: string, records: LogRecord[] = []): Trajectory => ({
  schema: "rune.dev/trajectory/v1",
  session: { namespace: "n", name: "s", uid: "u" },
  task: { ...tasks[0]!, description },
  scope: { project: "parsers" },
  outcome: "Solved",
  records,
});

/** A registry of artifacts by digest. */
function registryOf(artifacts: Record<string, { artifactType: string; file: string; content: string }>) {
  return {
    manifest: async (_: string, digest: string) => {
      const { artifactType, file } = artifacts[digest]!;
      const layer: Descriptor = { mediaType: artifactType, digest, size: 1, annotations: { [titleAnnotation]: file } };
      return { manifest: { schemaVersion: 2 as const, artifactType, config: layer, layers: [layer] }, digest, sizeBytes: 1 };
    },
    json: async <T>(_: string, layer: Descriptor, schema: ZodType<T>) => schema.parse(JSON.parse(artifacts[layer.digest]!.content)),
    blob: async (_: string, digest: string) => Buffer.from(artifacts[digest]!.content),
  };
}
const armOf = (...names: string[]) => {
  const artifacts = names.map((name) => ({ repository: "rune/n/trajectories", digest: digestOf(name) }));
  return { ...jobOf().arms[0]!, context: { artifacts, pick: "All" as const, as: "Notes" as const, maxTokens: 1000 } };
};
const single = (content: unknown) => ({ artifactType: mediaType.trajectory, file: "trajectory.json", content: JSON.stringify(content) });

test("trajectories and corpora are read in the order of their digests, a session's last notes with them", async () => {
  const lines = ["b1", "b2"].map((description) => JSON.stringify({ trajectory: trajectory(description) }));
  const registry = registryOf({
    [digestOf("c")]: single(trajectory("c", [reflected(1, ["one"]), reflected(2, ["one", "two"]), reflected(3, [])])),
    [digestOf("b")]: { artifactType: mediaType.corpus, file: "corpus.jsonl", content: `${lines.join("\n")}\n` },
  });
  const lived = await loadExperience(registry, armOf("c", "b"));
  expect(lived.map(({ description, notes }) => [description, notes])).toEqual([
    ["b1", []],
    ["b2", []],
    ["c", ["one", "two"]],
  ]);
});

test("the tasks of a context's sessions count as seen: a prompt that holds a task's solution measures no memory", async () => {
  const held = tasks.map((task, index) => ({ ...task, tests: `assert solve(${index})` }));
  const factsOf = async (description: string) => {
    const arm = armOf("a");
    const lived = trajectory(description);
    const registry = registryOf({ [digestOf("a")]: single({ ...lived, task: { ...lived.task, tests: "assert other()" } }) });
    const job = jobOf({ gate: undefined, active: ["told"], arms: [{ ...arm, name: "told", adapters: [] }] });
    return { job, facts: await pullFacts(registry, job, held) };
  };
  const same = await factsOf(held[1]!.description);
  expect(seenTasks(same.job, same.facts)).toEqual({ seen: [{ arm: "told", adapter: "its context", tasks: [held[1]!.id] }], unknown: [] });
  expect(() => refuseSeen(same.job, same.facts)).toThrow(expect.objectContaining({ reason: "TasksSeen" }));
  const other = await factsOf("another task");
  expect(seenTasks(other.job, other.facts)).toEqual({ seen: [], unknown: [] });
});

test("an arm without context asks for nothing", async () => {
  expect(await loadExperience(registryOf({}), jobOf().arms[0]!)).toEqual([]);
});

test.each([
  [
    "another artifact",
    { artifactType: mediaType.adapter, file: "x", content: "" },
    "its artifactType is application/vnd.rune.adapter.v1+json",
  ],
  ["one without its file", { ...single({}), file: "other.json" }, "it has no trajectory.json"],
  ["one that isn't one", single({ schema: "other" }), "schema"],
  ["a corpus of which a line isn't one", { artifactType: mediaType.corpus, file: "corpus.jsonl", content: "{" }, "expected object"],
])("%s is refused permanently, and the message says why", async (_, artifact, why) => {
  await expect(loadExperience(registryOf({ [digestOf("a")]: artifact }), armOf("a"))).rejects.toMatchObject({
    code: 65,
    reason: "NotATrajectory",
    message: expect.stringContaining(why),
  });
});
