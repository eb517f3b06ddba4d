import { readFile } from "node:fs/promises";
import { systemClock } from "@rune/clients/clock";
import { complete } from "@rune/clients/inference/inference";
import { connectLog, type SessionLog } from "@rune/clients/nats/log";
import { proveIsolation } from "@rune/clients/runner/isolation";
import { Runner } from "@rune/clients/runner/runner";
import type { AgentJob, agentResult } from "@rune/crds/contracts/agent";
import type { z } from "zod";
import { work } from "./graph.ts";
import type { World } from "./world.ts";

/** How long past its deadline a session may still try to write its end to the log. */
const lastWords = 5 * 60_000;

/** One epoch of one session: reads its log, continues from its end, and returns how the session ended. */
export async function runAgent(job: AgentJob, signal: AbortSignal): Promise<z.infer<typeof agentResult>> {
  const deadline = Date.parse(job.deadline);
  const { url, credentialsFile, stream, subject } = job.nats;
  const credentials = await readFile(credentialsFile, "utf8");
  const log = await connectLog({ url, credentials, stream, subject, uid: job.owner.uid, signal, deadline: deadline + lastWords });
  try {
    const { records, lastSequence } = await log.read();
    const written = { lastSequence };
    const outcome = await work(await worldOf(job, log, written, signal), records, signal);
    return { outcome, lastSequence: written.lastSequence };
  } finally {
    await log.close();
  }
}

async function worldOf(job: AgentJob, log: SessionLog, written: { lastSequence: number }, signal: AbortSignal): Promise<World> {
  const token = (await readFile(job.sandbox.tokenFile, "utf8")).trim();
  const runner = new Runner({ url: job.sandbox.url, token, signal });
  return {
    job,
    append: async (record) => {
      written.lastSequence = await log.append(record);
    },
    ask: (question) => complete({ ...question, url: job.model.url, model: job.model.name, deadline: Date.parse(job.deadline), signal }),
    execute: async (program) => (await runner.execute(program)).execution,
    tryTests: () => runner.tryTests({ entryPoint: job.task.entryPoint, tests: job.task.tests }),
    prove: () =>
      proveIsolation({
        targets: job.sandbox.probeTargets,
        probe: (targets) => runner.probe(job.epoch, targets),
        clock: systemClock,
        signal,
      }),
    now: () => new Date(),
    tell: (line) => {
      if (line.level === "info" || job.logLevel === "debug") console.log(JSON.stringify({ time: new Date().toISOString(), ...line }));
    },
  };
}
