import { canonicalJSON, sha256 } from "@rune/clients/digest";
import { InferenceRefused } from "@rune/clients/inference";
import { isolationFailure } from "@rune/clients/isolation";
import { Fenced } from "@rune/clients/log";
import { PodFailure } from "@rune/clients/pod";
import { defaultSampling, prefill, programOf, prompt } from "@rune/clients/prompt";
import type { Execution, HeldOutTask } from "@rune/crds/artifact";
import { exit } from "@rune/crds/job-spec";
import { eachOf, turnstile } from "./crew.ts";
import { Journal } from "./journal.ts";
import type { Sample, Sampled } from "./ledger.ts";
import type { Question, World } from "./world.ts";

/** Bytes of all samples of one record together: a NATS message holds 1 MiB. */
const recordBudget = 600 * 1024;
const longestProgram = (samples: number) => Math.min(65_536, Math.floor(recordBudget / samples));
const longestError = (samples: number) => Math.min(1000, Math.floor(40_960 / samples));
/** Executions that are asked for at once; a sandbox runs two and lets a few wait. */
const executionsAtOnce = 4;

/**
 * Judges every task of this job's arm that its log doesn't hold yet. The programs of a task are fixed in the log before the first of them
 * runs, so that a program that takes the sandbox down with it is judged again and never replaced by a luckier one.
 */
export async function measure(world: World, signal: AbortSignal): Promise<void> {
  const { job, tasks, ledger } = world;
  if (ledger.epoch > job.epoch) throw new Fenced(`epoch ${ledger.epoch} has written to the log; this evaluator is of epoch ${job.epoch}`);
  const left = tasks.filter((task) => !ledger.judged(job.arm, task.id));
  if (left.length === 0) return;
  const journal = new Journal(world);
  await prove(world, journal);
  const gate = turnstile(executionsAtOnce);
  await eachOf(left, job.concurrency, async (task) => {
    signal.throwIfAborted();
    inTime(world);
    const sampled = ledger.sampled(job.arm, task.id) ?? (await sample(world, journal, task));
    const samples = await execute(world, task, sampled, gate);
    await journal.write({ type: "judged", taskId: task.id, arm: job.arm, samples }, sampled.n);
  });
}

async function prove(world: World, journal: Journal): Promise<void> {
  const { job, ledger } = world;
  if (ledger.provenEpoch >= job.epoch) return;
  const isolation = await world.prove();
  await journal.write({ type: "isolation", isolation });
  const failure = isolationFailure(isolation, job.epoch);
  if (failure) throw failure;
}

/** Samples a task's programs and fixes them in the log. */
async function sample(world: World, journal: Journal, task: HeldOutTask): Promise<Sampled> {
  const { job } = world;
  const question: Question = {
    messages: prompt(task),
    prefill: prefill(task),
    n: job.samples,
    sampling: { ...defaultSampling, ...job.sampling },
  };
  const n = await announce(world, journal, task, sha256(canonicalJSON(question)));
  const answer = await world.ask({ ...question, requestID: `${job.owner.uid}/${n}` }).catch((error: unknown) => {
    if (error instanceof InferenceRefused) error.message = `task ${task.id}: ${error.message}`;
    throw error;
  });
  const programs = answer.texts.map((text) => programOf(task, text, longestProgram(job.samples)));
  await journal.write({ type: "generated", programs, ...answer.usage }, n);
  return { n, programs };
}

/** Appends the intent, unless this epoch's stands there already; what an earlier epoch announced is lost. */
async function announce({ job, ledger }: World, journal: Journal, task: HeldOutTask, inputDigest: string): Promise<number> {
  const open = ledger.open(job.arm, task.id);
  if (open?.epoch === job.epoch && open.inputDigest === inputDigest) return open.n;
  if (open)
    await journal.write(
      { type: "lost", message: `epoch ${open.epoch} left no result of step ${open.n}; epoch ${job.epoch} repeats it` },
      open.n,
    );
  return await journal.write({ type: "intent", effect: "generate", inputDigest, round: 0, input: { arm: job.arm, taskId: task.id } });
}

/** Executes each distinct program once. */
async function execute(world: World, task: HeldOutTask, sampled: Sampled, gate: ReturnType<typeof turnstile>): Promise<Sample[]> {
  const { job } = world;
  const { timeoutSeconds, memoryMiB } = job.sandbox;
  const answers = new Map<string, Execution>();
  for (const [k, program] of sampled.programs.entries()) {
    if (answers.has(program)) continue;
    const id = `${job.owner.uid}/${sampled.n}/${k}`;
    const trial = { id, epoch: job.epoch, entryPoint: task.entryPoint, program, tests: task.tests, timeoutSeconds, memoryMiB };
    const execution = await gate(() => world.execute(trial));
    answers.set(program, { ...execution, error: execution.error.slice(0, longestError(sampled.programs.length)).toWellFormed() });
  }
  return sampled.programs.flatMap((program) => {
    const execution = answers.get(program);
    return execution ? [{ program, execution }] : [];
  });
}

function inTime({ job, now }: World): void {
  if (now() < new Date(job.deadline)) return;
  throw new PodFailure(
    exit.unavailable,
    "DeadlineExceeded",
    `the evaluation's time was over at ${job.deadline}; what was judged stays in its log`,
  );
}
