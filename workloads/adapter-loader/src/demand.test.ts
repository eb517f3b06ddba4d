import { demandLimits, demandWatchSeconds } from "@rune/crds/contracts/loader";
import { expect, it } from "vitest";
import { Demand } from "./demand.ts";

/** A clock that the test moves. */
function clockByHand() {
  let time = 1_800_000_000_000;
  const alarms = new Set<{ at: number; ring: () => void }>();
  return {
    now: () => time,
    random: () => 0.5,
    wait: (milliseconds: number, signal?: AbortSignal) =>
      new Promise<void>((ring, reject) => {
        alarms.add({ at: time + milliseconds, ring });
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
    pass: (seconds: number) => {
      time += seconds * 1_000;
      for (const { at, ring } of alarms) if (at <= time) ring();
    },
  };
}
const name = "tessera-0123456789abcdef";
const staying = new AbortController().signal;

it("wants an adapter once, however many wait for it, and nobody when all were answered", async () => {
  const demand = new Demand();
  const waiting = [1, 2, 3].map(() => demand.wait(name, staying));
  expect(demand.wanted).toEqual([name]);
  demand.arrived(name);
  expect(await Promise.all(waiting)).toEqual([{ there: true }, { there: true }, { there: true }]);
  expect(demand.wanted).toEqual([]);
});

it("says after a minute that it took too long, and when to ask again", async () => {
  const clock = clockByHand();
  const demand = new Demand(clock);
  const waiting = demand.wait(name, staying);
  clock.pass(demandLimits.seconds);
  expect(await waiting).toMatchObject({ there: false, verdict: { message: expect.stringContaining(name), retrySeconds: 5 } });
  expect(demand.wanted).toEqual([]);
});

it("remembers a verdict for seconds, so that an Adapter that is created then can be asked for", async () => {
  const clock = clockByHand();
  const demand = new Demand(clock);
  demand.answer(name, { message: "there is none" });
  expect(await demand.wait(name, staying)).toEqual({ there: false, verdict: { message: "there is none" } });
  clock.pass(6);
  void demand.wait(name, staying);
  expect(demand.wanted).toEqual([name]);
});

it("forgets a verdict when the adapter comes", async () => {
  const demand = new Demand();
  demand.answer(name, { message: "all slots are in use", retrySeconds: 5 });
  demand.arrived(name);
  void demand.wait(name, staying);
  expect(demand.wanted).toEqual([name]);
});

it("lets no more names wait than the operator can be told, but more clients for one of them", () => {
  const demand = new Demand();
  for (let index = 0; index < demandLimits.names; index++) void demand.wait(`adapter-${index}`, staying);
  expect([demand.isFull(name), demand.isFull("adapter-0")]).toEqual([true, false]);
  for (let index = 0; index < 300 - demandLimits.names; index++) void demand.wait("adapter-0", staying);
  expect(demand.isFull("adapter-0")).toBe(true);
});

it("lets a client that goes away leave", async () => {
  const demand = new Demand();
  const client = new AbortController();
  const waiting = demand.wait(name, client.signal);
  client.abort();
  expect(await waiting).toEqual({ there: false });
  expect(await demand.wait(name, client.signal)).toEqual({ there: false });
  expect(demand.wanted).toEqual([]);
});

it("tells who watches at once what is wanted, and after a while that it isn't anything", async () => {
  const clock = clockByHand();
  const demand = new Demand(clock);
  const watching = demand.watch(0, staying);
  void demand.wait(name, staying);
  const seen = await watching;
  expect(seen.wanted).toEqual([name]);
  expect(await demand.watch(0, staying)).toEqual(seen);
  const next = demand.watch(seen.sequence, staying);
  clock.pass(demandWatchSeconds);
  expect(await next).toEqual(seen);
});
