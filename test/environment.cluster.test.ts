import { afterAll, describe, expect, test } from "vitest";
import type { EnvironmentCheck } from "../crds/kinds/environment-check.ts";
import type { ModelServer } from "../crds/kinds/model-server.ts";
import { apiVersion } from "../crds/words/group.ts";
import { label } from "../crds/words/labels.ts";
import { isTrue } from "../examples/shared/objects.ts";
import { canRun, namespace, server } from "./support/installation.ts";
import { create, fresh, over, read, readAll, reasonOf, remove } from "./support/objects.ts";
import { goodAdapter } from "./support/sessions.ts";

describe.skipIf(!canRun)("an environment check", { timeout: 1_200_000 }, () => {
  const names: string[] = [];
  afterAll(() => remove("EnvironmentCheck", namespace, ...names), 60_000);

  async function check(spec: object): Promise<EnvironmentCheck> {
    const name = fresh("environment");
    names.push(name);
    const { base } = (await read<ModelServer>("ModelServer", namespace, server)).spec;
    await create({ apiVersion, kind: "EnvironmentCheck", metadata: { name, namespace }, spec: { base, ...spec } } as Parameters<
      typeof create
    >[0]);
    return await over<EnvironmentCheck>("EnvironmentCheck", namespace, name, 19);
  }

  const table = ({ status }: EnvironmentCheck) => Object.fromEntries((status?.checks ?? []).map(({ name, result }) => [name, result]));
  const messageOf = ({ status }: EnvironmentCheck, name: string) => status?.checks?.find((each) => each.name === name)?.message;

  // All of its checks pass in the quickstart; the test of the whole loop examines its objects.
  test("asks a known good adapter of a server that is there", async () => {
    const adapter = (await goodAdapter()).metadata.name;
    const ended = await check({ checks: ["Serving"], server: { serverRef: { name: server } }, knownGood: { adapter } });
    expect(table(ended)).toEqual({ Serving: "Pass", KnownGood: "Pass" });
    expect(isTrue(ended, "ChecksPassed")).toBe(true);
    expect(await readAll<ModelServer>("ModelServer", namespace, { [label.check]: ended.metadata.name })).toEqual([]);
  });

  test("fails on a node that offers GPUs which no driver knows, as the embedded cluster's does so that pods can ask for them", async () => {
    const ended = await check({ checks: ["GPU", "Torch"], resources: { cpu: "200m", memory: "6Gi" } });
    expect(table(ended)).toEqual({ GPU: "Fail", Torch: "Fail" });
    expect(messageOf(ended, "GPU")).toContain("nvidia-smi isn't in the container");
    expect(messageOf(ended, "Torch")).toContain("torch sees no GPU");
    expect(isTrue(ended, "Succeeded")).toBe(true);
    expect(reasonOf(ended, "ChecksPassed")).toBe("SomeFailed");
  });
});
