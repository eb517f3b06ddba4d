import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { leases } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { eventually, FakeApiServer, VirtualClock } from "../testing/index.ts";
import { type LeaderElectionOptions, LeaderElector, LeadershipLostError } from "./leader-election.ts";

const key = { namespace: "ops", name: "operator" };
let server: FakeApiServer;
let clock: VirtualClock;
let ends: (() => Promise<void>)[];
beforeEach(async () => {
  server = await FakeApiServer.start();
  clock = new VirtualClock();
  ends = [];
});
afterEach(async () => {
  for (const end of ends) await end();
  await server.stop();
});

function newElector(identity: string, time = clock, durations: Partial<LeaderElectionOptions> = {}) {
  const client = server.client({ clock: time, retries: 0 });
  const heard: (string | LeadershipLostError)[] = [];
  const elector = new LeaderElector({
    ...key,
    ...durations,
    identity,
    client,
    clock: time,
    logger: silentLogger,
    onStarted: () => heard.push("started"),
    onLost: (error) => heard.push(error),
  });
  const abort = new AbortController();
  const start = () => {
    const running = elector.run(abort.signal);
    ends.push(async () => {
      abort.abort();
      await running;
      await client.close();
    });
  };
  return { elector, heard, start, abort };
}

/** Lets virtual seconds pass one by one, with time for real requests in each. */
async function pass(seconds: number, until: () => boolean = () => false): Promise<number> {
  for (let second = 0; second < seconds; second += 1) {
    if (until()) return second;
    await clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  return seconds;
}
const holder = () => server.find(leases, key)?.spec.holderIdentity;
const otherHolds = () =>
  server.put(leases, {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: key,
    spec: { holderIdentity: "other", leaseDurationSeconds: 15 },
  });

describe("leader election", () => {
  test("takes a Lease that is not there, and renews it every two seconds", async () => {
    const { heard, start } = newElector("me");
    start();
    await eventually(() => heard.length === 1);
    expect(holder()).toBe("me");
    const renewals = () => server.requests.filter(({ method }) => method === "PUT").length;
    // A slow machine responds late, and so the next renewal comes later; never sooner.
    const seconds = await pass(60, () => renewals() === 8);
    expect(seconds).toBeGreaterThanOrEqual(15);
    expect(seconds).toBeLessThan(60);
    expect(heard).toEqual(["started"]);
  });

  test("of two that start at once, one leads", async () => {
    const [one, two] = [newElector("one"), newElector("two")];
    one.start();
    two.start();
    await pass(10);
    expect([one.elector.leads, two.elector.leads].sort()).toEqual([false, true]);
  });

  test("takes over only after the Lease was unchanged for its whole duration, by its own clock", async () => {
    otherHolds();
    const { heard, start } = newElector("me");
    start();
    await pass(14);
    expect(heard).toEqual([]);
    otherRenews();
    await pass(14);
    expect(heard).toEqual([]);
    await pass(10, () => heard.length > 0);
    expect(heard).toEqual(["started"]);
    expect(server.find(leases, key)?.spec.leaseTransitions).toBe(1);
  });

  const otherRenews = () => {
    const lease = server.find(leases, key)!;
    server.put(leases, { ...lease, spec: { ...lease.spec, renewTime: "1999-01-01T00:00:00.000000Z" } });
  };

  test.each([
    ["refuses", { do: "refuse", status: 503 }],
    ["does not answer", { do: "hang" }],
    ["cuts the connection", { do: "reset" }],
  ] as const)("tells of the loss before the Lease can expire when the server %s", async (_how, action) => {
    const { heard, start, elector } = newElector("me");
    start();
    await eventually(() => elector.leads);
    await pass(3);
    server.inject({ times: 1_000, action });
    const seconds = await pass(20, () => heard.length > 1);
    expect(heard[1]).toBeInstanceOf(LeadershipLostError);
    expect(seconds).toBeLessThanOrEqual(13);
    expect(elector.leads).toBe(false);
  });

  test("tells of the loss at its deadline, not a retry period later, and counts from when the acquisition was sent", async () => {
    const { heard, start, elector } = newElector("me", clock, {
      leaseDurationSeconds: 15,
      renewDeadlineSeconds: 14,
      retryPeriodSeconds: 10,
    });
    start();
    await eventually(() => elector.leads);
    server.inject({ times: 1_000, action: { do: "refuse", status: 503 } });
    const seconds = await pass(30, () => heard.length > 1);
    expect(heard[1]).toBeInstanceOf(LeadershipLostError);
    expect(seconds).toBeLessThanOrEqual(15);
  });

  test("stops at its next look when somebody else took the Lease", async () => {
    const { heard, start, elector } = newElector("me");
    start();
    await eventually(() => elector.leads);
    otherHolds();
    await pass(3, () => heard.length > 1);
    expect(heard[1]).toBeInstanceOf(LeadershipLostError);
  });

  test("survives a short outage", async () => {
    const { heard, start, elector } = newElector("me");
    start();
    await eventually(() => elector.leads);
    server.inject({ times: 3, action: { do: "refuse", status: 503 } });
    await pass(20);
    expect(heard).toEqual(["started"]);
  });

  test("a released Lease is taken at once", async () => {
    const first = newElector("first");
    first.start();
    await eventually(() => first.elector.leads);
    first.abort.abort();
    await first.elector.release();
    expect(holder()).toBe("");
    const second = newElector("second");
    second.start();
    await eventually(() => second.elector.leads);
  });

  test("a Lease whose taking was interrupted is released, and that of another isn't touched", async () => {
    server.inject({ match: ({ method }) => method === "POST", times: 1, action: { do: "reset after" } });
    const first = newElector("first");
    first.start();
    await eventually(() => holder() === "first");
    first.abort.abort();
    expect([first.elector.leads, first.elector.mayHold]).toEqual([false, true]);
    await first.elector.release();
    expect(holder()).toBe("");
    otherHolds();
    const standby = newElector("standby");
    standby.start();
    await pass(3);
    standby.abort.abort();
    expect(standby.elector.mayHold).toBe(false);
  });

  test("refuses durations that could let two lead", () => {
    const make = () =>
      new LeaderElector({
        ...key,
        identity: "me",
        client: server.client(),
        logger: silentLogger,
        leaseDurationSeconds: 10,
        renewDeadlineSeconds: 10,
        onStarted: () => {},
        onLost: () => {},
      });
    expect(make).toThrow("leaseDurationSeconds > renewDeadlineSeconds > retryPeriodSeconds");
  });
});
