import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { progress } from "@rune/cluster/progress";
import { settings } from "@rune/cluster/settings";
import { asInImage } from "../as-in-image.ts";
import { ApiServer, operatorUser } from "../operator/api-server.ts";
import { type Requests, requestsIn, totalOf } from "../operator/audit.ts";
import { cores, moveSelf } from "../operator/cores.ts";
import { Api } from "../operator/http.ts";
import { OperatorProcess } from "../operator/operator-process.ts";
import { createNamespace } from "../operator/widgets.ts";
import { installKinds } from "../simulated-objects.ts";
import { type Census, census, createSessions, namespace, playKubelet, populate } from "./world.ts";

/**
 * `npm run bench:sessions`: what sessions cost the operator while they arrive, while they wait for a place, and one after the other until all
 * have ended, beside few and many that ended long ago. API server and controller are real; kubelet, agents, NATS and registry are played,
 * and an agent has solved its task as soon as it exists.
 */
interface Size {
  readonly sessions: number;
  readonly finished: number;
}
const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, sessions: { type: "string" } },
});
const { quick } = options;
const form: readonly Size[] = quick
  ? [
      { sessions: 100, finished: 0 },
      { sessions: 200, finished: 0 },
      { sessions: 200, finished: 1000 },
    ]
  : [
      { sessions: 1, finished: 0 },
      { sessions: 100, finished: 0 },
      { sessions: 1000, finished: 0 },
      { sessions: 1000, finished: 10_000 },
      { sessions: 10_000, finished: 0 },
    ];
const sizes = form.filter(({ sessions }) => options.sessions === undefined || String(sessions) === options.sessions);
if (sizes.length === 0) {
  const accepted = [...new Set(form.map(({ sessions }) => sessions))].join(", ");
  throw new Error(`--sessions accepts ${accepted}, not ${options.sessions}`);
}
/** Sessions that the server decodes for at once. */
const places = 16;
/** How long the waiting ones are watched. */
const waitingSeconds = 20;
const longestMinutes = 60;

interface Row extends Size {
  arrivalSeconds: number;
  arrivalLagMilliseconds: number;
  waitingCores: number;
  waitingRequestsPerSecond: number;
  sessionsPerSecond: number;
  cpuMillisecondsPerSession: number;
  passesPerSession: number;
  requestsPerSession: number;
  requests: Requests;
  lagMilliseconds: number;
  idleMebibytes: number;
  peakMebibytes: number;
  statusBytes: number;
}

async function measure(size: Size): Promise<Row> {
  const server = await ApiServer.start(cores.others);
  const api = new Api(server.kubeconfigs.load);
  const played = new AbortController();
  try {
    await createNamespace(api, namespace);
    await createNamespace(api, "rune-system");
    await installKinds(api);
    await progress.step(`${size.finished} sessions that have ended`, () => populate(api, { places, finished: size.finished }));
    const operator = new OperatorProcess({ command, kubeconfig: server.kubeconfigs.operator, mode: "status", namespace, workers: 8 });
    const kubelet = playKubelet(api, played.signal);
    try {
      await operator.synced();
      await sleep(3000);
      const before = { usage: operator.usage(), passes: await operator.passes(), position: await server.auditPosition() };
      await operator.lagMilliseconds();
      const from = performance.now();
      await progress.step(`${size.sessions} sessions arrive`, async () => {
        await createSessions(api, size.sessions);
        await until(api, ({ working, waiting }) => working + waiting === size.sessions);
      });
      const arrivalSeconds = (performance.now() - from) / 1000;
      const arrivalLagMilliseconds = await operator.lagMilliseconds();
      const waiting = await whileWaiting(server, operator);
      const begun = performance.now();
      operator.release();
      const { statusBytes } = await progress.step("the sessions run, one after the other", () =>
        until(api, ({ succeeded, failed }) => {
          if (failed > 0) throw new Error(`${failed} sessions have failed`);
          return succeeded === size.sessions;
        }),
      );
      const seconds = (performance.now() - begun) / 1000;
      const after = operator.usage();
      const lagMilliseconds = await operator.lagMilliseconds();
      const requests = requestsIn(await server.auditSince(before.position), operatorUser);
      return {
        ...size,
        arrivalSeconds,
        arrivalLagMilliseconds,
        ...waiting,
        sessionsPerSecond: size.sessions / seconds,
        cpuMillisecondsPerSession: (after.cpuMilliseconds - before.usage.cpuMilliseconds) / size.sessions,
        passesPerSession: ((await operator.passes()) - before.passes) / size.sessions,
        requestsPerSession: totalOf(requests) / size.sessions,
        requests,
        lagMilliseconds,
        idleMebibytes: before.usage.rssMebibytes,
        peakMebibytes: after.peakMebibytes,
        statusBytes,
      };
    } finally {
      await operator.stop();
      played.abort();
      await kubelet;
    }
  } finally {
    api.close();
    await server.stop();
  }
}

