import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectNats, type OperatorNats } from "@rune/clients/nats/nats";
import { canonicalJSON } from "@rune/clients/registry/digest";
import { Registry, titleOf } from "@rune/clients/registry/registry";
import { learntHash } from "@rune/clients/tasks/text-hash";
import { type Asked, type ScriptedModel, startScriptedModel } from "@rune/clients/testing/model";
import { type Sandbox, startSandbox } from "@rune/clients/testing/sandbox";
import { removeService, type Service, startNats, startRegistry } from "@rune/clients/testing/services";
import { learntFile, mediaType } from "@rune/crds/contracts/artifact";
import { type EvaluatorJob, evaluatorJob } from "@rune/crds/contracts/evaluator";
import { evaluationSubject, logStream } from "@rune/crds/contracts/session-log";
import { type HeldOutTask, heldOutTask } from "@rune/crds/contracts/task-set";
import { generateKeys } from "@rune/operator/credentials/keys";
import { evaluationUser } from "@rune/operator/credentials/nats-users";
import { registryToken } from "@rune/operator/credentials/registry-token";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { runEvaluator } from "./evaluator.ts";
import { report } from "./report.ts";

const never = new AbortController().signal;
const enabled = process.env.RUNE_TEST_SERVICES === "1" && process.getuid?.() === 0;
const scenario = fileURLToPath(new URL("../../../examples/00-quickstart/scenario", import.meta.url));
const { heldOut } = z.object({ heldOut: z.array(heldOutTask) }).parse(JSON.parse(readFileSync(join(scenario, "tasks.json"), "utf8")));
/** Twelve tasks over twelve functions. */
const tasks = heldOut.filter(({ id }) => id.startsWith("both-")).slice(0, 12);
const adapter = "tessera-0123456789abcdef";

/** The base guesses; the adapter has the names, but forgets one in three. */
function rememberer({ model, n, messages }: Asked): string[] {
  const task = tasks.find(({ description }) => description === messages[1]?.content) as HeldOutTask;
  const known = (sample: number) => model === adapter && sample % 3 !== 2;
  return Array.from({ length: n }, (_, sample) => bodyOf(known(sample) ? (task.cluster ?? "") : `guess${sample}`));
}

const bodyOf = (name: string) => `    return [tessera.${name}(a), tessera.${name}(b)]\n`;

