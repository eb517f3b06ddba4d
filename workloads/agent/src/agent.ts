import { complete } from "@rune/clients/inference/inference";
import type { SessionLog } from "@rune/clients/nats/log";
import type { AgentJob, agentResult } from "@rune/crds/contracts/agent";
import { openLog } from "@rune/workloads-shared/log";
import { sandboxOf } from "@rune/workloads-shared/sandbox";
import type { z } from "zod";
import { work } from "./graph.ts";
import type { World } from "./world.ts";

/** How long past its deadline a session may still try to write its end to the log. */
const lastWords = 5 * 60_000;

/** One epoch of one session: reads its log, continues from its end, and returns how the session ended. */
export async function runAgent(job: AgentJob, signal: AbortSignal): Promise<z.infer<typeof agentResult>> {
  const log = await openLog(job, Date.parse(job.deadline) + lastWords, signal);
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
  const sandbox = await sandboxOf(job, signal);
  return {
    ...sandbox,
    job,
    append: async (record) => {
      written.lastSequence = await log.append(record);
    },
    ask: (question) => complete({ ...question, url: job.model.url, model: job.model.name, deadline: Date.parse(job.deadline), signal }),
    tryTests: () => sandbox.tryTests(job.task),
    now: () => new Date(),
    log: (line) => {
      if (line.level === "info" || job.logLevel === "debug") console.log(JSON.stringify({ time: new Date().toISOString(), ...line }));
    },
  };
}
