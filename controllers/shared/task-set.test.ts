import { Registry } from "@rune/clients/registry/registry";
import { taskSetArtifact } from "@rune/clients/tasks/task-set";
import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import { mediaType } from "@rune/crds/contracts/artifact";
import { type TaskSet, taskSet } from "@rune/crds/contracts/task-set";
import type { MeasuredTasks } from "@rune/crds/fields/measurement";
import { taskSetReference } from "@rune/crds/fields/task-set";
import type { Cache } from "kopf-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { setOf } from "../testing/evaluation-world.ts";
import { digestOf } from "../testing/objects.ts";
import type { Services } from "./services.ts";
import { observeTasks } from "./task-set.ts";

const set = setOf([{ project: "tessera" }, undefined]);
const sorted = (tasks: TaskSet["tasks"]) => taskSet.parse({ schema: "rune.dev/taskset/v1", name: "tasks", tasks });
const lines = set.tasks.map((task) => JSON.stringify(task)).join("\n");
/** Retries without delays while the registry is unavailable. */
const impatient = { now: () => 0, wait: async () => undefined, random: () => 0 };

let memory: MemoryRegistry;
let configMaps: Record<string, { data?: Record<string, string> }>;
let bundled: TaskSet | undefined;
beforeEach(async () => {
  memory = await MemoryRegistry.start();
  configMaps = {};
  bundled = set;
});
afterEach(() => memory.stop());

const observed = (reference: object, frozen?: MeasuredTasks) => {
  const cache = (() => ({ get: ({ name }: { name: string }) => configMaps[name] })) as unknown as Cache;
  const services = {
    registry: () => new Registry({ url: memory.url, clock: impatient }),
    bundledTaskSet: async () => bundled,
  } as unknown as Services;
  const asked = { namespace: "team", reference: taskSetReference.parse(reference), field: "spec.taskSet", again: "a new evaluation" };
  return observeTasks({ ...asked, frozen }, cache, services);
};
/** Puts an artifact into the registry as a push would. */
const push = (content: unknown, artifactType?: string, title = "tasks.json") => {
  const layer = memory.put(content);
  const { artifactType: own, configMediaType, files } = taskSetArtifact(set, "rune/team/tasks");
  const annotations = { "org.opencontainers.image.title": title };
  return memory.put({
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    artifactType: artifactType ?? own,
    config: { mediaType: configMediaType, ...memory.put({}) },
    layers: [{ mediaType: files[0]?.mediaType, ...layer, annotations }],
  });
};

describe("a task set in a ConfigMap", () => {
  const reference = { configMap: { name: "held-out" } };

  it("is an artifact of the namespace that isn't stored until it is", async () => {
    configMaps["held-out"] = { data: { "tasks.jsonl": lines } };
    const before = await observed(reference);
    expect(before).toMatchObject({ set: sorted(set.tasks), stored: false, reference: { repository: "rune/team/tasks" } });
    const { digest } = push(sorted(set.tasks));
    expect(await observed(reference)).toMatchObject({ stored: true, reference: { digest } });
  });

  it("is waited for, in words that name what is missing", async () => {
    expect(await observed(reference)).toMatchObject({
      blocker: { reason: "TaskSetMissing", retrySeconds: 10, message: expect.stringContaining("ConfigMap held-out") },
    });
    configMaps["held-out"] = { data: { "other.jsonl": "x" } };
    expect(await observed(reference)).toMatchObject({
      blocker: { reason: "TaskSetMissing", message: expect.stringMatching(/no entry tasks\.jsonl; it has other\.jsonl/) },
    });
  });

  it("that holds none is refused with the line and field", async () => {
    configMaps["held-out"] = { data: { "tasks.jsonl": `${lines}\n{"id": "x"}` } };
    const { blocker } = (await observed(reference)) as { blocker: object };
    expect(blocker).toMatchObject({ reason: "NotATaskSet", message: expect.stringMatching(/held-out .*line 3: description/) });
    expect(blocker).not.toHaveProperty("retrySeconds");
  });

  it("that changes after it was frozen changes nothing", async () => {
    const { digest } = push(sorted(set.tasks));
    configMaps["held-out"] = { data: { "tasks.jsonl": "something else" } };
    const frozen = { repository: "rune/team/tasks", digest, tasks: 2 };
    expect(await observed(reference, frozen)).toMatchObject({ set: sorted(set.tasks), stored: true });
  });
});

describe("a bundled task set", () => {
  it("belongs to nobody: every namespace measures on the same artifact", async () => {
    expect(await observed({ bundled: "HumanEval" })).toMatchObject({ reference: { repository: "rune/tasks/humaneval" }, stored: false });
    push(set);
    expect(await observed({ bundled: "HumanEval" })).toMatchObject({ stored: true });
  });

  it("is missed in words where the operator was built without it", async () => {
    bundled = undefined;
    expect(await observed({ bundled: "HumanEval" })).toMatchObject({ blocker: { reason: "TaskSetMissing" } });
  });
});

describe("a task set in the registry", () => {
  const at = (digest: string) => ({ repository: "rune/team/tasks", digest });

  it("is read by its digest", async () => {
    expect(await observed(at(push(set).digest))).toMatchObject({ set, stored: true });
  });

  it.each([
    ["another artifact", () => push(set, "application/vnd.rune.adapter.v1+json"), "artifactType"],
    ["one without its file", () => push(set, undefined, "other.json"), "it has no tasks.json"],
    ["one with two tasks of one name", () => push({ ...set, tasks: [...set.tasks, set.tasks[0]] }), "two tasks are called t0"],
  ])("is refused where it is %s", async (_, put, words) => {
    expect(await observed(at(put().digest))).toMatchObject({
      blocker: { reason: "NotATaskSet", message: expect.stringContaining(words) },
    });
  });

  it("is missed where nothing has its digest, and waited for while the registry is unavailable", async () => {
    expect(await observed(at(digestOf("e")))).toMatchObject({ blocker: { reason: "TaskSetMissing" } });
    memory.away = true;
    expect(await observed(at(digestOf("e")))).toMatchObject({ blocker: { reason: "RegistryUnavailable", retrySeconds: 10 } });
  });

  it("of another namespace is refused before it is read", async () => {
    expect(await observed({ repository: "rune/other/tasks", digest: digestOf("e") })).toMatchObject({
      blocker: { reason: "ForeignRepository" },
    });
  });
});
