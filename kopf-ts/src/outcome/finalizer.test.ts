import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isInvalid } from "../api/api-error.ts";
import { configMaps } from "../api/resource.ts";
import { FakeApiServer } from "../testing/index.ts";
import { finalizerPatch } from "./finalizer.ts";

const key = { namespace: "default", name: "a" };
const object = (finalizers?: string[]) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { ...key, ...(finalizers ? { finalizers } : {}) },
});

let server: FakeApiServer;
beforeEach(async () => {
  server = await FakeApiServer.start();
});
afterEach(() => server.stop());

describe("finalizer edits", () => {
  test.each([
    ["added to none", undefined, { mine: true }, ["mine"]],
    ["added to others", ["theirs"], { mine: true }, ["theirs", "mine"]],
    ["removed from among others", ["theirs", "mine"], { mine: false }, ["theirs"]],
    ["removed as the last", ["mine"], { mine: false }, undefined],
  ])("are %s", async (_what, before, wished, after) => {
    const client = server.client();
    const current = server.put(configMaps, object(before));
    const patch = finalizerPatch(current, wished as unknown as Record<string, boolean>);
    const patched = await client.patch(configMaps, key, patch!);
    expect(patched.metadata.finalizers).toEqual(after);
    await client.close();
  });

  test("are none when all is as wished", () => {
    expect(finalizerPatch(object(["mine"]), { mine: true, other: false })).toBeUndefined();
    expect(finalizerPatch(object(), {})).toBeUndefined();
  });

  test("never add to an object that is being deleted", () => {
    const leaving = { ...object(["theirs"]), metadata: { ...key, finalizers: ["theirs"], deletionTimestamp: "2026-01-01T00:00:00Z" } };
    expect(finalizerPatch(leaving, { mine: true })).toBeUndefined();
  });

  test.each([
    ["a finalizer that somebody added", ["mine"], ["mine", "theirs"]],
    ["the first finalizer, set by somebody", undefined, ["theirs"]],
  ])("are refused rather than undo %s meanwhile", async (_what, before, meanwhile) => {
    const client = server.client();
    const stale = server.put(configMaps, object(before));
    server.put(configMaps, object(meanwhile));
    const patch = finalizerPatch(stale, before ? { mine: false } : { mine: true });
    const error = await client.patch(configMaps, key, patch!).catch((problem: unknown) => problem);
    expect(isInvalid(error)).toBe(true);
    await client.close();
  });
});
