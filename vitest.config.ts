import { defineConfig } from "vitest/config";

/** Unit tests stand beside their source. Others say by their name what they need, and `test/run.ts` provides it and runs them. */
const needs = {
  "**/*.cluster.test.ts": process.env.RUNE_TEST_CLUSTER === "1",
  "**/*.integration.test.ts": process.env.RUNE_TEST_SERVICES === "1",
  "**/*.image.test.ts": process.env.RUNE_TEST_IMAGES === "1",
};
const missing = Object.entries(needs).flatMap(([files, provided]) => (provided ? [] : [files]));

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "out/**", ...missing],
    // Generous, because machines are busy: nothing here is timed.
    testTimeout: 40_000,
    hookTimeout: 40_000,
    expect: { poll: { timeout: 20_000 } },
    pool: "forks",
    maxWorkers: 2,
  },
});
