import type { Descriptor } from "@rune/clients/registry/registry";
import { learntHash } from "@rune/clients/tasks/text-hash";
import { learntFile, mediaType, titleAnnotation } from "@rune/crds/contracts/artifact";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import { describe, expect, test } from "vitest";
import type { ZodType } from "zod";
import { pullFacts } from "./adapter-facts.ts";
import { adapterArm } from "./fake-results.ts";
import { jobOf, tasks } from "./fake-world.ts";
import { refuseSeen, seenTasks } from "./seen-tasks.ts";

const digestOf = (name: string) => `sha256:${name.repeat(64)}`;
const asked: HeldOutTask[] = tasks.map((task, index) => ({ ...task, tests: `assert solve(${index})` }));
const learnt = (...those: { description?: string; tests?: string }[]) => ({
  schema: "rune.dev/learnt/v1",
  trajectories: [],
  tasks: those.map(({ description = "other", tests = "other" }) => ({
    id: "x",
    description: learntHash(description),
    tests: learntHash(tests),
  })),
});

/** Adapters by digest: their corpus.json, if they have one, and their annotations. */
function registryOf(adapters: Record<string, { content?: unknown; annotations?: Record<string, string> }>) {
  const pulled: string[] = [];
  return {
    pulled,
    manifest: async (_: string, digest: string) => {
      pulled.push(digest);
      const layer: Descriptor = { mediaType: mediaType.adapterFile, digest, size: 1, annotations: { [titleAnnotation]: learntFile } };
      const { content, annotations } = adapters[digest]!;
      const manifest = {
        schemaVersion: 2 as const,
        artifactType: mediaType.adapter,
        config: layer,
        layers: content ? [layer] : [],
        annotations,
      };
      return { manifest, digest, sizeBytes: 1 };
    },
    json: async <T>(_: string, layer: Descriptor, schema: ZodType<T>) => schema.parse(adapters[layer.digest]!.content),
    blob: async () => Buffer.alloc(0),
  };
}
const refer = (...names: string[]) =>
  names.map((name) => ({ name: `${name}-adapter`, repository: "rune/n/adapters", digest: digestOf(name), generation: 0 }));
const jobWith = (...arms: string[][]) =>
  jobOf({ gate: undefined, active: ["arm0"], arms: arms.map((names, index) => adapterArm(`arm${index}`, { adapters: refer(...names) })) });

describe("what adapters have learnt from", () => {
  test("is asked of each once, and found by what a task asks for or by how it is judged", async () => {
    const [first, second, third] = asked.map(({ description, tests }) => ({ description, tests }));
    const registry = registryOf({
      [digestOf("a")]: { content: learnt({ description: `  ${first?.description}\n` }, { tests: second!.tests }) },
      [digestOf("b")]: { content: learnt({ description: third!.description }) },
      [digestOf("c")]: { content: learnt({}) },
      [digestOf("d")]: {},
    });
    const job = jobWith(["a", "c"], ["a", "b", "d"]);
    const facts = await pullFacts(registry, job, asked);
    expect(registry.pulled.toSorted()).toEqual(["a", "b", "c", "d"].map(digestOf));
    expect(seenTasks(job, facts)).toEqual({
      seen: [
        { arm: "arm0", adapter: "a-adapter", tasks: ["both-veil", "table-veil"] },
        { arm: "arm1", adapter: "a-adapter", tasks: ["both-veil", "table-veil"] },
        { arm: "arm1", adapter: "b-adapter", tasks: ["both-haul"] },
      ],
      unknown: ["d-adapter"],
    });
  });

  test("ends the evaluation before anything runs, by names, unless that is allowed", async () => {
    const everything = learnt(...asked.map(({ description }) => ({ description })));
    const job = jobWith(["a", "b"], ["c", "d"]);
    const facts = await pullFacts(
      registryOf(Object.fromEntries(["a", "b", "c", "d"].map((name) => [digestOf(name), { content: everything }]))),
      job,
      asked,
    );
    expect(() => refuseSeen(job, facts)).toThrow(
      expect.objectContaining({
        code: 65,
        reason: "TasksSeen",
        message: expect.stringMatching(
          /^arm arm0: a-adapter has learnt from both-veil, .* and 2 more tasks; .*; and 1 more from others; measure on/,
        ),
      }),
    );
    expect(() => refuseSeen({ ...job, seenTasks: "Allow" }, facts)).not.toThrow();
  });

  test("doesn't hinder where nothing was seen", async () => {
    const job = jobWith(["c"]);
    expect(() => refuseSeen(job, new Map())).not.toThrow();
  });

  test("that can't be read ends the evaluation with what to do", async () => {
    await expect(pullFacts(registryOf({ [digestOf("a")]: { content: { schema: "other" } } }), jobWith(["a"]), asked)).rejects.toMatchObject(
      {
        code: 65,
        reason: "LearntUnreadable",
        message: expect.stringContaining("publish the adapter again"),
      },
    );
  });
});

test("an adapter's training is read from its annotations, numbers alone", async () => {
  const annotations = {
    "dev.rune.training.trainingLoss": "0.25",
    "dev.rune.training.metrics": '{"cosineDiversity":0.4,"weights":"none"}',
    "dev.rune.training.collapsed": '"no"',
    other: "7",
  };
  const facts = await pullFacts(registryOf({ [digestOf("a")]: { annotations } }), jobWith(["a"]), asked);
  expect(facts.get(digestOf("a"))).toEqual({ known: false, seen: [], training: { trainingLoss: 0.25, cosineDiversity: 0.4 } });
});

describe("a generated adapter's training", () => {
  const own = { examples: "1", steps: "0", trainingLoss: "0", deltaWNorm: "2.5" };
  const factsOf = async (statistics: Record<string, string>) => {
    const annotations = Object.fromEntries(Object.entries(statistics).map(([name, text]) => [`dev.rune.training.${name}`, text]));
    return (await pullFacts(registryOf({ [digestOf("a")]: { annotations } }), jobWith(["a"]), asked)).get(digestOf("a"));
  };
  const origin = { digest: digestOf("b"), trainingLoss: 0.25, metrics: { cosineDiversity: 0.4, rightMinusWrong: 0.03 } };

  test("is its hypernetwork's, with a norm of its own", async () => {
    expect(await factsOf({ ...own, hypernetwork: JSON.stringify(origin) })).toEqual({
      known: false,
      seen: [],
      training: { examples: 1, steps: 0, deltaWNorm: 2.5, trainingLoss: 0.25, cosineDiversity: 0.4, rightMinusWrong: 0.03 },
    });
  });

  test("says by which alarm it ended, where it had collapsed", async () => {
    const collapsed = "right minus wrong is -0.1";
    expect(await factsOf({ ...own, hypernetwork: JSON.stringify({ ...origin, collapsed }) })).toMatchObject({ collapsed });
  });

  test.each(["{", "7", '{"trainingLoss":0.25}'])("has no loss where nothing can be read of it: %s", async (hypernetwork) => {
    expect((await factsOf({ ...own, hypernetwork }))?.training).toEqual({ examples: 1, steps: 0, deltaWNorm: 2.5 });
  });
});
