import type { DynamicObject } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { aCheck } from "../testing/builders.ts";
import { config } from "../testing/objects.ts";
import { chosenNodes, commonVersions, overNodes, resultOf } from "./nodes.ts";

function aNode(name: string, over: { gpus?: number; labels?: Record<string, string>; spec?: object; ready?: string } = {}): DynamicObject {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: over.labels ?? {} },
    spec: over.spec ?? {},
    status: {
      allocatable: { cpu: "8", ...(over.gpus && { "nvidia.com/gpu": String(over.gpus) }) },
      conditions: [{ type: "Ready", status: over.ready ?? "True", message: "kubelet stopped posting" }],
    },
  };
}
const chosen = (spec: object, ...nodes: DynamicObject[]) => chosenNodes(aCheck({ spec }), nodes, config).nodes;

describe("the nodes of a check", () => {
  it("are those that offer GPUs, each asked for all it has", () => {
    expect(chosen({ device: "Auto" }, aNode("c"), aNode("b", { gpus: 8 }), aNode("a", { gpus: 1 }))).toEqual([
      { name: "a", device: "GPU", gpus: 1 },
      { name: "b", device: "GPU", gpus: 8 },
    ]);
  });

  it("are asked for as many GPUs as the spec says", () => {
    expect(chosen({ device: "GPU", resources: { gpus: 2 } }, aNode("a", { gpus: 8 }))).toEqual([{ name: "a", device: "GPU", gpus: 2 }]);
  });

  it.each(["Auto", "GPU"])("fail without GPUs where device is %s, and nothing else is tried on them", (device) => {
    const [node] = chosen({ device }, aNode("a"));
    expect(node?.checks?.map(({ name, result }) => `${name} ${result}`)).toEqual(["GPU Fail", "Torch Unknown", "QLoRA Unknown"]);
    expect(node?.checks?.[0]?.message).toContain("set device: CPU");
  });

  it("are looked at without GPUs where that is meant", () => {
    expect(chosen({ device: "CPU" }, aNode("a", { gpus: 4 }))).toEqual([{ name: "a", device: "CPU", gpus: 0 }]);
  });

  it("have nothing to look at where GPUs are all that is asked for and none is meant to be there", () => {
    expect(chosen({ device: "CPU", checks: ["GPU"] }, aNode("a"))).toEqual([
      { name: "a", device: "CPU", gpus: 0, checks: [resultOf("GPU", "NotApplicable", "spec.device is CPU: no GPU is expected here")] },
    ]);
  });

  it("carry the labels, and no taint that isn't tolerated", () => {
    const tainted = { taints: [{ key: "dedicated", value: "ml", effect: "NoSchedule" }] };
    const nodes = [
      aNode("labelled", { labels: { pool: "ml" } }),
      aNode("other"),
      aNode("tainted", { labels: { pool: "ml" }, spec: tainted }),
    ];
    const names = (spec: object) => chosen({ nodeSelector: { pool: "ml" }, ...spec }, ...nodes).map(({ name }) => name);
    expect(names({})).toEqual(["labelled"]);
    expect(names({ tolerations: [{ key: "dedicated", operator: "Exists" }] })).toEqual(["labelled", "tainted"]);
    expect(names({ tolerations: [{ key: "dedicated", value: "web" }] })).toEqual(["labelled"]);
  });

  it.each([
    [
      "is cordoned",
      aNode("a", { spec: { unschedulable: true, taints: [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }] } }),
    ],
    ["isn't Ready", aNode("a", { ready: "Unknown" })],
  ])("are told of and not waited for where one %s", (words, node) => {
    const [seen] = chosen({}, node);
    expect(seen?.checks).toHaveLength(3);
    expect(seen?.checks?.every(({ result, message }) => result === "Unknown" && message.includes(words))).toBe(true);
  });

  it("are at most thirty-two, and the rest is counted", () => {
    const many = Array.from({ length: 40 }, (_, index) => aNode(`n${String(index).padStart(2, "0")}`));
    const { nodes, omitted } = chosenNodes(aCheck(), many, config);
    expect([nodes.length, nodes[31]?.name, omitted]).toEqual([32, "n31", 8]);
  });
});

describe("a result over nodes", () => {
  const node = (name: string, result: "Pass" | "Fail" | "Unknown" | "NotApplicable") => ({
    name,
    device: "GPU" as const,
    gpus: 1,
    checks: [resultOf("Torch", result, `${result} here`)],
  });

  it.each([
    ["Fail", ["Pass", "Unknown", "Fail"], "1 of 3 nodes: n2: Fail here"],
    ["Unknown", ["Pass", "Unknown", "NotApplicable"], "1 of 3 nodes: n1: Unknown here"],
    ["Pass", ["Pass", "NotApplicable"], "on 2 nodes; on n0: Pass here"],
    ["NotApplicable", ["NotApplicable", "NotApplicable"], "NotApplicable here"],
  ] as const)("is %s of %s", (result, found, message) => {
    expect(
      overNodes(
        "Torch",
        found.map((each, index) => node(`n${index}`, each)),
      ),
    ).toEqual(resultOf("Torch", result, message));
  });

  it("names every version where nodes differ", () => {
    const nodes = ["580.95", "535.10", "580.95"].map((driver, index) => ({
      ...node(`n${index}`, "Pass"),
      versions: { driver, torch: "2.13.0" },
    }));
    expect(commonVersions(nodes)).toEqual({ driver: "535.10, 580.95", torch: "2.13.0" });
  });
});
