import { mkdir, rm, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { progress } from "@rune/cluster/progress";
import { ApiServer } from "./api-server.ts";
import { cores } from "./cores.ts";
import { Api } from "./http.ts";
import { Ledger } from "./ledger.ts";
import { monotonicMicroseconds } from "./proc.ts";
import { Churn } from "./soak/churn.ts";
import { conflictShare, type Fault, planFor, quietFromSeconds, throttleSeconds } from "./soak/faults.ts";
import { FaultProxy } from "./soak/proxy.ts";
import { Replica } from "./soak/replica.ts";
import { Runs } from "./soak/runs.ts";
import { type Child, growths, type MemorySample, owed } from "./soak/verdict.ts";
import { percentile } from "./statistics.ts";
import { createNamespace, installWidgets, type Widget, widgetsPath } from "./widgets.ts";

const out = join(import.meta.dirname, "../../out/bench");
const namespace = "soak";
const objects = 200;
const changesPerSecond = 50;
/** Within this time after the last fault and the last change everything must be correct. */
const recoverySeconds = 60;
const mostGrowthMebibytesPerMinute = 0.5;
/** Slopes over less than this are noise: reported, not judged. */
const judgedMinutes = 15;

class Soak {
  readonly #server: ApiServer;
  readonly #api: Api;
  readonly #proxy: FaultProxy;
  readonly #runs = new Runs();
  readonly #replicas: Replica[];
  readonly #churn: Churn;
  readonly #ledger = new Ledger();
  readonly #memory: MemorySample[] = [];
  readonly #faults: Record<string, number> = {};
  readonly #began = performance.now();
  #longestOpenSeconds = 0;

  private constructor(server: ApiServer, api: Api, proxy: FaultProxy, url: string) {
    this.#server = server;
    this.#api = api;
    this.#proxy = proxy;
    this.#churn = new Churn(api, namespace, objects);
    const environment = { RUNE_SOAK_SERVER: url, RUNE_SOAK_NAMESPACE: namespace };
    this.#replicas = [1, 2].map((number) => new Replica(environment, join(out, `soak-replica-${number}.log`), this.#runs));
    process.once("exit", () => {
      for (const replica of this.#replicas) replica.kill();
    });
  }

  static async start(): Promise<Soak> {
    const server = await ApiServer.start(cores.all);
    const api = new Api(server.kubeconfigs.load);
    await installWidgets(api);
    await createNamespace(api, namespace);
    const proxy = new FaultProxy({ kubeconfig: server.kubeconfigs.operator, conflictShare });
    return new Soak(server, api, proxy, await proxy.start());
  }

  async run(minutes: number) {
    const watching = setInterval(() => void this.#look(), 2_000);
    const talking = setInterval(() => progress.say(this.#inShort()), 30_000);
    this.#churn.start(changesPerSecond);
    for (const { atSeconds, fault } of planFor(minutes)) {
      await this.#until(atSeconds);
      await this.#make(fault);
    }
    await this.#until(minutes * 60);
    await this.#churn.stop();
    this.#proxy.makePeace();
    progress.say("no more changes and faults; waiting for recovery");
    const { debts, seconds } = await this.#recovery();
    if (debts.length > 0) await this.#explain(debts);
    clearInterval(watching);
    clearInterval(talking);
    return this.#result(minutes, debts, seconds);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica.stop()));
    this.#proxy.stop();
    this.#api.close();
    await this.#server.stop();
  }

  get #seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  async #until(second: number): Promise<void> {
    await pause(Math.max(0, (second - this.#seconds) * 1000));
  }

  async #make(fault: Fault): Promise<void> {
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
    switch (fault) {
      case "reset connections":
        return this.#proxy.reset();
      case "throttle":
        return this.#proxy.throttle(throttleSeconds);
      case "expire watches":
        return this.#proxy.expireWatches();
      case "take the Lease":
        return await this.#takeLease();
      case "restart the API server":
        progress.say("restarting the API server");
        await this.#server.stopServer();
        return await this.#server.startServer();
    }
  }

  /** Another holder takes it, and never renews it. */
  async #takeLease(): Promise<void> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/soak`;
    const lease = await this.#api.call<{ spec: { holderIdentity?: string } }>("GET", path);
    progress.say(`taking the Lease from ${lease.spec.holderIdentity}`);
    await this.#api.patch(path, { spec: { holderIdentity: "a-thief", renewTime: new Date().toISOString().replace("Z", "000Z") } });
  }

  /** Observes from outside, past the proxy. While the server restarts there is nothing to see. */
  async #look(): Promise<void> {
    for (const { pid, rssMebibytes } of this.#replicas) {
      if (pid !== undefined && rssMebibytes !== undefined) this.#memory.push({ seconds: this.#seconds, pid, rssMebibytes });
    }
    const widgets = (await this.#widgets().catch(() => undefined))?.filter(({ metadata }) => !metadata.deletionTimestamp);
    const now = monotonicMicroseconds();
    for (const widget of widgets ?? []) this.#ledger.see(widget, now);
    if (widgets) this.#ledger.keepOnly(new Set(widgets.map(({ metadata }) => metadata.uid)));
    const oldest = this.#ledger.oldestOpen;
    if (oldest !== undefined) this.#longestOpenSeconds = Math.max(this.#longestOpenSeconds, (now - oldest) / 1e6);
  }

  async #widgets(): Promise<Widget[]> {
    return (await this.#api.call<{ items: Widget[] }>("GET", widgetsPath(namespace))).items;
  }

  async #debts(): Promise<string[]> {
    const { items } = await this.#api.call<{ items: Child[] }>("GET", `/api/v1/namespaces/${namespace}/configmaps`);
    return owed(await this.#widgets(), items);
  }

  async #recovery(): Promise<{ debts: string[]; seconds: number }> {
    const began = performance.now();
    for (;;) {
      const debts = await this.#debts();
      const seconds = (performance.now() - began) / 1000;
      if (debts.length === 0 || seconds > recoverySeconds) return { debts, seconds };
      await pause(500);
    }
  }

  /** What this process knows of missed keys goes into a log: the replicas' caches are in theirs. */
  async #explain(debts: readonly string[]): Promise<void> {
    for (const replica of this.#replicas) await replica.explain();
    const audit = (await this.#server.auditSince(0)).split("\n");
    const names = debts.map((debt) => /^[\w-]+/.exec(debt)?.[0] ?? "");
    const lines = names.flatMap((name) => [
      `${name}, the churn's last steps:`,
      ...(this.#churn.history.get(name) ?? []),
      `${name}, the operator's last requests that reached the server:`,
      ...audit.filter((line) => line.includes(`"name":"${name}"`)).slice(-10),
    ]);
    await writeFile(join(out, "soak-missed.log"), `${lines.join("\n")}\n`);
  }

  #inShort(): string {
    const rss = this.#replicas
      .map(({ rssMebibytes }) => (rssMebibytes === undefined ? "down" : `${rssMebibytes.toFixed(0)} MiB`))
      .join(", ");
    return `${this.#runs.count} runs, ${this.#ledger.answered} revisions answered, replicas ${rss}, longest wait ${this.#longestOpenSeconds.toFixed(1)} s`;
  }

  #result(minutes: number, debts: readonly string[], recovered: number) {
    const concurrent = this.#runs.concurrent();
    const memory = growths(this.#memory, quietFromSeconds(minutes));
    const waits = this.#ledger.times;
    const seconds = waits.answeredAt.map((at, index) => (at - (waits.sentAt[index] ?? at)) / 1e6);
    const judged = memory.filter((growth) => growth.minutes >= judgedMinutes);
    const violations = [
      ...debts.map((debt) => `missed key: ${debt}`),
      ...concurrent.map(
        ([a, b]) =>
          `${a.key} ran twice at once: process ${a.process} from ${a.from} to ${a.to}, process ${b.process} from ${b.from} to ${b.to}`,
      ),
      ...judged
        .filter(({ mebibytesPerMinute }) => mebibytesPerMinute >= mostGrowthMebibytesPerMinute)
        .map(({ pid, mebibytesPerMinute }) => `process ${pid} grew by ${mebibytesPerMinute.toFixed(2)} MiB per minute`),
    ];
    return {
      minutes,
      violations,
      missedKeys: debts.length,
      concurrentRuns: concurrent.length,
      memoryGrowth: { judged: judged.length > 0, processes: memory },
      recoveredAfterSeconds: recovered,
      runs: this.#runs.count,
      churn: this.#churn.done,
      faults: { ...this.#faults, ...this.#proxy.injected },
      replicaRestarts: this.#replicas.map(({ restarts }) => restarts),
      answeredRevisions: this.#ledger.answered,
      waitSeconds: { p50: percentile(seconds, 50), p99: percentile(seconds, 99), longest: this.#longestOpenSeconds },
      memorySamples: this.#memory.filter((_, index) => index % 5 === 0),
    };
  }
}

// So that child processes end with this one.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const { values } = parseArgs({ options: { minutes: { type: "string", default: "30" } } });
const minutes = Number(values.minutes);
if (!(minutes >= 1))
  throw new Error(`--minutes must be a number of at least 1, not "${values.minutes}"; usage: npm run soak -- [--minutes 30]`);
const loadBefore = loadavg();
await mkdir(out, { recursive: true });
await rm(join(out, "soak-missed.log"), { force: true });
const soak = await Soak.start();
progress.say(`${minutes} minutes of ${changesPerSecond} changes per second to ${objects} objects, two replicas, faults from a proxy`);
try {
  const result = await soak.run(minutes);
  const machine = { processor: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism(), loadBefore, loadAtTheEnd: loadavg() };
  await writeFile(join(out, "soak.json"), `${JSON.stringify({ at: new Date().toISOString(), machine, ...result }, null, 2)}\n`);
  const { memorySamples: _, ...said } = result;
  process.stdout.write(`${JSON.stringify(said, null, 2)}\nwritten: out/bench/soak.json\n`);
  if (result.violations.length > 0) process.exitCode = 1;
} finally {
  await soak.stop();
}
