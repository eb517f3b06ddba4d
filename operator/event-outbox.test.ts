import { testClock } from "@rune/clients/testing/http-server";
import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import { type Logger, silentLogger } from "kopf-ts";
import { expect, it } from "vitest";
import { EventOutbox } from "./event-outbox.ts";

const start = Date.parse("2026-03-02T12:00:00Z");
const event = (id: string, time = "2026-03-02T11:59:00Z") => ({ id, time }) as CloudEvent;
const settled = async () => {
  for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** NATS as far as the outbox knows it. */
class FakeNats {
  readonly published: string[] = [];
  isAway = false;
  publish = async ({ id }: CloudEvent) => {
    if (this.isAway) throw new Error("NATS is unavailable");
    this.published.push(id);
  };
}

function opened() {
  const nats = new FakeNats();
  const clock = testClock(start);
  const lines: string[] = [];
  const logger: Logger = { ...silentLogger, info: (line) => void lines.push(line), warn: (line) => void lines.push(line) };
  const stopping = new AbortController();
  const outbox = new EventOutbox({ publish: nats.publish, clock, logger, signal: stopping.signal });
  return { nats, clock, lines, outbox, stopping };
}

it("publishes each event once, in the order in which they came", async () => {
  const { nats, outbox } = opened();
  for (const id of ["a", "b", "a", "c"]) outbox.publish(event(id));
  await settled();
  outbox.publish(event("b"));
  await settled();
  expect(nats.published).toEqual(["a", "b", "c"]);
  expect([outbox.hasAccepted("a"), outbox.hasAccepted("d")]).toEqual([true, false]);
});

it("keeps anyone who tells waiting for nothing while NATS is unavailable, and publishes all when it is back", async () => {
  const { nats, clock, lines, outbox } = opened();
  nats.isAway = true;
  for (const id of ["a", "b"]) outbox.publish(event(id));
  expect(outbox.hasAccepted("b")).toBe(true);
  await settled();
  expect(nats.published).toEqual([]);
  nats.isAway = false;
  await settled();
  expect(nats.published).toEqual(["a", "b"]);
  expect(lines).toEqual(["events can't be published now; they wait", "events are published again"]);
  expect(clock.waits.length).toBeGreaterThan(3);
  expect(Math.max(...clock.waits)).toBeLessThanOrEqual(30_000);
});

it("drops an event that is a day old and was never stored, and goes on with the next", async () => {
  const { nats, lines, outbox } = opened();
  nats.isAway = true;
  outbox.publish(event("old", "2026-03-01T12:00:30Z"));
  outbox.publish(event("young"));
  await settled();
  nats.isAway = false;
  await settled();
  expect(nats.published).toEqual(["young"]);
  expect(lines).toContain("an event is a day old and was never stored; it is dropped");
});

it("takes no more than it can hold, and says so", async () => {
  const { nats, lines, outbox } = opened();
  nats.isAway = true;
  for (let n = 0; n <= 10_000; n++) outbox.publish(event(`e${n}`));
  expect([outbox.hasAccepted("e9999"), outbox.hasAccepted("e10000")]).toEqual([true, false]);
  expect(lines).toEqual(["too many events wait for NATS; this one is not taken now"]);
});

it("ends with the operator, and without a word of what waits", async () => {
  const { nats, clock, lines, outbox, stopping } = opened();
  nats.isAway = true;
  outbox.publish(event("a"));
  await settled();
  stopping.abort();
  await settled();
  const waits = clock.waits.length;
  await settled();
  expect(clock.waits.length).toBe(waits);
  expect(lines).toEqual(["events can't be published now; they wait"]);
});
