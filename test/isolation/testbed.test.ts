import { describe, expect, it } from "vitest";
import { sandboxObjects } from "../../controllers/epochs/sandbox.ts";
import type { Pod } from "../../controllers/pods/manifest.ts";
import { config } from "../../controllers/testing/objects.ts";
import { canaryPod, codeOf, type Layers, layerings, layersOf, type Owner, ownerOf, sandboxOf } from "./testbed.ts";

const image = { repository: "rune/sandbox", tag: "1", digest: `sha256:${"a".repeat(64)}` };
const owner = { ...ownerOf("n", "both"), metadata: { namespace: "n", name: "both", uid: "u1" } } as Owner;
const [token, secret] = ["the token", "the secret"];
const made = (layers: Layers) => sandboxOf({ layers, owner, image, token, secret });
const podOf = (layers: Layers) => made(layers).find(({ kind }) => kind === "Pod") as Pod;
const runnerOf = (layers: Layers) => podOf(layers).spec.containers.find(({ name }) => name === "runner");
const own = ["RUNE_ADVERSARY_SECRET", "RUNE_RUNNER_PORT", "RUNE_SANDBOX_OUT"];

/** A pod without what the test-bed has put into it. */
function withoutAdditions({ spec, ...rest }: Pod): object {
  const containers = spec.containers
    .filter(({ name }) => name !== "neighbour")
    .map(({ command: _, workingDir: __, env, volumeMounts, ...container }) => ({
      ...container,
      env: env?.filter(({ name }) => !own.includes(name)),
      volumeMounts: volumeMounts?.filter(({ name }) => name !== "neighbour" && name !== "code"),
    }));
  return { ...rest, spec: { ...spec, containers, volumes: spec.volumes?.filter(({ name }) => name !== "neighbour" && name !== "code") } };
}

describe("a sandbox of the test-bed", () => {
  const request = { owner, epoch: 1, uid: 100_000, spec: {}, caller: "agent" as const, token };
  const [policy, credentials, pod] = sandboxObjects(request, {
    ...config,
    images: { ...config.images, sandbox: `${image.repository}@${image.digest}` },
    sandbox: { ...config.sandbox, cpuRequest: "50m" },
  });

  it.each(layerings)("behind $name is the operator's, but for what is added to be seen", (layers) => {
    expect(withoutAdditions(podOf(layers))).toEqual(withoutAdditions(pod as Pod));
    expect(made(layers)).toContainEqual(credentials);
    expect(made(layers).filter(({ kind }) => kind === "NetworkPolicy")).toEqual(layers.policy ? [policy] : []);
  });

  it("has the runner of the image where it has locks, and a program that knows none where it hasn't", () => {
    const commands = Object.fromEntries(layerings.map((layers) => [layers.name, runnerOf(layers)?.command?.at(-1)]));
    expect(commands).toEqual({
      neither: "adversary.plain_server",
      policy: "adversary.plain_server",
      locks: undefined,
      both: undefined,
    });
  });

  it("shows a neighbour's files to the program that is attacked from, and the observer's code only to what isn't", () => {
    const mounts = (layers: Layers) => runnerOf(layers)?.volumeMounts?.map(({ name }) => name);
    expect(mounts(layersOf("both"))).toContain("neighbour");
    expect(mounts(layersOf("both"))).not.toContain("code");
    expect(mounts(layersOf("neither"))).toContain("code");
  });

  it("runs in the runtime class that it is to be tried in, which takes Landlock's place", () => {
    const layers = layersOf("gvisor");
    expect(podOf(layers).spec.runtimeClassName).toBe("gvisor");
    expect(runnerOf(layers)?.env).toContainEqual({ name: "RUNE_SANDBOX_WITHOUT_LANDLOCK", value: "substitute-runtime" });
  });
});

it("no policy of a sandbox selects the canary, so that what keeps one from it is the sandbox's own", () => {
  const canary = canaryPod(owner, image);
  const policies = layerings.flatMap(made).filter(({ kind }) => kind === "NetworkPolicy") as unknown as {
    spec: { podSelector: { matchLabels: object } };
  }[];
  expect(policies.length).toBeGreaterThan(0);
  for (const { spec } of policies) expect(canary.metadata.labels).not.toMatchObject(spec.podSelector.matchLabels);
});

it("pods get every module that theirs import, and fit a ConfigMap", () => {
  const data = codeOf("n").data as Record<string, string>;
  const imported = Object.values(data).flatMap((text) => [...text.matchAll(/^from adversary(?:\.(\w+))? import (\w+)/gm)]);
  expect(imported.length).toBeGreaterThan(4);
  for (const [, module, name] of imported) expect(Object.keys(data)).toContain(`${module ?? name}.py`);
  expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThan(500_000);
});
