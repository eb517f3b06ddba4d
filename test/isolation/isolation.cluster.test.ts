import { expect, test } from "vitest";
import { canRun } from "../support/installation.ts";
import { attacked } from "./cluster.ts";
import { faultsOf, tableOf } from "./table.ts";
import { layerings } from "./testbed.ts";

/** The short form of `npm run adversary -- --cluster`. */
test.runIf(canRun)("each layer of a sandbox stops what it promises, alone and with the other", { timeout: 600_000 }, async () => {
  const lines: string[] = [];
  const result = await attacked(layerings, { short: true, onLine: (line) => lines.push(line) });
  console.log(tableOf(result));
  expect(faultsOf(result)).toEqual([]);
});
