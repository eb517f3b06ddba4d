import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kubectl } from "../cluster/api.ts";
import { settings } from "../cluster/settings.ts";
import { run } from "../cluster/shell.ts";
import { build } from "../examples/plan/kustomize.ts";
import { namespaces } from "../examples/plan/options.ts";
import { ownNamespace, phaseLabel } from "../examples/plan/phases.ts";
import type { Manifest } from "../examples/shared/manifests.ts";
import { condition, emptyNamespace, get, isTrue, list } from "../examples/shared/objects.ts";
import { type Controller, startController } from "./flux/controller.ts";
import {
  apply,
  type Course,
  follow,
  type Kustomization,
  kustomizations,
  lookedAtAgain,
  removeKustomizations,
} from "./flux/kustomizations.ts";
import { kustomizationNames, withFailingGate } from "./flux/manifests.ts";
import { archiveOf, type Served, serve, statusOf } from "./flux/repository.ts";
import { canRun } from "./support/installation.ts";

/** While tests are being written: use the existing installation and the digests of an earlier run. */
const reuse = process.env.RUNE_TEST_REUSE === "1";

const minutes = 60_000;
const namespace = namespaces.minilang;

/** Installs Rune and stores what the plan's manifests name by digest. */
async function storeData(): Promise<void> {
  const onLine = (line: string) => void process.stdout.write(`${line}\n`);
  const script = join(settings.root, "examples/plan/plan.ts");
  await run(process.execPath, [script, "--data-only"], { cwd: settings.root, onLine, timeoutSeconds: 44 * 60 });
}

describe.skipIf(!canRun)("the plan by Flux's own controller", { timeout: 5 * minutes }, () => {
  let flux: Controller | undefined;
  let repository: Served | undefined;

  beforeAll(async () => {
    if (!reuse) await storeData();
    repository = await serve(await archiveOf(settings.root));
    flux = await startController();
  }, 90 * minutes);

  afterAll(async () => {
    await repository?.close();
    // Where it didn't start, whatever Flux has in the cluster is somebody else's.
    if (!flux) return;
    await removeKustomizations();
    await flux.stop();
    await kubectl(["delete", "namespace", namespace, "--wait=false"]);
  }, 10 * minutes);

  /** Applies examples/plan/flux/minilang in an empty namespace, and follows it to its end. */
  async function course(change: (manifests: Manifest[]) => Manifest[]): Promise<Course> {
    if (!flux || !repository) throw new Error("kustomize-controller did not start");
    const status = statusOf(repository, new Date());
    await removeKustomizations();
    await emptyNamespace(namespace, ownNamespace);
    const manifests = await build(join(settings.root, "examples/plan/flux/minilang"));
    return await flux.beside(async () => {
      await apply(change(manifests), status);
      return await follow(58);
    });
  }

  const ready = (all: readonly Kustomization[], name: string) => {
    const found = all.find(({ metadata }) => metadata.name === name);
    return found && condition(found, "Ready");
  };

  describe("with a gate of Phase 1 that nothing passes", () => {
    let seen: Course;
    beforeAll(async () => {
      seen = await course(withFailingGate);
    }, 70 * minutes);

    test("Phase 0 becomes Ready, and nothing else", () => {
      expect(seen).toEqual({ ready: ["plan-0-environment"], early: [] });
    });

    test("Phase 1 fails by the health expression of its gate, though the Evaluation itself succeeded", async () => {
      const hypothesis = await get("Evaluation", namespace, "hypothesis");
      expect(isTrue(hypothesis, "Succeeded")).toBe(true);
      expect(condition(hypothesis, "GatePassed")?.status).not.toBe("True");
      expect(ready(await kustomizations(), "plan-1-hypothesis")).toMatchObject({
        status: "False",
        reason: "HealthCheckFailed",
        message: expect.stringContaining(`Evaluation/${namespace}/hypothesis status: 'Failed'`),
      });
    });

    test("Phase 2 is not applied, also when Flux looks at it again, and nothing of a later phase exists", async () => {
      const library = await lookedAtAgain("plan-2-library");
      expect(library && condition(library, "Ready")).toMatchObject({ status: "False", reason: "DependencyNotReady" });
      const later = (await kustomizations()).filter(({ metadata }) => metadata.name >= "plan-2");
      expect(later.map(({ status }) => status?.inventory)).toEqual([undefined, undefined, undefined]);
      for (const phase of ["0", "1"]) expect((await list("rune", namespace, { [phaseLabel]: phase })).length, phase).toBeGreaterThan(1);
      for (const phase of ["2", "3", "4"]) expect(await list("rune", namespace, { [phaseLabel]: phase }), phase).toEqual([]);
    });
  });

  describe("as it is", () => {
    let seen: Course;
    beforeAll(async () => {
      seen = await course((manifests) => manifests);
    }, 70 * minutes);

    test("every phase becomes Ready, in order, and none is applied before the one before it is", () => {
      expect(seen).toEqual({ ready: kustomizationNames, early: [] });
    });

    test("each phase's objects are what its own Kustomization applied", async () => {
      for (const [phase, { status }] of (await kustomizations()).entries()) {
        const applied = status?.inventory?.entries.filter(({ id }) => id.includes("_rune.dev_")).map(({ id }) => id.split("_")[1]);
        const present = (await list("rune", namespace, { [phaseLabel]: String(phase) })).map(({ metadata }) => metadata.name);
        expect(present, `phase ${phase}`).toEqual(expect.arrayContaining(applied ?? []));
        expect(applied?.length, `phase ${phase}`).toBeGreaterThan(1);
      }
    });
  });
});
