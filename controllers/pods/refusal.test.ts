import type { Context, DynamicObject } from "kopf-ts";
import { expect, it } from "vitest";
import { aJob, now } from "../testing/builders.ts";
import { observeRefusal } from "./refusal.ts";

const quota = 'create Pod coder-0 in StatefulSet coder failed error: pods "coder-0" is forbidden: exceeded quota: compute';
const event = (note: string, time: string, more: object = {}) => ({
  apiVersion: "events.k8s.io/v1",
  kind: "Event",
  metadata: { name: note.slice(0, 8), creationTimestamp: time },
  note,
  ...more,
});
/** Serves Events as the API server does, and records the requests. */
function contextWith(...events: object[]) {
  const asked: unknown[] = [];
  const list = async (resource: { kind: string }, options: object) => {
    asked.push({ kind: resource.kind, ...options });
    return { items: events, metadata: {} };
  };
  return { context: { client: { list }, clock: { now: () => now } } as unknown as Context, asked };
}
const set = (creationTimestamp: string): DynamicObject => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: "coder", namespace: "team", uid: "u1", creationTimestamp },
});
const old = set("2026-11-23T11:59:00Z");

it("is what admission said when it refused the last pod, in its own words", async () => {
  const { context, asked } = contextWith(event("an older word", "2026-11-23T11:59:01Z"), event(quota, "2026-11-23T11:59:40Z"));
  expect(await observeRefusal(old, [], context)).toBe(quota);
  expect(asked).toMatchObject([{ kind: "Event", namespace: "team", fieldSelector: { "regarding.uid": "u1", reason: "FailedCreate" } }]);
});

it("counts an Event from when it was seen last, however its series tells that", async () => {
  const first = "2026-11-23T09:00:00Z";
  const deprecated = { deprecatedLastTimestamp: "2026-11-23T11:50:00Z" };
  expect(await observeRefusal(old, [], contextWith(event(quota, first, deprecated)).context)).toBe(quota);
  const series = { series: { count: 3, lastObservedTime: "2026-11-23T11:50:00.000000Z" } };
  expect(await observeRefusal(old, [], contextWith(event(quota, first, series)).context)).toBe(quota);
  expect(await observeRefusal(old, [], contextWith(event(quota, first)).context), "long over").toBeUndefined();
});

it("isn't asked for before half a minute, nor while there is a pod, nor of a Job that may not have one", async () => {
  const { context, asked } = contextWith(event(quota, "2026-11-23T11:59:59Z"));
  expect(await observeRefusal(set("2026-11-23T11:59:45Z"), [], context)).toBeUndefined();
  expect(await observeRefusal(undefined, [], context)).toBeUndefined();
  expect(await observeRefusal({ ...aJob("a"), spec: { suspend: true } }, [], context)).toBeUndefined();
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "coder-0", ownerReferences: [{ uid: "u1" }] } };
  expect(await observeRefusal(old, [pod] as never, context)).toBeUndefined();
  expect(asked).toEqual([]);
  const two = { ...old, spec: { replicas: 2 } };
  expect(await observeRefusal(two, [pod] as never, context), "one of two").toBe(quota);
});

it("costs no pass where Events can't be read", async () => {
  const client = { list: () => Promise.reject(new Error("events is forbidden")) };
  expect(await observeRefusal(old, [], { client, clock: { now: () => now } } as unknown as Context)).toBeUndefined();
});
