import { afterAll, describe, expect, test } from "vitest";
import type { Adapter } from "../crds/kinds/adapter.ts";
import type { ModelServer } from "../crds/kinds/model-server.ts";
import { label } from "../crds/words/labels.ts";
import { type Boundary, prepareKill, type Survival, survive } from "./support/crash.ts";
import { baseName, canRun, complete, engineModels, enginePod, loaderState, namespace, server, system } from "./support/installation.ts";
import { create, eventually, read, readAll, remove } from "./support/objects.ts";
import { goodAdapter, held, workingSession } from "./support/sessions.ts";
import { runViolations, smallRun, trainer } from "./support/training.ts";

describe.skipIf(!canRun)("a crash costs time and nothing else", { timeout: 900_000 }, () => {
  const sessions: string[] = [];
  afterAll(() => remove("AgentSession", namespace, ...sessions), 60_000);

  async function crash(victim: "operator" | "agent" | "hung-rank", boundary: Boundary, index: number): Promise<Survival> {
    const manifest = await workingSession(`crash-${victim}`, index);
    sessions.push(manifest.metadata.name);
    const survival = await survive(manifest, victim, boundary);
    console.log(
      `${victim} struck after ${boundary}: ${survival.session.status?.outcome} in epoch ${survival.session.status?.epoch}, ${survival.seconds} s`,
    );
    return survival;
  }

  test("of the operator after a session ended", async () => {
    expect((await crash("operator", "ended", 0)).violations).toEqual([]);
  });

  describe.concurrent("of the agent", () => {
    const agent: Boundary[] = ["isolation", "generate intent", "executed"];
    test.for(agent.map((boundary, index) => ({ boundary, index })))("after $boundary", async ({ boundary, index }, { expect }) => {
      const { violations, session, records } = await crash("agent", boundary, 3 + index);
      expect(violations).toEqual([]);
      expect(session.status?.epoch).toBeGreaterThan(1);
      expect(records.some(({ epoch }) => epoch > 1)).toBe(true);
    });
  });

  test("of a pipeline rank that hangs after generate intent: its engine is restarted as a whole, and holds its adapter again", async () => {
    const adapter = (await goodAdapter()).metadata.name;
    await held(adapter);
    const before = await engine(adapter);
    expect((await crash("hung-rank", "generate intent", 6)).violations).toEqual([]);
    const after = await eventually(
      `the engine is another one and holds ${adapter}`,
      () => engine(adapter),
      (seen) => seen.bootID !== "" && seen.bootID !== before.bootID && seen.ready && seen.adapter === "Loaded",
      5,
    );
    expect(after.podUID).toBe(before.podUID);
    expect(after.restarts).toBeGreaterThan(before.restarts);
    expect((await engineModels()).map(({ id }) => id)).toContain(adapter);
    expect((await loaderState()).adapters.find((each) => each.name === adapter)).toMatchObject({ state: "Loaded" });
    for (const model of [await baseName(), adapter])
      expect((await complete(model, "def add(a, b):\n    return", 4)).length).toBeGreaterThan(0);
  });

  test("of the operator while the trainer runs and again right after it ended: one artifact, one Adapter", async () => {
    const manifest = await smallRun("crash-run");
    const { name } = manifest.metadata;
    try {
      await create(manifest);
      await trainer(name, "running");
      await killOperator();
      await eventually(
        "a new operator runs",
        () => prepareKill(system, { "app.kubernetes.io/component": "operator" }).catch(() => null),
        (found) => found !== null,
      );
      await trainer(name, "terminated");
      await killOperator();
      const { run, violations } = await runViolations(name);
      expect(violations).toEqual([]);
      expect(run.status?.attempts?.map(({ result }) => result)).toEqual(["Succeeded"]);
    } finally {
      const made = await readAll<Adapter>("Adapter", namespace, { [label.run]: name });
      await remove("TrainingRun", namespace, name);
      await remove("Adapter", namespace, ...made.map(({ metadata }) => metadata.name));
    }
  });
});

/** The engine's state according to the operator and Kubernetes. */
async function engine(adapter: string) {
  const { status } = await read<ModelServer>("ModelServer", namespace, server);
  const pod = await enginePod();
  return {
    podUID: pod.metadata.uid,
    restarts: pod.status.containerStatuses?.find((container) => container.name === "vllm")?.restartCount ?? 0,
    bootID: status?.engines?.[0]?.bootID ?? "",
    ready: status?.engines?.[0]?.ready ?? false,
    adapter: status?.adapters?.find((each) => each.name === adapter && each.engines > 0)?.state,
  };
}

async function killOperator(): Promise<void> {
  await (await prepareKill(system, { "app.kubernetes.io/component": "operator" }))();
}
