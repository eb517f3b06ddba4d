import { describe, expect, it } from "vitest";
import { operatorConfig } from "./config.ts";
import type { Pod } from "./manifest.ts";
import { bytesOf, executionMemoryMiB, type SandboxRequest, sandboxPod } from "./sandbox.ts";
import { agentSession, config } from "./testing/objects.ts";

const request: SandboxRequest = { owner: agentSession("s"), epoch: 1, uid: 100_001, spec: {}, caller: "agent", token: "t" };

function resourcesOf(pod: Pod) {
  const resources = pod.spec?.containers[0]?.resources;
  return { asked: resources?.requests?.cpu, allowed: resources?.limits?.cpu };
}

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
  it.each(["256Mi", "512Mi", "1Gi", "32Gi"])("of %s holds a program, its tests with half as much, and the runner", (memory) => {
    const program = executionMemoryMiB({ memory }, config);
    expect(program + Math.max(64, program / 2) + 64).toBeLessThanOrEqual(bytesOf(memory) / 2 ** 20);
  });
});
