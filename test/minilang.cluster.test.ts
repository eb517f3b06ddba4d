import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kubectl } from "../cluster/api.ts";
import { settings } from "../cluster/settings.ts";
import { run } from "../cluster/shell.ts";
import type { Result } from "../examples/10-minilang/report.ts";
import { canRun } from "./support/installation.ts";

/** While tests are being written: examine what an earlier run left instead of running it again. */
const reuse = process.env.RUNE_TEST_REUSE === "1";

describe.skipIf(!canRun)("the laboratory in its short form", () => {
  let result: Result;

  // Otherwise its server would keep running beside the next tests.
  afterAll(() => kubectl(["delete", "namespace", "minilang", "--wait=false"]), 60_000);

  beforeAll(async () => {
    if (!reuse) {
      const onLine = (line: string) => void process.stdout.write(`${line}\n`);
      const script = join(settings.root, "examples/10-minilang/minilang.ts");
      // Its exit code reports whether every check holds; each is examined below.
      await run(process.execPath, [script, "--quick"], { cwd: settings.root, onLine, timeoutSeconds: 30 * 60 }).catch((error: Error) =>
        onLine(error.message),
      );
    }
    result = JSON.parse(await readFile(join(settings.out, "minilang.json"), "utf8"));
  }, 31 * 60_000);

  test("was the short form", () => {
    expect(result.quick).toBe(true);
  });

  test("a hypernetwork's adapters pass the gate, and those of one that learnt from shuffled sessions don't", () => {
    expect(result.memory.verdict).toBe("Passed");
    expect(["Failed", "Inconclusive"]).toContain(result.shuffled.verdict);
  });

  test("what it was to show holds, each of it", () => {
    const failed = Object.entries(result.checks).filter(([, holds]) => !holds);
    expect(failed).toEqual([]);
    expect(Object.keys(result.checks).length).toBeGreaterThan(5);
  });

  test("every arm was measured with an interval", () => {
    expect(Object.keys(result.memory.arms).toSorted()).toEqual(["base", "context", "generated", "mean", "wrong"]);
    for (const { estimate, ci } of Object.values(result.memory.arms)) {
      expect(ci[0]).toBeLessThanOrEqual(estimate);
      expect(ci[1]).toBeGreaterThanOrEqual(estimate);
    }
    expect(Object.keys(result.contrasts).toSorted()).toEqual(["mean", "wrong"]);
    expect(Object.keys(result.shuffled.arms).toSorted()).toEqual(["base", "generated", "noise"]);
  });
});
