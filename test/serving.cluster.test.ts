import { beforeAll, describe, expect, test } from "vitest";
import type { ModelServer } from "../crds/src/model-server.ts";
import { secondRank, signal } from "./support/engine-processes.ts";
import { baseName, canRun, complete, engineModels, enginePod, loaderState, namespace, server } from "./support/installation.ts";
import { eventually, read } from "./support/objects.ts";
import { goodAdapter, held } from "./support/sessions.ts";

describe.skipIf(!canRun)("an engine that lost a pipeline rank", () => {
  let adapter: string;

  beforeAll(async () => {
    adapter = (await goodAdapter()).metadata.name;
    await held(adapter);
  }, 400_000);

  // Nothing ends, /health stays 200, and only a real completion finds out. `npm run crash` kills ranks as well.
  test("whose second rank hangs is restarted as a whole within 5 minutes, and holds its adapter again", { timeout: 320_000 }, async () => {
    const before = await engine();
    const began = Date.now();
    await signal(secondRank, "SIGSTOP");
    const after = await eventually(
      `the engine is another one and holds ${adapter}`,
      engine,
      (seen) => seen.bootID !== "" && seen.bootID !== before.bootID && seen.ready && seen.adapter === "Loaded",
      5,
    );
    console.log(`SIGSTOP on the second rank: serving again after ${Math.round((Date.now() - began) / 1000)} s`);
    expect(after.podUID).toBe(before.podUID);
    expect(after.restarts).toBeGreaterThan(before.restarts);
    expect((await engineModels()).map(({ id }) => id)).toContain(adapter);
    expect((await loaderState()).adapters.find((each) => each.name === adapter)).toMatchObject({ state: "Loaded" });
    expect((await complete(await baseName(), "def add(a, b):\n    return", 4)).length).toBeGreaterThan(0);
    expect((await complete(adapter, "def add(a, b):\n    return", 4)).length).toBeGreaterThan(0);
  });

  /** What the operator and Kubernetes say of the engine. */
  async function engine() {
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
});
