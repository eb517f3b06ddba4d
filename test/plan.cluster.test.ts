import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kubectl } from "../cluster/api.ts";
import { settings } from "../cluster/settings.ts";
import { run } from "../cluster/shell.ts";
import type { EvolutionGeneration } from "../crds/kinds/evolution-generation.ts";
import { namespaces } from "../examples/plan/options.ts";
import type { Result } from "../examples/plan/plan.ts";
import { condition, get, list } from "../examples/shared/objects.ts";
import { canRun } from "./support/installation.ts";

const minutes = 60_000;
const namespace = namespaces.minilang;
type Status = NonNullable<EvolutionGeneration["status"]>;

/** Runs the plan in the laboratory; returns its results, also where they aren't as requested. */
async function plan(...options: string[]): Promise<Result> {
  const onLine = (line: string) => void process.stdout.write(`${line}\n`);
  const script = join(settings.root, "examples/plan/plan.ts");
  const figures = join(settings.out, "plan.json");
  await rm(figures, { force: true });
  await run(process.execPath, [script, ...options], { cwd: settings.root, onLine, timeoutSeconds: 59 * 60 }).catch((error: Error) =>
    onLine(error.message),
  );
  return JSON.parse(await readFile(figures, "utf8"));
}

describe.skipIf(!canRun)("the plan in the laboratory", () => {
  // Otherwise its server would keep running beside the next tests.
  afterAll(() => kubectl(["delete", "namespace", namespace, "--wait=false"]), minutes);

  describe("with a gate of Phase 1 that nothing passes", () => {
    let result: Result;
    beforeAll(async () => {
      result = await plan("--fail-gate", "1");
    }, 60 * minutes);

    test("stops in front of Phase 2, and says which gate it was", () => {
      expect(result.stopped?.phase).toBe("2");
      expect(result.stopped?.why).toMatch(/RequirementFailed: Evaluation hypothesis has GatePassed=(False|Unknown)/);
    });

    test("has started everything up to it and nothing after it", () => {
      const started = result.objects.filter((each) => each.started).map(({ phase }) => phase);
      expect(new Set(started)).toEqual(new Set(["0", "1"]));
      expect(result.objects.filter(({ phase }) => phase < "2").every((each) => each.started)).toBe(true);
      expect(result.objects.filter(({ phase }) => phase >= "2").length).toBeGreaterThan(5);
    });
  });

  describe("as it is", () => {
    let result: Result;
    beforeAll(async () => {
      result = await plan();
    }, 60 * minutes);

    test("goes through every phase by itself", () => {
      expect(result.stopped).toBeNull();
      expect(result.objects.filter((each) => !each.started)).toEqual([]);
    });

    test("has passed the gates that are Evaluations", () => {
      const gates = result.objects.flatMap(({ name, gate }) => (gate ? [[name, gate]] : []));
      expect(gates).toEqual([
        ["Evaluation hypothesis", "True"],
        ["Evaluation quantization", "True"],
      ]);
    });

    test("has learnt from one session by a pass of the hypernetwork", async () => {
      const session = await get<{ trainingRun?: string }>("AgentSession", namespace, "lived-3");
      expect(condition(session, "Learnt")).toMatchObject({ status: "True", reason: "AdapterMade" });
      const [adapter, ...others] = await list("Adapter", namespace, { "rune.dev/session": "lived-3" });
      expect(others).toEqual([]);
      expect(adapter?.metadata.labels).toMatchObject({ "rune.dev/method": "generate", "rune.dev/run": session.status?.trainingRun });
    });

    test("has measured a generated child in each generation", async () => {
      const generations = await list<Pick<Status, "children">>("EvolutionGeneration", namespace);
      expect(generations).toHaveLength(2);
      for (const { metadata, status } of generations) {
        const [child, ...others] = (status?.children ?? []).filter(({ kind }) => kind === "Generate");
        expect(others, metadata.name).toEqual([]);
        expect(child, metadata.name).toMatchObject({ adapter: expect.any(String), passAt1: { estimate: expect.any(String) } });
      }
    });
  });
});
