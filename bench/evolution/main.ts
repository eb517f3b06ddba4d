import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { progress } from "@rune/cluster/progress";
import { settings } from "@rune/cluster/settings";
import { isTerminal } from "kopf-ts";
import { asInImage } from "../as-in-image.ts";
import { ApiServer, operatorUser } from "../operator/api-server.ts";
import { type Requests, requestsIn, totalOf } from "../operator/audit.ts";
import { cores, moveSelf } from "../operator/cores.ts";
import { Api } from "../operator/http.ts";
import { OperatorProcess } from "../operator/operator-process.ts";
import { createNamespace } from "../operator/widgets.ts";
import { installKinds } from "../simulated-objects.ts";
import { answer, createGeneration, generationNow, namespace, populate, type Size } from "./world.ts";

/**
 * `npm run bench:evolution`: what one generation costs the API server and the operator, beside few and many other
 * objects. API server and controller are real; trainers, evaluators and the registry are simulated, and respond at
 * once.
 */
const quick = process.argv.includes("--quick");
/** `maximum`: most members of the generation, of the adapters that carry its labels. */
type Case = Size & { readonly maximum: number };
/** The first two differ only by the other objects, the first and the last only by the members. */
const cases: readonly Case[] = quick
  ? [
      { adapters: 40, members: 20, sessions: 20, maximum: 16 },
      { adapters: 200, members: 20, sessions: 500, maximum: 16 },
      { adapters: 40, members: 20, sessions: 20, maximum: 8 },
    ]
  : [
      { adapters: 200, members: 200, sessions: 100, maximum: 64 },
      { adapters: 2000, members: 200, sessions: 10_000, maximum: 64 },
      { adapters: 200, members: 200, sessions: 100, maximum: 16 },
    ];
const longestMinutes = 10;

interface Row extends Case {
  syncSeconds: number;
  idleMebibytes: number;
  peakMebibytes: number;
  passes: number;
  seconds: number;
  cpuSeconds: number;
  requests: Requests;
  writes: number;
  promoted: string;
  generationBytes: number;
}

async function measure(size: Case): Promise<Row> {
  const server = await ApiServer.start(cores.others);
  const api = new Api(server.kubeconfigs.load);
  try {
    await createNamespace(api, namespace);
    await installKinds(api);
    await progress.step(`${size.adapters} adapters and ${size.sessions} ended sessions`, () => populate(api, size));
    const operator = new OperatorProcess({ command, kubeconfig: server.kubeconfigs.operator, mode: "status", namespace, workers: 4 });
    try {
      const synced = await operator.synced();
      await sleep(4000);
      const [idle, passesBefore, position] = [operator.usage(), await operator.passes(), await server.auditPosition()];
      const from = performance.now();
      await createGeneration(api, size.maximum);
      const generation = await progress.step("a generation", () => untilOver(api));
      const seconds = (performance.now() - from) / 1000;
      const passes = (await operator.passes()) - passesBefore;
      const after = operator.usage();
      const requests = requestsIn(await server.auditSince(position), operatorUser);
      const reads = ["get", "list", "watch"].reduce((sum, verb) => sum + (requests[verb] ?? 0), 0);
      return {
        ...size,
        syncSeconds: synced / 1e6,
        idleMebibytes: idle.rssMebibytes,
        peakMebibytes: after.peakMebibytes,
        passes,
        seconds,
        cpuSeconds: (after.cpuMilliseconds - idle.cpuMilliseconds) / 1000,
        requests,
        writes: totalOf(requests) - reads,
        promoted: generation.status?.promotion?.outcome ?? "",
        generationBytes: JSON.stringify(generation).length,
      };
    } finally {
      await operator.stop();
    }
  } finally {
    api.close();
    await server.stop();
  }
}

async function untilOver(api: Api) {
  const end = Date.now() + longestMinutes * 60_000;
  for (;;) {
    const generation = await generationNow(api);
    if (isTerminal(generation)) return generation;
    if (Date.now() > end)
      throw new Error(`the generation hasn't ended after ${longestMinutes} minutes: ${JSON.stringify(generation.status?.conditions)}`);
    await answer(api, generation);
    await sleep(100);
  }
}

function table(rows: readonly Row[]): string {
  const head = [
    "adapters",
    "sessions",
    "members",
    "synced s",
    "idle MiB",
    "peak MiB",
    "passes",
    "passes/s",
    "CPU ms per pass",
    "requests",
    "writes",
    "seconds",
    "status KiB",
  ];
  const cells = rows.map((row) => [
    String(row.adapters),
    String(row.sessions),
    String(row.maximum),
    row.syncSeconds.toFixed(1),
    row.idleMebibytes.toFixed(0),
    row.peakMebibytes.toFixed(0),
    String(row.passes),
    (row.passes / row.seconds).toFixed(1),
    ((1000 * row.cpuSeconds) / row.passes).toFixed(1),
    String(totalOf(row.requests)),
    String(row.writes),
    row.seconds.toFixed(0),
    (row.generationBytes / 1024).toFixed(0),
  ]);
  return [head, ...cells].map((line) => line.map((cell, index) => cell.padStart(head[index]?.length ?? 0)).join("  ")).join("\n");
}

await moveSelf(cores.others);
const command = await asInImage("bench/evolution/operator.ts");
const rows: Row[] = [];
for (const size of cases) rows.push(await measure(size));
await mkdir(join(settings.out, "bench"), { recursive: true });
await writeFile(join(settings.out, "bench/evolution.json"), `${JSON.stringify({ quick, rows }, null, 2)}\n`);
console.log(`\n${table(rows)}\n\nwritten: out/bench/evolution.json`);
