import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { configMaps, events } from "../api/resource.ts";
import { jsonLogger } from "../core/logger.ts";
import { FakeApiServer, VirtualClock } from "../testing/index.ts";
import { Recorder } from "./recorder.ts";

let server: FakeApiServer;
let clock: VirtualClock;
let lines: string[];
beforeEach(async () => {
  server = await FakeApiServer.start();
  clock = new VirtualClock();
  lines = [];
});
afterEach(() => server.stop());

function newRecorder(capacity?: number) {
  const logger = jsonLogger({ write: (line) => lines.push(line) });
  const client = server.client({ clock, retries: 0 });
  return new Recorder({ client, controller: "example.dev/widget", instance: "pod-1", logger, clock, capacity });
}
const subject = () => server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "a" } });
const event = { type: "Normal", reason: "Loaded", note: "it is loaded" } as const;

describe("a recorder", () => {
  test("publishes what happened to which object, by whom", async () => {
    const recorder = newRecorder();
    const regarding = subject();
    recorder.event(regarding, event);
    await recorder.flush();
    expect(server.all(events)).toMatchObject([
      {
        metadata: { namespace: "shop" },
        type: "Normal",
        reason: "Loaded",
        action: "Loaded",
        note: "it is loaded",
        eventTime: "2026-01-01T00:00:00.000000Z",
        regarding: { kind: "ConfigMap", name: "a", uid: regarding.metadata.uid },
        reportingController: "example.dev/widget",
        reportingInstance: "pod-1",
      },
    ]);
  });

  test("aggregates repetitions within six minutes in one series", async () => {
    const recorder = newRecorder();
    const regarding = subject();
    for (let i = 0; i < 3; i += 1) {
      recorder.event(regarding, event);
      await recorder.flush();
      await clock.advance(60_000);
    }
    expect(server.all(events)).toMatchObject([{ series: { count: 3, lastObservedTime: "2026-01-01T00:02:00.000000Z" } }]);
    await clock.advance(6 * 60_000);
    recorder.event(regarding, event);
    recorder.event(regarding, { ...event, note: "something else" });
    await recorder.flush();
    expect(server.all(events)).toHaveLength(3);
  });

  test("counts what repeats while it waits, and sends it at once: a flood costs two requests and drops nothing of others", async () => {
    const recorder = newRecorder(2);
    const regarding = subject();
    recorder.event(regarding, { ...event, note: "in front" });
    for (let i = 0; i < 500; i += 1) recorder.event(regarding, event);
    recorder.event(regarding, { ...event, note: "behind" });
    await recorder.flush();
    const flood = server.all(events).find(({ note }) => note === event.note);
    expect(flood?.series?.count).toBe(500);
    expect(server.all(events).map(({ note }) => note)).toEqual(expect.arrayContaining(["in front", "behind"]));
    expect(recorder.dropped).toBe(0);
  });

  test("starts a new series when the old one's Event has expired", async () => {
    const recorder = newRecorder();
    const regarding = subject();
    recorder.event(regarding, event);
    await recorder.flush();
    const [first] = server.all(events);
    server.delete(events, first!.metadata);
    await clock.advance(1_000);
    recorder.event(regarding, event);
    await recorder.flush();
    expect(server.all(events)).toHaveLength(1);
  });

  test("never throws: what fails is logged, what is too much is counted", async () => {
    const recorder = newRecorder(2);
    server.inject({ action: { do: "refuse", status: 500 } });
    const regarding = subject();
    for (let i = 0; i < 5; i += 1) recorder.event(regarding, { ...event, note: `${i}` });
    await recorder.flush();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("an event could not be published and is dropped");
    expect(recorder.dropped).toBeGreaterThan(0);
    expect(server.all(events).length + recorder.dropped).toBe(4);
  });

  test("keeps names and notes within the API's limits", async () => {
    const recorder = newRecorder();
    const long = server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "n".repeat(253) } });
    recorder.event(long, { ...event, note: "x".repeat(5_000) });
    await recorder.flush();
    const [published] = server.all(events);
    expect(published?.note).toHaveLength(1_024);
    expect(published?.metadata.name.length).toBeLessThan(64);
  });

  test("names and words stay what the API server takes: DNS names, bytes", async () => {
    const name = `${"n".repeat(44)}-${"m".repeat(20)}`;
    const object = server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name } });
    const recorder = newRecorder();
    recorder.event(object, { type: "Normal", reason: "R".repeat(200), note: "é".repeat(900) });
    await recorder.flush();
    const published = server.all(events)[0];
    expect(published?.metadata.name).toMatch(/^n{44}\.[0-9a-f]{16}$/);
    expect(Buffer.byteLength(published?.note)).toBeLessThanOrEqual(1_024);
    expect(published?.note).toBe("é".repeat(512));
    expect([published?.reason.length, published?.action.length]).toEqual([128, 128]);
  });
});
