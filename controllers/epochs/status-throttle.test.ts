import { resourceOf } from "@rune/crds/kinds/kind";
import { kinds } from "@rune/crds/kinds/kinds";
import { isTrue, Manager, progressing, silentLogger, succeeded } from "kopf-ts";
import { FakeApiServer, VirtualClock } from "kopf-ts/testing";
import { afterEach, expect, it } from "vitest";
import { agentSessions } from "../shared/resources.ts";
import { agentSession } from "../testing/objects.ts";
import { throttlingStatus } from "./status-throttle.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const key = { namespace: "default", name: "widest" };

/** A session whose status counts the programs of its log, which every append wakes. */
async function working() {
  const api = await FakeApiServer.start({ resources: kinds.map(resourceOf) });
  const clock = new VirtualClock("2026-11-23T12:00:00Z");
  const manager = new Manager({ client: api.client(), clock, logger: silentLogger });
  stops.push(
    () => api.stop(),
    () => manager.stop(),
  );
  api.put(agentSessions, agentSession("widest"));
  const log = { programs: 0, ended: false };
  const controller = manager
    .controller("agent-session")
    .for(agentSessions)
    .complete(
      throttlingStatus(async () =>
        log.ended
          ? succeeded({ programs: log.programs }, { reason: "Solved", message: "a program passed" })
          : progressing("Working", `${log.programs} programs executed`, { programs: log.programs }),
      ),
    );
  await manager.start();
  /** Lets so much time pass, and what then happens happen. */
  const pass = async (milliseconds: number) => {
    await clock.advance(milliseconds);
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const append = (ended = false) => {
    log.programs += 1;
    log.ended = ended;
    controller.enqueue(key);
  };
  const found = () => api.find(agentSessions, key);
  await expect.poll(() => found()?.status?.programs).toBe(0);
  const writes = () => api.requests.filter(({ method, path }) => method === "PUT" && path.includes("/status")).length;
  return { append, pass, found, writes };
}

it("a session's status is written at most once a second, however fast its log grows, and at last says everything", async () => {
  const { append, pass, found, writes } = await working();
  const before = writes();
  for (let tenths = 0; tenths < 50; tenths++) {
    append();
    await pass(100);
  }
  await pass(1000);
  await expect.poll(() => found()?.status?.programs).toBe(50);
  expect(writes() - before).toBeGreaterThanOrEqual(4);
  expect(writes() - before).toBeLessThanOrEqual(6);
});

it("what happens once is told at once", async () => {
  const { append, pass, found } = await working();
  await pass(1000);
  append();
  await expect.poll(() => found()?.status?.programs).toBe(1);
});

it("an ending is told at once, whatever was told a moment before", async () => {
  const { append, found } = await working();
  append();
  append(true);
  await expect.poll(() => isTrue(found() ?? {}, "Succeeded")).toBe(true);
  expect(found()?.status?.programs).toBe(2);
});
