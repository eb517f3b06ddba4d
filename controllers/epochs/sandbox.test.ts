import { resolvedSandbox } from "@rune/crds/contracts/pod";
import { amountOf } from "@rune/crds/fields/quantity";
import type { Cache, KubeObject } from "kopf-ts";
import { describe, expect, it } from "vitest";
import type { Pod } from "../pods/manifest.ts";
import { operatorConfig } from "../shared/config.ts";
import { agentSession, config } from "../testing/objects.ts";
import { executionMemoryMiB, policyToBind, type SandboxRequest, sandboxPod, sandboxPolicy } from "./sandbox.ts";

const request: SandboxRequest = { owner: agentSession("s"), epoch: 1, uid: 100_001, spec: {}, caller: "agent", token: "t" };

function resourcesOf(pod: Pod) {
  const resources = pod.spec?.containers[0]?.resources;
  return { asked: resources?.requests?.cpu, allowed: resources?.limits?.cpu };
}

describe("a sandbox's policy", () => {
  const pod = { ...sandboxPod(request, config), metadata: { name: "s-s1", namespace: "team", uid: "pod-uid" } };
  const bind = (policy: KubeObject | undefined, owner = request.owner, sandbox: KubeObject = pod) =>
    policyToBind({ owner, caller: "agent" }, sandbox, (() => ({ get: () => policy })) as unknown as Cache);

  it("gets the pod as a further owner, so that it isn't deleted before the pod when the session is", () => {
    const [bound, ...others] = bind(sandboxPolicy(request));
    expect(others).toEqual([]);
    expect(bound?.metadata.ownerReferences).toMatchObject([
      { kind: "AgentSession", uid: request.owner.metadata.uid, controller: true },
      { kind: "Pod", uid: "pod-uid", controller: false, blockOwnerDeletion: false },
    ]);
    expect(bound).toMatchObject({ spec: { egress: [] } });
    expect(bind(bound), "once").toEqual([]);
  });

  it("is left alone where it isn't there, or where session or pod are going", () => {
    const going = { deletionTimestamp: "2026-01-01T00:00:00Z" };
    expect(bind(undefined)).toEqual([]);
    expect(bind(sandboxPolicy(request), { ...request.owner, metadata: { ...request.owner.metadata, ...going } })).toEqual([]);
    expect(bind(sandboxPolicy(request), request.owner, { ...pod, metadata: { ...pod.metadata, ...going } })).toEqual([]);
  });
});

it("a sandbox runs where the installation says", () => {
  const where = { nodeSelector: { "kubernetes.io/arch": "arm64" }, tolerations: [{ key: "pool", operator: "Exists" as const }] };
  expect(sandboxPod(request, { ...config, jobs: { ...config.jobs, ...where } }).spec).toMatchObject(where);
  expect(sandboxPod(request, config).spec).not.toHaveProperty("nodeSelector");
});

describe("a sandbox's CPU", () => {
  const roomy = { ...config, sandbox: operatorConfig.shape.sandbox.parse({ cpu: "500m", cpuRequest: "50m" }) };

  it("is set aside whole unless the installation says otherwise", () => {
    expect(resourcesOf(sandboxPod(request, config))).toEqual({ asked: "500m", allowed: "500m" });
    expect(resourcesOf(sandboxPod(request, roomy))).toEqual({ asked: "50m", allowed: "500m" });
  });

  it("is set aside whole where the session says how much it needs", () => {
    const large = { ...request, spec: { cpu: "700m" } };
    expect(resourcesOf(sandboxPod(large, roomy))).toEqual({ asked: "700m", allowed: "700m" });
  });
});

describe("a sandbox's memory", () => {
  const volumesMiB = (memory: string) =>
    (sandboxPod({ ...request, spec: { memory } }, config).spec?.volumes ?? [])
      .flatMap(({ emptyDir }) => (emptyDir ? [emptyDir] : []))
      .map(({ medium, sizeLimit }) => ({ medium, mebibytes: amountOf(sizeLimit ?? "0") / 2 ** 20 }));

  it.each(["256Mi", "512Mi", "1Gi", "32Gi", "5e8"])(
    "of %s holds a program, its tests with half as much, the runner and full volumes",
    (memory) => {
      const program = executionMemoryMiB({ memory }, config);
      const files = volumesMiB(memory).reduce((sum, { mebibytes }) => sum + mebibytes, 0);
      const limit = sandboxPod({ ...request, spec: { memory } }, config).spec?.containers[0]?.resources?.limits?.memory;
      expect(program + Math.max(64, program / 2) + 64 + files).toBeLessThanOrEqual(amountOf(limit ?? "0") / 2 ** 20);
    },
  );

  it.each(["1", "64Mi", "2e9", "256Gi", "1E"])("of %s is a whole number that a pod's input may say, for each program", (memory) => {
    const program = executionMemoryMiB({ memory }, config);
    expect(resolvedSandbox.shape.memoryMiB.parse(program)).toBe(program);
    expect(sandboxPod({ ...request, spec: { memory } }, config).spec?.containers[0]?.resources?.limits?.memory).toMatch(/^[0-9]+Mi$/);
  });

  it("is what every writable volume is made of, so that a program's files, named or not, are bounded by the kernel", () => {
    expect(volumesMiB("256Mi").map(({ medium }) => medium)).toEqual(["Memory", "Memory", "Memory"]);
    expect(Math.min(...volumesMiB("256Mi").map(({ mebibytes }) => mebibytes))).toBeGreaterThan(0);
  });
});

describe("a sandbox without Landlock", () => {
  const sandbox = operatorConfig.shape.sandbox.parse({ landlockSubstitutes: ["gvisor"] });
  const variable = { name: "RUNE_SANDBOX_WITHOUT_LANDLOCK", value: "substitute-runtime" };
  const environmentOf = (runtimeClassName: string | undefined, settings = sandbox) =>
    sandboxPod({ ...request, spec: { runtimeClassName } }, { ...config, sandbox: settings }).spec?.containers[0]?.env;

  it("is allowed only in a runtime class that the installation names in Landlock's place", () => {
    expect(environmentOf("gvisor")).toContainEqual(variable);
    expect(environmentOf("kata")).not.toContainEqual(variable);
    expect(environmentOf(undefined)).not.toContainEqual(variable);
    expect(environmentOf("gvisor", config.sandbox)).not.toContainEqual(variable);
  });

  it("is allowed in the installation's own runtime class as well, if that is named", () => {
    expect(environmentOf(undefined, { ...sandbox, runtimeClassName: "gvisor" })).toContainEqual(variable);
  });
});
