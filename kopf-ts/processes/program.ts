/**
 * One replica of an operator that uses a little of everything, and reports on its standard output what begins and ends
 * and when, in microseconds of the machine's monotonic clock, in one stream with its log. Configured by its
 * environment.
 */
import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Client, jsonLogger, Operator, staticCredentials, unchanged } from "../src/index.ts";
import { widgets } from "./widgets.ts";

const {
  KOPF_SERVER: server = "",
  KOPF_NAMESPACE: namespace = "",
  KOPF_WORK: work = "200",
  KOPF_GRACE: grace = "10",
  KOPF_STUBBORN: stubborn,
  KOPF_HASTE: haste,
} = process.env;
const say = (line: object) =>
  writeSync(1, `${JSON.stringify({ pid: process.pid, at: Number(process.hrtime.bigint() / 1000n), ...line })}\n`);
process.once("SIGTERM", () => say({ what: "SIGTERM" }));

/**
 * Begins, takes its time, and ends, unless its signal aborts first. A stubborn one ignores its signal and never ends.
 */
async function run(id: string, signal?: AbortSignal): Promise<void> {
  say({ what: "begin", id });
  if (stubborn) return await new Promise((resolve) => setTimeout(resolve, 600_000));
  await pause(Number(work), undefined, { signal }).catch(() => undefined);
  say({ what: signal?.aborted ? "aborted" : "end", id });
}

const operator = new Operator({
  client: Client.fromCredentials(staticCredentials(server)),
  namespaces: [namespace],
  logger: jsonLogger({ write: (line) => writeSync(1, line) }),
  leaderElection: {
    name: "operator",
    namespace,
    identity: `replica-${process.pid}`,
    leaseDurationSeconds: 6,
    renewDeadlineSeconds: 5,
    retryPeriodSeconds: 0.5,
  },
  gracePeriodSeconds: Number(grace),
  maxConcurrentReconciles: 2,
  health: { port: 0, host: "127.0.0.1" },
});
operator.on.create(widgets, { id: "first" }, ({ name, signal }) => run(`first ${name}`, signal));
operator.on.create(widgets, { id: "second" }, ({ name, signal }) => run(`second ${name}`, signal));
operator.on.delete(widgets, { id: "leave" }, ({ name, signal }) => run(`leave ${name}`, signal));
operator.timer(widgets, { id: "tick", interval: 0.2 }, ({ name, signal }) => run(`tick ${name}`, signal));
operator.daemon(widgets, { id: "guard", backoff: 0.1 }, async ({ name, signal }) => {
  await run(`guard ${name}`, signal);
  throw new Error("a daemon that is called again and again");
});
operator.on.event(widgets, ({ name, type, signal }) => run(`event ${type} ${name}`, signal));
operator.define((manager) => {
  const controller = manager
    .controller("reconciler")
    .for(widgets)
    .complete(async ({ metadata }, ctx) => {
      if (haste) controller.enqueue(metadata);
      else await run(`reconcile ${metadata.name}`, ctx.signal);
      return haste ? unchanged() : unchanged().effect("effect", (signal) => run(`effect ${metadata.name}`, signal));
    });
});
await operator.start();
say({ what: "started", port: operator.manager.healthPort });
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
stop.signal.addEventListener("abort", () => void operator.stop());
await operator.manager.done;
say({ what: "stopped" });
