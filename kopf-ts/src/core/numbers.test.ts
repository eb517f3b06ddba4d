import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resource } from "../api/resource.ts";
import { Manager } from "../engine/manager.ts";
import { Handlers } from "../handlers/index.ts";
import { ready, TemporaryError, waiting } from "../index.ts";
import { FakeApiServer, VirtualClock } from "../testing/index.ts";
import { silentLogger } from "./logger.ts";
import { checkNumber, type NumberRule } from "./numbers.ts";

const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const nonsense = [
  Number.NaN,
  -1,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1e300,
  "60" as unknown as number,
  null as unknown as number,
];
const run = () => {};

let server: FakeApiServer;
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
});
afterEach(() => server.stop());

describe("numbers that a program gives", () => {
  test.each<[NumberRule, number[], number[]]>([
    ["a time above zero", [0.001, 60, 1e9], [0]],
    ["a time, zero or more", [0, 0.5], []],
    ["a count above zero", [1, 64], [0, 1.5]],
    ["a count, zero or more", [0, 4], [0.5]],
  ])("%s", (rule, right, wrong) => {
    for (const value of right) expect(() => checkNumber("x", value, rule)).not.toThrow();
    for (const value of [...wrong, ...nonsense]) expect(() => checkNumber("x", value, rule), String(value)).toThrow(RangeError);
    expect(() => checkNumber("x", undefined, rule)).not.toThrow();
  });

  test("limits may be endless, and are nothing else that is no number", () => {
    for (const rule of ["a limit above zero", "a limit of attempts"] as const) {
      expect(() => checkNumber("x", Number.POSITIVE_INFINITY, rule)).not.toThrow();
      for (const value of [0, Number.NaN, -1]) expect(() => checkNumber("x", value, rule)).toThrow(RangeError);
    }
  });

  test.each(nonsense)("an Outcome that asks for a pass after %s is refused where it is made", (value) => {
    expect(() => ready().again(value)).toThrow(/^\.again\(seconds\) is .*; it must be a number from 0 to/);
    expect(() => waiting("Other", "waits", value)).toThrow(/^waiting\("Other"\): afterSeconds is/);
    expect(() => new TemporaryError("x", { delay: value })).toThrow(RangeError);
  });

  test("0 is no wish for another pass, and takes none away", () => {
    expect(ready().again(0).requeueAfterSeconds).toBeUndefined();
    expect(ready().again(30).again(0).requeueAfterSeconds).toBe(30);
    expect(() => waiting("Other", "waits", 0)).toThrow(RangeError);
  });

  test.each([...nonsense, 0])("a timer whose interval is %s is refused at its registration", (interval) => {
    expect(() => new Handlers().timer(widgets, { interval }, run)).toThrow(
      /^timer handler run of Widget: interval is .*; it must be a number above 0/,
    );
  });

  test("a timer without an interval is refused too", () => {
    expect(() => new Handlers().timer(widgets, {} as { interval: number }, run)).toThrow("a timer of Widget has no interval");
  });

  test.each(["retries", "timeout", "backoff", "idle", "initialDelay", "cancellationTimeout"])(
    "%s of handlers is checked at their registration",
    (name) => {
      for (const value of [Number.NaN, -1]) {
        const options = { [name]: value };
        expect(() => new Handlers().on.create(widgets, options, run)).toThrow(`create handler run of Widget: ${name} is ${value}`);
        expect(() => new Handlers().timer(widgets, { interval: 1, ...options }, run)).toThrow(`${name} is ${value}`);
        expect(() => new Handlers().daemon(widgets, options, run)).toThrow(`${name} is ${value}`);
        if (name === "retries") expect(() => new Handlers().on.startup(options, run)).toThrow(`startup handler run: ${name} is ${value}`);
      }
    },
  );

  test("so are those of managers, controllers, elections and handlers as a whole", async () => {
    const client = server.client({ retries: 0 });
    const leaderElection = (numbers: object) => ({ leaderElection: { name: "ops", namespace: "shop", ...numbers } });
    for (const options of [
      { gracePeriodSeconds: Number.NaN },
      { cacheSyncTimeoutSeconds: 0 },
      { resyncSeconds: -1 },
      leaderElection({ leaseDurationSeconds: 15.5 }),
      leaderElection({ renewDeadlineSeconds: Number.NaN }),
      leaderElection({ retryPeriodSeconds: 0 }),
    ]) {
      expect(() => new Manager({ client, logger: silentLogger, ...options }), JSON.stringify(options)).toThrow(RangeError);
    }
    for (const options of [{ maxConcurrentReconciles: 0 }, { passTimeoutSeconds: Number.POSITIVE_INFINITY }])
      expect(() => new Handlers(options), JSON.stringify(options)).toThrow(RangeError);
    const manager = new Manager({ client, logger: silentLogger });
    for (const options of [
      { maxConcurrentReconciles: Number.NaN },
      { maxConcurrentReconciles: 2.5 },
      { reconcileTimeoutSeconds: 0 },
      { firstBackoffMilliseconds: -5 },
      { longestBackoffMilliseconds: Number.NaN },
    ]) {
      expect(() => manager.controller("widget").for(widgets).withOptions(options), JSON.stringify(options)).toThrow(/^controller widget: /);
    }
    expect(() => server.client({ connections: 0 })).toThrow(RangeError);
    expect(() =>
      manager
        .controller("w")
        .for(widgets)
        .complete(() => ready())
        .enqueue({ name: "a" }, { afterMilliseconds: Number.NaN }),
    ).toThrow(RangeError);
    await client.close();
  });

  test("one that asks for the next pass at once, time and again, waits longer each time, and at most a second", async () => {
    const clock = new VirtualClock();
    const manager = new Manager({ client: server.client({ clock }), clock, logger: silentLogger });
    let passes = 0;
    manager
      .controller("widget")
      .for(widgets)
      .complete(() => {
        passes += 1;
        return ready().atOnce();
      });
    server.put(widgets, { apiVersion: "example.dev/v1", kind: "Widget", metadata: { namespace: "shop", name: "a" } });
    await manager.start();
    for (let step = 0; step < 60 && passes < 3; step += 1) {
      await clock.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(passes).toBeGreaterThanOrEqual(3);
    for (let step = 0; step < 40; step += 1) await clock.advance(1_000);
    expect(passes).toBeGreaterThanOrEqual(30);
    expect(passes).toBeLessThan(60);
    await manager.stop();
  });
});