describe.runIf(enabled)("the evaluator with NATS, a registry and a sandbox of their own", { timeout: 120_000 }, () => {
  const killed = new AbortController();
  const killedAt = 4;
  let directory: string;
  let [nats, registryService]: Service[] = [];
  let operator: OperatorNats;
  let registry: Registry;
  let sandbox: Sandbox;
  let model: ScriptedModel;
  let taskSet: { repository: string; digest: string };
  /** Artifacts of two adapters: one trained on other tasks, one trained on these. */
  let [learnt, leaky]: { repository: string; digest: string }[] = [];

  beforeAll(async () => {
    const keys = await generateKeys();
    directory = await mkdtemp(join(tmpdir(), "rune-evaluator-"));
    nats = await startNats(keys["nats-auth.conf"] ?? "");
    registryService = await startRegistry(keys["registry.jwks"] ?? "");
    operator = connectNats({ url: nats.url, credentials: keys["operator.creds"] ?? "" });
    await operator.ensureStream();
    const access = ["rune/n/tasks", "rune/n/reports"].map((repository) => ({
      repository,
      actions: ["pull", "push"] as ("pull" | "push")[],
    }));
    const token = await registryToken(JSON.parse(keys["registry.jwk"] ?? ""), { subject: "test", seconds: 600, access });
    await writeFile(join(directory, "registry-token"), token);
    const accountSeed = keys["nats-account.seed"] ?? "";
    await writeFile(join(directory, "nats.creds"), await evaluationUser({ accountSeed, uid: "memory", seconds: 600 }));
    registry = new Registry({ url: registryService.url, token });
    const bytes = canonicalJSON({ schema: "rune.dev/taskset/v1", name: "tessera", tasks });
    taskSet = await registry.push({
      repository: "rune/n/tasks",
      artifactType: mediaType.taskSet,
      config: {},
      configMediaType: mediaType.empty,
      files: [{ title: "tasks.json", mediaType: mediaType.taskSet, bytes }],
    });
    [learnt, leaky] = await Promise.all(["another task", tasks[0]?.description ?? ""].map(adapterThatLearnt));
    model = await startScriptedModel((asked) => {
      if (model.asked.length === killedAt) killed.abort(new Error("killed"));
      return rememberer(asked);
    });
    sandbox = await startSandbox(join(scenario, "library"));
  }, 600_000);

  afterAll(async () => {
    await operator?.close();
    await Promise.all([sandbox?.remove(), model?.stop(), nats && removeService(nats), registryService && removeService(registryService)]);
    await rm(directory, { recursive: true, force: true });
  });

  async function adapterThatLearnt(description: string) {
    const learnt = { id: "x", description: learntHash(description), tests: learntHash("other tests") };
    const bytes = canonicalJSON({ schema: "rune.dev/learnt/v1", trajectories: [], tasks: [learnt] });
    return await registry.push({
      repository: "rune/n/tasks",
      artifactType: mediaType.adapter,
      config: {},
      configMediaType: mediaType.empty,
      files: [{ title: learntFile, mediaType: mediaType.adapterFile, bytes }],
    });
  }

  function jobOf(active: string[], epoch: number, look: number, artifact = learnt): EvaluatorJob {
    const nothing = "127.0.0.1:9";
    const probeTargets = { canary: model.address, dns: "127.0.0.53:53", modelServer: model.address, apiServer: nothing, node: nothing };
    return evaluatorJob.parse({
      owner: { kind: "Evaluation", namespace: "n", name: "memory-helps", uid: "memory" },
      epoch,
      active,
      claimed: [adapter],
      arms: [
        { name: "base", model: { url: model.url, base: "base", name: "base" }, adapters: [] },
        {
          name: "memory",
          model: { url: model.url, base: "base", name: adapter },
          adapters: [{ ...artifact, name: adapter, generation: 0 }],
        },
      ],
      taskSet: { repository: taskSet.repository, digest: taskSet.digest, part: "All" },
      seenTasks: "Refuse",
      look: { number: look, of: 2 },
      samples: 3,
      sampling: { maxTokens: 96 },
      seed: 7,
      concurrency: 4,
      gate: { candidate: "memory", baseline: "base", rule: "LowerBound", thresholdPoints: 5, mode: "Smoke" },
      sandbox: { url: sandbox.url, tokenFile: sandbox.tokenFile, timeoutSeconds: 10, memoryMiB: 256, probeTargets },
      registry: { url: registryService?.url, tokenFile: join(directory, "registry-token") },
      report: { repository: "rune/n/reports" },
      nats: { url: nats?.url, credentialsFile: join(directory, "nats.creds"), stream: logStream, subject: evaluationSubject("memory") },
      mlflow: { url: "http://127.0.0.1:9", experiment: "rune" },
      deadline: new Date(Date.now() + 300_000).toISOString(),
    });
  }

  test("runs nothing where an adapter has learnt from a task", async () => {
    await expect(runEvaluator(jobOf(["base"], 1, 1, leaky), never)).rejects.toMatchObject({
      code: 65,
      reason: "TasksSeen",
      message: expect.stringContaining(`arm memory: ${adapter} has learnt from ${tasks[0]?.id}`),
    });
    expect(model.asked).toEqual([]);
  });

  test("goes on after a kill, looks twice, and publishes one report when both arms were judged, with or without a tracker", async () => {
    await expect(runEvaluator(jobOf(["base"], 1, 1), killed.signal)).rejects.toThrow("killed");

    const half = await runEvaluator(jobOf(["base"], 2, 1), never);
    expect(half.arms).toMatchObject([{ name: "base", passAt1: { estimate: 0, lower: 0 }, completed: 18 }]);
    const first = await runEvaluator(jobOf(["memory"], 3, 1), never);
    expect(first).toMatchObject({
      arms: [{ name: "memory", completed: 18 }],
      decided: false,
      comparisons: [{ candidate: "memory" }],
    });
    expect([first.verdict, first.report]).toEqual([undefined, undefined]);

    const both = await runEvaluator(jobOf(["base", "memory"], 4, 2), never);
    expect(both.arms[0]?.passAt1?.upper).toBeGreaterThan(0.2);
    expect(both).toMatchObject({
      arms: [
        { name: "base", passAt1: { estimate: 0, lower: 0 }, completed: 36 },
        { name: "memory", passAt1: { estimate: 0.666667 }, completed: 36, costs: { programs: 24 } },
      ],
      delta: { estimate: 66.666667 },
      verdict: "Passed",
      why: "the whole interval is at 5 points or above",
      mlflowRunID: undefined,
      decided: true,
    });
    const asked = model.asked.length;
    const again = await runEvaluator(jobOf(["base", "memory"], 5, 2), never);
    expect(again).toEqual(both);
    expect(model.asked.length).toBe(asked);

    const digest = both.report?.digest ?? "";
    expect(await registry.resolveTag("rune/n/reports", "evaluation-memory")).toBe(digest);
    const { manifest } = await registry.manifest("rune/n/reports", digest);
    expect(manifest.layers.map(titleOf)).toEqual(["assessment.html", "assessment.md", "report.json", "samples.jsonl"]);
    const numbers = await registry.json("rune/n/reports", manifest.layers[2]!, report);
    expect(numbers).toMatchObject({
      taskSet: { tasks: 12, clusters: 12 },
      look: { number: 2, of: 2 },
      seen: { tasks: [], unknown: [] },
      gate: { verdict: { verdict: "Passed" }, leakageSuspected: true },
    });
    const records = (await operator.readLog(evaluationSubject("memory"))).records;
    expect(records.filter(({ type }) => type === "judged")).toHaveLength(24);
  });
});
