import fc from "fast-check";
import { expect, test } from "vitest";
import type { DynamicObject } from "../api/object.ts";
import { resource } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { FakeApiServer, VirtualClock } from "../testing/index.ts";
import { TemporaryError } from "./errors.ts";
import { essenceOf } from "./essence.ts";
import { Operator } from "./operator.ts";

const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const key = { namespace: "shop", name: "a" };
const prefix = "kopf-ts.dev";
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("edit" as const), size: fc.integer({ min: 0, max: 5 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("write fault" as const), how: fc.constantFrom(409, 500, 503, "reset", "reset after", "cut") }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("failing" as const), times: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("pause", "pass time") }) },
  fc.record({ do: fc.constantFrom("restart", "touch status", "recreate", "cut watches", "mute watches", "compact") }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** One world: a server, a clock, an operator that may be killed and restarted, and a record of every call. */
class World {
  readonly clock = new VirtualClock();
  readonly calls: string[] = [];
  /** Deleted while they had our finalizer. */
  readonly guarded = new Set<string>();
  failures = 0;
  epoch = 0;
  overlapping = 0;
  #running = 0;
  #operator: Operator | undefined;
  readonly server: FakeApiServer;

  constructor(server: FakeApiServer) {
    this.server = server;
  }

  get object(): DynamicObject | undefined {
    return this.server.find(widgets, key);
  }

  async start(): Promise<void> {
    const client = this.server.client({ clock: this.clock, retries: 0 });
    const operator = new Operator({ client, clock: this.clock, logger: silentLogger, freeze: "deep" });
    const handle =
      (kind: string) => async (ctx: { body: DynamicObject; patch: { metadata: { labels: Record<string, string | null> } } }) => {
        this.#running += 1;
        this.overlapping = Math.max(this.overlapping, this.#running);
        await pause(0);
        this.#running -= 1;
        if (this.failures > 0) {
          this.failures -= 1;
          throw new TemporaryError("injected", { delay: 3 });
        }
        ctx.patch.metadata.labels.seen = String(ctx.body.spec.size);
        this.calls.push(`${kind} ${ctx.body.metadata.uid} ${ctx.body.spec.size}`);
      };
    operator.on.create(widgets, handle("create"));
    operator.on.update(widgets, { field: "spec" }, handle("update"));
    operator.on.delete(widgets, handle("delete"));
    this.#operator = operator;
    const started = operator.start();
    await this.#while(started);
  }

  async stop(): Promise<void> {
    const stopped = this.#operator?.stop() ?? Promise.resolve();
    await this.#while(stopped);
  }

  /** Time advances until the promise settles. */
  async #while(promise: Promise<unknown>): Promise<void> {
    let settled = false;
    void promise.finally(() => {
      settled = true;
    });
    while (!settled) {
      await this.clock.advance(1_000);
      await pause(1);
    }
  }

  async take(one: Step): Promise<void> {
    const { server } = this;
    const { object } = this;
    const isWrite = ({ method }: { method: string }) => method === "PATCH";
    if (one.do === "edit") server.put(widgets, { ...(object ?? born()), spec: { size: one.size + this.epoch } });
    else if (one.do === "touch status" && object) server.put(widgets, { ...object, status: { touched: this.clock.monotonic() } });
    else if (one.do === "recreate" && object) {
      if (object.metadata.finalizers?.includes(`${prefix}/handlers`)) this.guarded.add(object.metadata.uid as string);
      server.delete(widgets, key);
      if (!this.object) server.put(widgets, born());
    } else if (one.do === "failing") this.failures = one.times;
    else if (one.do === "cut watches") server.resetWatches();
    else if (one.do === "mute watches") server.muteWatches();
    else if (one.do === "compact") server.compact();
    else if (one.do === "pause") await pause(3);
    else if (one.do === "pass time") await this.clock.advance(4_000);
    else if (one.do === "restart") {
      await this.stop();
      // Calls just before the end that could not be recorded are unknown to the next process. If the very state that
      // was handled before came back now, no handler would be called: so the states of each process differ here.
      this.epoch += 10;
      await this.start();
    } else if (one.do === "write fault") {
      const { how } = one;
      if (typeof how === "number") server.inject({ match: isWrite, action: { do: "refuse", status: how } });
      else server.inject({ match: isWrite, action: { do: how as "reset" } });
    }
  }

  /** Whether the stored records show that the newest state was handled, with nothing left over. */
  get isQuiet(): boolean {
    const { object } = this;
    if (!object || object.metadata.deletionTimestamp) return object === undefined;
    const annotations = object.metadata.annotations ?? {};
    const isOver = !Object.keys(annotations).some((name) => name.startsWith(`${prefix}/progress`));
    const isHandled = annotations[`${prefix}/last-handled`] === JSON.stringify(essenceOf(object, prefix));
    return isOver && isHandled && (object.metadata.finalizers?.length ?? 0) === 1;
  }
}

function born(): DynamicObject {
  return { apiVersion: "example.dev/v1", kind: "Widget", metadata: { ...key }, spec: { size: 0 } };
}

test("for any interleaving of edits, lost writes, silent watches, failing handlers and restarts, the last state is handled and every deletion is", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const world = new World(await FakeApiServer.start({ resources: [widgets] }));
      world.server.put(widgets, born());
      await world.start();
      for (const one of steps) await world.take(one);
      world.server.clearFaults();
      world.failures = 0;
      // The records may look settled while a write is under way: they have to stay so.
      for (let [round, stayed, seen] = [0, 0, 0]; round < 200 && stayed < 6; round += 1) {
        await world.clock.advance(5_000);
        await pause(2);
        const { length } = world.server.requests;
        stayed = world.isQuiet && seen === length ? stayed + 1 : 0;
        seen = length;
      }
      const { object } = world;
      const told = `steps ${JSON.stringify(steps)}\ncalls ${world.calls.join(", ")}\nobject ${JSON.stringify(object)}`;
      expect(world.isQuiet, told).toBe(true);
      expect(world.overlapping, told).toBe(1);
      for (const uid of world.guarded)
        expect(
          world.calls.some((call) => call.startsWith(`delete ${uid}`)),
          told,
        ).toBe(true);
      if (object) {
        const last = world.calls.filter((call) => call.split(" ")[1] === object.metadata.uid && !call.startsWith("delete")).at(-1);
        expect(last?.split(" ")[2], told).toBe(String(object.spec.size));
        expect(object.metadata.labels?.seen, told).toBe(String(object.spec.size));
      }
      await world.stop();
      await world.server.stop();
    }),
    { numRuns: 40 },
  );
}, 60_000);
