import { expect, it } from "vitest";
import { config, modelServer } from "../testing/objects.ts";
import { networkPolicy } from "./network.ts";

it("a server's pods reach DNS where a policy sees the Service's port, and where it sees that of OpenShift's DNS pods", () => {
  const { spec } = networkPolicy(modelServer(), config) as { spec: { egress: { to?: object; ports: object[] }[] } };
  const [dns] = spec.egress;
  expect(dns?.to).toBeUndefined();
  for (const port of [53, 5353]) {
    expect(dns?.ports).toContainEqual({ port, protocol: "UDP" });
    expect(dns?.ports).toContainEqual({ port, protocol: "TCP" });
  }
});

it("the policy is deleted after the last pod, whichever of the server's objects goes first", () => {
  const pods = ["coder-0", "coder-1"].map((name) => ({ apiVersion: "v1", kind: "Pod", metadata: { name, uid: `uid-of-${name}` } }));
  const owners = networkPolicy(modelServer("coder"), config, pods).metadata.ownerReferences;
  expect(owners?.map(({ kind, name, controller }) => [kind, name, controller])).toEqual([
    ["ModelServer", "coder", true],
    ["Pod", "coder-0", false],
    ["Pod", "coder-1", false],
  ]);
});
