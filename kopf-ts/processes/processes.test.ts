import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Client, leases, staticCredentials } from "../src/index.ts";
import { microseconds, overlaps, Replica, runsOf } from "./replica.ts";
import { widget, widgets } from "./widgets.ts";

/** The program's value. */
const leaseSeconds = 6;

let server: Replica;
let url: string;
let client: Client;
let replicas: Replica[];
let tests = 0;
let namespace: string;
beforeAll(async () => {
  replicas = [];
  server = new Replica("server.ts");
  await until(() => server.lines.length > 0, "the server says its URL");
  url = server.lines[0]?.url ?? "";
  client = Client.fromCredentials(staticCredentials(url));
}, 60_000);
afterAll(async () => {
  await server.kill();
  await client.close();
});
beforeEach(() => {
  tests += 1;
  namespace = `shop-${tests}`;
  replicas = [];
});
afterEach(() => Promise.all(replicas.map((process) => process.kill())));

async function until(condition: () => boolean | Promise<boolean>, what: string, seconds = 60): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`not within ${seconds} s: ${what}\n${replicas.map(({ said }) => said.slice(-4000)).join("\n---\n")}`);
    await pause(10);
  }
}

async function fill(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await client.create(widgets, widget(namespace, `w${index}`));
}

/** Starts `count` replicas; the leader comes first. */
async function start(count: number, environment: Record<string, string> = {}, preload: string[] = []): Promise<Replica[]> {
  const variables = { KOPF_SERVER: url, KOPF_NAMESPACE: namespace, ...environment };
  replicas = Array.from({ length: count }, () => new Replica("program.ts", variables, preload));
  await until(() => replicas.every(({ lines }) => lines.some(({ what }) => what === "started")), "the replicas start");
  const leads = ({ lines }: Replica) => lines.some(({ message }) => message?.startsWith("leading"));
  await until(() => replicas.some(leads), "one leads");
  return replicas.toSorted((a, b) => Number(leads(b)) - Number(leads(a)));
}

const holder = async () => (await client.find(leases, { namespace, name: "operator" }))?.spec.holderIdentity;
const tellsOfLoss = ({ message }: { message?: string }) => message?.includes("is lost") ?? false;
const kinds = (lines: readonly { id?: string }[]) => new Set(lines.map(({ id = "" }) => id.split(" ")[0]));

