import type { Descriptor, Manifest } from "@rune/clients/registry/registry";
import { mediaType, titleAnnotation } from "@rune/crds/contracts/artifact";
import type { TaskSet } from "@rune/crds/contracts/task-set";
import { expect, test } from "vitest";
import type { ZodType } from "zod";
import { tasks } from "./fake-world.ts";
import { loadTaskSet } from "./tasks.ts";

const digest = `sha256:${"a".repeat(64)}`;
const reference = { repository: "rune/n/tasks", digest };
const set: TaskSet = { schema: "rune.dev/taskset/v1", name: "t", tasks };
const layer: Descriptor = { mediaType: mediaType.taskSet, digest, size: 1, annotations: { [titleAnnotation]: "tasks.json" } };

/** A registry that holds one artifact. */
const fakeRegistry = (content: unknown, changes: Partial<Manifest> = {}) => ({
  manifest: async () => ({
    manifest: { schemaVersion: 2 as const, artifactType: mediaType.taskSet, config: layer, layers: [layer], ...changes },
    digest,
    sizeBytes: 1,
  }),
  json: async <T>(_repository: string, _layer: Descriptor, schema: ZodType<T>) => schema.parse(content),
});

test("a task set is read from its artifact", async () => {
  expect(await loadTaskSet(fakeRegistry(set), reference)).toEqual(set);
});

test.each([
  ["another artifact", fakeRegistry(set, { artifactType: mediaType.adapter }), "its artifactType is application/vnd.rune.adapter.v1+json"],
  ["one without tasks.json", fakeRegistry(set, { layers: [] }), "it has no tasks.json"],
  ["one that isn't one", fakeRegistry({ schema: "other" }), "schema"],
  ["one with two tasks of one name", fakeRegistry({ ...set, tasks: [...tasks, tasks[0]] }), "two tasks are called both-veil"],
])("%s is refused permanently, and the message says why", async (_, registry, why) => {
  await expect(loadTaskSet(registry, reference)).rejects.toMatchObject({
    code: 65,
    reason: "NotATaskSet",
    message: expect.stringContaining(why),
  });
});
