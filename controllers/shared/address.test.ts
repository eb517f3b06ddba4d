import { expect, it } from "vitest";
import { hostAndPort } from "./address.ts";

it.each([
  ["10.0.0.2", "10.0.0.2:8090"],
  ["fd00:10:244::2", "[fd00:10:244::2]:8090"],
  ["coder.team.svc", "coder.team.svc:8090"],
])("the address of port 8090 of %s is one in a URL: %s", (host, address) => {
  expect(hostAndPort(host, 8090)).toBe(address);
  expect(new URL(`http://${address}/`).host).toBe(address);
});
