import { afterAll, describe, expect, test } from "vitest";
import type { Adapter } from "../crds/src/adapter.ts";
import { label } from "../crds/src/common.ts";
import { answering, type Boundary, type Survival, strikeLater, survive } from "./support/crash.ts";
import { canRun, namespace, system } from "./support/installation.ts";
import { create, eventually, readAll, remove } from "./support/objects.ts";
import { workingSession } from "./support/sessions.ts";
import { runViolations, smallRun, trainer } from "./support/training.ts";

describe.skipIf(!canRun)("a crash costs time and nothing else", { timeout: 900_000 }, () => {
  const sessions: string[] = [];
  afterAll(() => remove("AgentSession", namespace, ...sessions), 60_000);

  async function crash(victim: "operator" | "agent" | "vllm", boundary: Boundary, index: number): Promise<Survival> {
    const manifest = await workingSession(`crash-${victim}`, index);
    sessions.push(manifest.metadata.name);
    const survival = await survive(manifest, victim, boundary);
    console.log(
      `${victim} killed after ${boundary}: ${survival.session.status?.outcome} in epoch ${survival.session.status?.epoch}, ${survival.seconds} s`,
    );
    return survival;
  }

  const operator: Boundary[] = ["status.epoch", "ended"];
  test.for(operator.map((boundary, index) => ({ boundary, index })))("of the operator after $boundary", async ({ boundary, index }) => {
    expect((await crash("operator", boundary, index)).violations).toEqual([]);
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

  test("of vLLM after generate intent", async () => {
    expect((await crash("vllm", "generate intent", 6)).violations).toEqual([]);
    await answering();
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
        () => strikeLater(system, { "app.kubernetes.io/component": "operator" }).catch(() => null),
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

async function killOperator(): Promise<void> {
  await (await strikeLater(system, { "app.kubernetes.io/component": "operator" }))();
}