/** What the operator does while nothing changes: all places are taken, the others wait. */
async function whileWaiting(server: ApiServer, operator: OperatorProcess): Promise<Pick<Row, "waitingCores" | "waitingRequestsPerSecond">> {
  await sleep(2000);
  const [before, position] = [operator.usage(), await server.auditPosition()];
  await sleep(1000 * waitingSeconds);
  const requests = totalOf(requestsIn(await server.auditSince(position), operatorUser));
  return {
    waitingCores: (operator.usage().cpuMilliseconds - before.cpuMilliseconds) / (1000 * waitingSeconds),
    waitingRequestsPerSecond: requests / waitingSeconds,
  };
}

async function until(api: Api, isSo: (counts: Census) => boolean): Promise<Census> {
  const end = Date.now() + longestMinutes * 60_000;
  for (;;) {
    const from = performance.now();
    const counts = await census(api);
    if (isSo(counts)) return counts;
    if (Date.now() > end) throw new Error(`not finished after ${longestMinutes} minutes: ${JSON.stringify(counts)}`);
    // Counting reads all objects; it mustn't be what the server is busy with.
    await sleep(Math.max(250, 10 * (performance.now() - from)));
  }
}

const columns: readonly (readonly [string, (row: Row) => string])[] = [
  ["sessions", ({ sessions }) => String(sessions)],
  ["ended before", ({ finished }) => String(finished)],
  ["arrive s", (row) => row.arrivalSeconds.toFixed(1)],
  ["lag p99.9 ms", (row) => row.arrivalLagMilliseconds.toFixed(0)],
  ["waiting cores", (row) => row.waitingCores.toFixed(3)],
  ["waiting requests/s", (row) => row.waitingRequestsPerSecond.toFixed(2)],
  ["sessions/s", (row) => row.sessionsPerSecond.toFixed(1)],
  ["CPU ms per session", (row) => row.cpuMillisecondsPerSession.toFixed(0)],
  ["passes", (row) => row.passesPerSession.toFixed(1)],
  ["requests", (row) => row.requestsPerSession.toFixed(1)],
  ["lag p99.9 ms", (row) => row.lagMilliseconds.toFixed(0)],
  ["idle MiB", (row) => row.idleMebibytes.toFixed(0)],
  ["peak MiB", (row) => row.peakMebibytes.toFixed(0)],
  ["status bytes", (row) => String(row.statusBytes)],
];

function table(rows: readonly Row[]): string {
  const lines = [columns.map(([head]) => head), ...rows.map((row) => columns.map(([, cell]) => cell(row)))];
  return lines.map((line) => line.map((cell, index) => cell.padStart(columns[index]?.[0].length ?? 0)).join("  ")).join("\n");
}

await moveSelf(cores.others);
const command = await asInImage("bench/sessions/operator.ts");
const rows: Row[] = [];
await mkdir(join(settings.out, "bench"), { recursive: true });
for (const size of sizes) {
  rows.push(await measure(size));
  await writeFile(join(settings.out, "bench/sessions.json"), `${JSON.stringify({ quick, places, rows }, null, 2)}\n`);
}
console.log(`\n${table(rows)}\n\nwritten: out/bench/sessions.json`);
