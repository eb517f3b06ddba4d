import { defineConfig } from "vitest/config";

/** Unit tests stand beside their source; tests that need a cluster end in `.cluster.test.ts` and are run by `test/run.ts`. */
export default defineConfig({
  test: {
    include: ["{operator,crds,clients,controllers,workloads,cluster,charts,docs,examples,test}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", ...(process.env.RUNE_TEST_CLUSTER === "1" ? [] : ["**/*.cluster.test.ts"])],
    testTimeout: 20_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
