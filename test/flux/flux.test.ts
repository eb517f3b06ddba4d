import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { sha256 } from "../../cluster/content-key.ts";
import { build } from "../../examples/plan/kustomize.ts";
import { copyOfPlan } from "../../examples/plan/testing.ts";
import type { Manifest } from "../../examples/shared/manifests.ts";
import { advanced, type Course, hasFailed, type Kustomization } from "./kustomizations.ts";
import { fluxNamespace, kustomizationNames, sourceName, withFailingGate } from "./manifests.ts";
import { archiveOf, serve, statusOf } from "./repository.ts";

const copy = await copyOfPlan();
afterAll(() => copy[Symbol.asyncDispose]());

describe("the archive of a repository", () => {
  const files = {
    "examples/plan/overlays/minilang/settings/data.env": "base=sha256:1\n",
    "examples/plan/base/kustomization.yaml": "resources: []\n",
    "examples/plan/plan.ts": "not for Flux\n",
    "examples/10-minilang/world/pipe.py": "def solve(): pass\n",
    "charts/rune/Chart.yaml": "not of the plan\n",
  };

  async function repository(): Promise<AsyncDisposable & { root: string }> {
    const root = await mkdtemp(join(tmpdir(), "flux-test-"));
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), text);
    }
    return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
  }

  test("holds what the plan's Kustomizations read, with the digests that git ignores", async () => {
    await using checkout = await repository();
    const { bytes } = await archiveOf(checkout.root);
    const names = execFileSync("tar", ["-tz"], { input: bytes, encoding: "utf8" }).trim().split("\n");
    expect(names).toEqual([
      "examples/plan/base/kustomization.yaml",
      "examples/plan/overlays/minilang/settings/data.env",
      "examples/10-minilang/world/pipe.py",
    ]);
  });

  test("is the same for the same files, whenever they were written, and another when one changes", async () => {
    await using checkout = await repository();
    const before = await archiveOf(checkout.root);
    const file = join(checkout.root, "examples/10-minilang/world/pipe.py");
    await utimes(file, 1, 1);
    expect(await archiveOf(checkout.root)).toEqual(before);
    await writeFile(file, "def solve(): return 1\n");
    expect((await archiveOf(checkout.root)).digest).not.toBe(before.digest);
  });

  test("is served under the digest that the source's status names", async () => {
    await using checkout = await repository();
    const served = await serve(await archiveOf(checkout.root));
    try {
      const { artifact } = statusOf(served, new Date("2026-01-01T00:00:00Z"));
      const bytes = Buffer.from(await (await fetch(artifact.url)).arrayBuffer());
      expect(artifact).toEqual({
        url: served.url,
        path: "repository.tar.gz",
        digest: `sha256:${sha256(bytes)}`,
        revision: `written-by-the-test@sha256:${sha256(bytes)}`,
        size: bytes.length,
        lastUpdateTime: "2026-01-01T00:00:00.000Z",
      });
    } finally {
      await served.close();
    }
  });
});

describe("the manifests", async () => {
  const manifests = await build(join(copy.root, "flux/minilang"));
  const named = (all: readonly Manifest[], name: string) => all.find(({ metadata }) => metadata.name === name);

  test("have the names that the test on the cluster looks for", () => {
    expect(manifests.map(({ metadata }) => metadata.name).toSorted()).toEqual([...kustomizationNames, sourceName].toSorted());
    expect(new Set(manifests.map(({ metadata }) => metadata.namespace))).toEqual(new Set([fluxNamespace]));
  });

  test("differ with the failing gate in Phase 1 alone, which then asks 99 points", async () => {
    const failing = withFailingGate(manifests);
    const changed = failing.filter((each, index) => each !== manifests[index]);
    expect(changed.map(({ metadata }) => metadata.name)).toEqual(["plan-1-hypothesis"]);
    const { patches } = { patches: [], ...named(failing, "plan-1-hypothesis")?.spec };
    const kustomization = { resources: ["../../base/phase-1-hypothesis"], components: ["../../overlays/minilang/settings"], patches };
    const built = await build(await copy.kustomization("flux/failing", JSON.stringify(kustomization)));
    expect(named(built, "hypothesis")).toMatchObject({ kind: "Evaluation", spec: { gate: { thresholdPoints: 99 } } });
  }, 120_000);
});

describe("the course of the Kustomizations", () => {
  const state = (name: string, status: "True" | "False" | "Unknown", applied = false, reason = "Progressing"): Kustomization => ({
    kind: "Kustomization",
    metadata: { name },
    status: {
      conditions: [{ type: "Ready", status, reason, message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }],
      ...(applied && { inventory: { entries: [] } }),
    },
  });
  const start: Course = { ready: [], early: [] };

  test("remembers who was Ready first, also while Flux looks at that one again", () => {
    const first = advanced(start, [state("a", "True", true), state("b", "Unknown", true)]);
    const second = advanced(first, [state("a", "Unknown", true), state("b", "True", true)]);
    expect(second).toEqual({ ready: ["a", "b"], early: [] });
  });

  test("names who was applied before the one before was Ready", () => {
    expect(advanced(start, [state("a", "Unknown", true), state("b", "Unknown", true)]).early).toEqual(["b"]);
    expect(advanced(start, [state("a", "False", true), state("b", "False", false)]).early).toEqual([]);
  });

  test("ends with a failure, and not where one waits for another or for its source", () => {
    expect(hasFailed(state("a", "False", true, "HealthCheckFailed"))).toBe(true);
    expect(hasFailed(state("a", "False", false, "BuildFailed"))).toBe(true);
    expect(hasFailed(state("a", "False", false, "DependencyNotReady"))).toBe(false);
    expect(hasFailed(state("a", "False", false, "ArtifactFailed"))).toBe(false);
    expect(hasFailed(state("a", "Unknown"))).toBe(false);
    expect(hasFailed({ kind: "Kustomization", metadata: { name: "a" } })).toBe(false);
  });
});
