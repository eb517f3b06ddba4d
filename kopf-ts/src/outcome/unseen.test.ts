import { expect, test } from "vitest";
import { keyOf, type ObjectKey } from "../api/object.ts";
import { pods, type Resource } from "../api/resource.ts";
import { VirtualClock } from "../testing/index.ts";
import { Unseen } from "./unseen.ts";

const object = (name: string) => ({ apiVersion: "v1", kind: "Pod", metadata: { namespace: "shop", name } });

test("an object waits until the cache shows what was made for it, five seconds at most; others do not", async () => {
  const clock = new VirtualClock();
  const shown = new Set<string>();
  const cached = (_: Resource, key: ObjectKey) => (shown.has(keyOf(key)) ? object(key.name) : undefined);
  const unseen = new Unseen(clock, cached);
  const [parent, other] = [object("parent"), object("other")];
  expect(unseen.pause(parent)).toBe(0);
  unseen.created(parent, pods, object("x"));
  unseen.created(parent, pods, object("y"));
  expect(unseen.pause(parent)).toBe(100);
  expect(unseen.pause(other)).toBe(0);
  shown.add("shop/x");
  expect(unseen.pause(parent)).toBe(100);
  shown.add("shop/y");
  expect(unseen.pause(parent)).toBe(0);
  unseen.created(parent, pods, object("z"));
  await clock.advance(4_999);
  expect(unseen.pause(parent)).toBe(100);
  await clock.advance(1);
  expect(unseen.pause(parent)).toBe(0);
});