describe("in real processes, before a FakeApiServer", { timeout: 120_000 }, () => {
  test("a leader that was frozen for longer than its Lease begins nothing when it goes on, and no run overlaps the new leader's", async () => {
    const [frozen, heir] = (await start(2)) as [Replica, Replica];
    await fill(16);
    await until(
      () => frozen.ended("first").length >= 2 && kinds(frozen.begun()).size === 7,
      "the leader is at work with every kind of handler",
    );
    const stopped = frozen.signal("SIGSTOP");
    await until(() => heir.begun("first").length >= 4, "the other takes over");
    const continued = frozen.signal("SIGCONT");
    expect(await frozen.exit).toBe(1);
    await until(() => heir.ended("second").length + frozen.ended("second").length >= 16, "all is handled");
    // The first line may be of a call during which the process was frozen, after it had checked whether it may begin.
    const later = frozen.lines.filter(({ at }) => at > continued).slice(1);
    expect(later.filter(({ what }) => what === "begin")).toEqual([]);
    expect(frozen.ended().filter(({ at }) => at > continued)).toEqual([]);
    expect(frozen.after(tellsOfLoss).filter(({ what }) => what === "begin")).toEqual([]);
    expect(frozen.lines.some(tellsOfLoss)).toBe(true);
    expect(overlaps([...runsOf(frozen, stopped), ...runsOf(heir, microseconds())])).toEqual([]);
  });

  test("a leader with a full queue that is told to end begins nothing more, ends what runs, and hands over at once", async () => {
    const [leader, heir] = (await start(2)) as [Replica, Replica];
    await fill(16);
    await until(() => leader.ended("first").length >= 3, "the leader is at work");
    leader.signal("SIGTERM");
    expect(await leader.exit).toBe(0);
    const later = leader.after(({ what }) => what === "SIGTERM");
    expect(later.filter(({ what, id }) => what === "begin" && !id?.startsWith("effect"))).toEqual([]);
    expect(later.filter(({ what }) => what === "end").length).toBeGreaterThan(0);
    const exited = microseconds();
    await until(() => heir.begun().length > 0, "the other takes over");
    expect(((heir.begun()[0]?.at ?? 0) - exited) / 1e6).toBeLessThan(leaseSeconds);
    const done = () => new Set([...leader.ended("second"), ...heir.ended("second")].map(({ id }) => id)).size;
    await until(() => done() === 16, "all is handled");
    expect(overlaps([...runsOf(leader, 0), ...runsOf(heir, microseconds())])).toEqual([]);
  });

  test("a leader whose handlers ignore that they are told to end keeps its Lease and exits with an error", async () => {
    const [leader, heir] = (await start(2, { KOPF_STUBBORN: "1", KOPF_GRACE: "0.5" })) as [Replica, Replica];
    await fill(6);
    await until(() => leader.begun("first").length >= 2, "the leader is at work");
    leader.signal("SIGTERM");
    expect(await leader.exit).toBe(1);
    const exited = microseconds();
    expect(await holder()).toBe(`replica-${leader.pid}`);
    expect(leader.after(({ what }) => what === "SIGTERM").filter(({ what }) => what === "begin")).toEqual([]);
    await until(() => heir.begun("first").length >= 2, "the other takes over");
    expect(Math.min(...heir.begun().map(({ at }) => at))).toBeGreaterThan(exited);
    expect(overlaps([...runsOf(leader, exited), ...runsOf(heir, microseconds())])).toEqual([]);
  });

  test("wall clocks that jump make no second leader, and cost the first nothing", async () => {
    const [leader, standby] = (await start(2, {}, ["jumping-clock.ts"])) as [Replica, Replica];
    await fill(8);
    await until(() => leader.begun().length > 0, "the leader is at work");
    const ticks = () => leader.ended("tick").length;
    for (const [one, other] of [
      ["SIGUSR2", "SIGHUP"],
      ["SIGHUP", "SIGUSR2"],
      ["SIGHUP", "SIGUSR2"],
    ] as const) {
      leader.signal(one);
      standby.signal(other);
      const before = ticks();
      await pause(1_000);
      expect(ticks()).toBeGreaterThan(before);
    }
    expect([leader.isRunning, standby.begun().length, await holder()]).toEqual([true, 0, `replica-${leader.pid}`]);
    expect([...leader.lines, ...standby.lines].filter(tellsOfLoss)).toEqual([]);
    expect(overlaps(runsOf(leader, microseconds()))).toEqual([]);
  });

  test("an API server that is frozen ends the leader before another can lead; nothing begins after the Lease is lost", async () => {
    const [leader, heir] = (await start(2)) as [Replica, Replica];
    await fill(16);
    await until(() => leader.ended("first").length >= 2, "the leader is at work");
    server.signal("SIGSTOP");
    expect(await leader.exit).toBe(1);
    const exited = microseconds();
    await pause(500);
    server.signal("SIGCONT");
    await until(() => heir.ended("second").length + leader.ended("second").length >= 16, "the other handles the rest");
    expect(leader.after(tellsOfLoss).filter(({ what }) => what === "begin")).toEqual([]);
    expect(Math.min(...heir.begun().map(({ at }) => at))).toBeGreaterThan(exited);
    expect(overlaps([...runsOf(leader, exited), ...runsOf(heir, microseconds())])).toEqual([]);
  });

  test("a key that comes back as fast as it can leaves time for probes, timers and SIGTERM", async () => {
    const [hasty] = (await start(1, { KOPF_HASTE: "1" })) as [Replica];
    await fill(3);
    await until(() => hasty.ended("tick").length >= 6, "timers run");
    const { port } = hasty.lines.find(({ what }) => what === "started") ?? {};
    const asked = performance.now();
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    expect(answer.status).toBe(200);
    expect(performance.now() - asked).toBeLessThan(5_000);
    const passes = /controller_runtime_reconcile_total\{controller="reconciler",result="success"\} (\d+)/;
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(Number(passes.exec(metrics)?.[1])).toBeGreaterThan(100);
    const told = microseconds();
    hasty.signal("SIGTERM");
    expect(await hasty.exit).toBe(0);
    expect((microseconds() - told) / 1e6).toBeLessThan(10);
  });
});
