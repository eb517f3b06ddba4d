import { createServer } from "node:net";
import type { Isolation } from "@rune/crds/fields/isolation";
import { expect, test } from "vitest";
import { type Clock, systemClock } from "../clock.ts";
import { ControlUnreachable, isComplete, isolationFailure, proveIsolation, reachesTCP } from "./isolation.ts";

type Probe = Isolation["probes"][number];
const targets = { canary: "canary:1", dns: "dns:53", modelServer: "model:2", apiServer: "api:3", node: "node:4" };
const blocked = (layer: number, observed: Probe["observed"] = "Blocked"): Probe => ({
  name: `layer ${layer}`,
  layer,
  expected: "Blocked",
  observed,
});
const safe = { verified: true, probes: [blocked(1), blocked(2)] };

/** Waits advance the clock but take no time. */
class FakeClock implements Clock {
  time = 0;
  now() {
    return this.time;
  }
  async wait(milliseconds: number) {
    this.time += milliseconds;
  }
  random() {
    return 0.5;
  }
}

test("a sandbox whose every probe was blocked on both layers is proven, with the positive controls in the proof", async () => {
  const proof = await proveIsolation({ targets, probe: async () => safe, reach: async () => true, clock: new FakeClock() });
  expect(proof).toEqual({
    verified: true,
    time: "1970-01-01T00:00:00.000Z",
    probes: [
      { name: "canary from this pod", layer: 1, expected: "Reached", observed: "Reached" },
      { name: "model server from this pod", layer: 1, expected: "Reached", observed: "Reached" },
      ...safe.probes,
    ],
  });
});

test.each<[string, Probe[]]>([
  ["no probes", []],
  ["only network probes", [blocked(1)]],
  ["only lock probes", [blocked(2)]],
  ["a probe that got out", [...safe.probes, blocked(1, "Reached")]],
  ["a probe that broke", [...safe.probes, blocked(2, "Error")]],
])("a proof with %s proves nothing, even if the sandbox says so", async (_, probes) => {
  expect(isComplete(probes)).toBe(false);
  const answer = await proveIsolation({
    targets,
    probe: async () => ({ verified: true, probes }),
    reach: async () => true,
    clock: new FakeClock(),
  });
  expect(answer.verified).toBe(false);
});

test("a sandbox that doesn't trust itself is not trusted", async () => {
  const answer = await proveIsolation({
    targets,
    probe: async () => ({ ...safe, verified: false }),
    reach: async () => true,
    clock: new FakeClock(),
  });
  expect(answer.verified).toBe(false);
});

test("a policy that is enforced seconds late is waited for, and the proof that holds is the one that is told", async () => {
  const clock = new FakeClock();
  const probe = async () => (clock.time >= 25_000 ? safe : { verified: false, probes: [blocked(1, "Reached"), blocked(2)] });
  const answer = await proveIsolation({ targets, probe, reach: async () => true, clock });
  expect(answer).toMatchObject({ verified: true, time: "1970-01-01T00:00:30.000Z" });
  expect(answer.probes.slice(2)).toEqual(safe.probes);
});

test("what is in force a second after the pod is there costs a second or two, not ten", async () => {
  const clock = new FakeClock();
  const late = async (_: string, timeout: number) => {
    const reached = clock.time >= 600;
    if (!reached) clock.time += timeout;
    return reached;
  };
  const probe = async () => (clock.time >= 1200 ? safe : { verified: false, probes: [blocked(1, "Reached"), blocked(2)] });
  expect(await proveIsolation({ targets, probe, reach: late, clock })).toMatchObject({ verified: true });
  expect(clock.time).toBeLessThan(2500);
});

test("a sandbox that stays open is asked for about a minute, and its last answer is told", async () => {
  const clock = new FakeClock();
  let asked = 0;
  const probe = async () => ({ verified: false, probes: [{ ...blocked(1, "Reached"), name: `probe ${++asked}` }, blocked(2)] });
  const answer = await proveIsolation({ targets, probe, reach: async () => true, clock });
  expect(answer.verified).toBe(false);
  expect(answer.probes[2]?.name).toBe("probe 7");
  expect([asked, clock.time]).toEqual([7, 60_000]);
});

test("a proof that is waited for ends with its signal", async () => {
  const stop = new AbortController();
  const clock: Clock = { ...systemClock, wait: async () => stop.signal.throwIfAborted() };
  const probe = async () => {
    stop.abort(new Error("SIGTERM"));
    return { verified: false, probes: [] };
  };
  await expect(proveIsolation({ targets, probe, reach: async () => true, clock, signal: stop.signal })).rejects.toThrow("SIGTERM");
});

test("a missing proof ends the pod permanently and names the failed probes alone", () => {
  expect(isolationFailure({ verified: true, probes: safe.probes }, 3)).toBeUndefined();
  const failure = isolationFailure({ verified: false, probes: [blocked(1), blocked(2, "Reached")] }, 3);
  expect(failure).toMatchObject({
    code: 65,
    reason: "IsolationUnproven",
    message: expect.stringContaining("epoch 3 isn't proven to be isolated: layer 2 (layer 2);"),
  });
});

test("a canary that comes up within a minute is waited for", async () => {
  const clock = new FakeClock();
  const answer = await proveIsolation({ targets, probe: async () => safe, reach: async () => clock.time >= 20_000, clock });
  expect(answer.verified).toBe(true);
});

test("without a positive control the sandbox isn't even asked", async () => {
  let asked = false;
  const probe = async () => {
    asked = true;
    return safe;
  };
  const proof = proveIsolation({ targets, probe, reach: async (address) => address !== "canary:1", clock: new FakeClock() });
  await expect(proof).rejects.toThrow(ControlUnreachable);
  await expect(proof).rejects.toThrow("could not reach canary:1");
  expect(asked).toBe(false);
});

test("a listening port is reached and a closed one is not", async () => {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  expect(await reachesTCP(`127.0.0.1:${port}`)).toBe(true);
  await new Promise((resolve) => server.close(resolve));
  expect(await reachesTCP(`127.0.0.1:${port}`)).toBe(false);
});
