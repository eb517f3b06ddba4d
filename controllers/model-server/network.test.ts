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
