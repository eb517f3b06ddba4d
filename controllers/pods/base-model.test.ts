import type { Registry } from "@rune/clients/registry/registry";
import { adapter } from "@rune/crds/kinds/adapter";
import { expect, it } from "vitest";
import { digestOf, modelServer } from "../testing/objects.ts";
import { observeBase } from "./base-model.ts";

const unread = (): Registry => {
  throw new Error("the registry has no part in this");
};

it.each([
  ["claim and path", "models.team-a", "qwen/7b", "models.team-a/qwen/7b"],
  ["as much of both as fits into every artifact, where they are long", "m".repeat(253), "p".repeat(500), "m".repeat(200)],
])("a base on a claim is called by %s", async (_, claimName, path, name) => {
  const base = { pvc: { claimName, path } };
  const server = modelServer("coder", { spec: { base }, status: { baseDigest: digestOf("b") } as never });
  const identity = await observeBase(base, [server], unread);
  expect(identity).toEqual({ name, digest: digestOf("b") });
  expect(() => adapter.spec.shape.base.parse(identity)).not.toThrow();
});
