import { InferenceRefused } from "@rune/clients/inference/inference";
import { Fenced } from "@rune/clients/nats/log";
import { PodFailure, testsUnusable } from "@rune/clients/pod/pod";
import { defaultSampling, prefill, prompt } from "@rune/clients/prompts/prompt";
import { inFrontOf } from "@rune/clients/prompts/trajectory-text";
import { isolationFailure } from "@rune/clients/runner/isolation";
import { lostTwice, mostLosses } from "@rune/clients/runner/runner";
import { exit } from "@rune/crds/contracts/pod";
import type { ExecuteRequest } from "@rune/crds/contracts/runner";
import type { Execution } from "@rune/crds/contracts/session-log";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import { type Intent, inputDigest, lost } from "@rune/workloads-shared/log";
import { programsOf } from "@rune/workloads-shared/programs";
import { type Arm, activeArms, mayAsk, modelFor } from "./arms.ts";
import { forEachLimited, limiter } from "./concurrency.ts";
import { LogWriter } from "./log-writer.ts";
import type { Sample, Sampled } from "./progress.ts";
import type { Question, World } from "./world.ts";

/** Bytes of all samples of one record together: a NATS message holds 1 MiB. */
const recordBudget = 600 * 1024;
const longestError = (samples: number) => Math.min(1000, Math.floor(40_960 / samples));
/** Concurrent execution requests; a sandbox runs two and queues a few. */
const executionsAtOnce = 4;

/** Tasks that a failure lists by name. */
const mostNamed = 10;

type Run = (program: ExecuteRequest) => Promise<Execution>;
/** What is measured: a task, answered by an arm. */
type Item = { readonly arm: Arm; readonly task: HeldOutTask };

/**
 * Judges every task that this job's arms may send now and whose verdict isn't in its log yet, arm after arm. The
 * programs of a task are fixed in the log before the first of them runs, so that a program that crashes the sandbox is
 * judged again and never replaced by a luckier one. Tasks that were begun before come first and alone, each execution
 * announced: if the sandbox is lost then, the program that was running lost it.
 */
export async function measure(world: World, signal: AbortSignal): Promise<void> {
  const { job, tasks, ledger } = world;
  if (ledger.epoch > job.epoch) throw new Fenced(`epoch ${ledger.epoch} has written to the log; this evaluator is of epoch ${job.epoch}`);
  const left: Item[] = activeArms(job).flatMap((arm) =>
    tasks.filter((task) => !ledger.judged(arm.name, task.id) && mayAsk(job, arm, task)).map((task) => ({ arm, task })),
  );
  if (left.length === 0) return;
  const journal = new LogWriter(world);
  await prove(world, journal);
  // Tests that have judged a program of any arm are usable.
  const asked = new Set(left.map(({ task }) => task));
  await tryTests(
    world,
    [...asked].filter((task) => !job.arms.some(({ name }) => ledger.judged(name, task.id))),
  );
  const gate = limiter(executionsAtOnce);
  const judge = async ({ arm, task }: Item, sampled: Sampled, run: Run) => {
    const samples = await execute(world, task, sampled, run);
    await journal.write({ type: "judged", taskId: task.id, arm: arm.name, samples }, sampled.n);
  };
  const begun = new Map(left.map((item) => [item, ledger.sampled(item.arm.name, item.task.id)]));
  await forEachLimited(left, 1, async (item) => {
    const sampled = begun.get(item);
    if (!sampled) return;
    signal.throwIfAborted();
    inTime(world);
    await judge(item, sampled, (program) => executeAnnounced(world, journal, item, program));
  });
  await forEachLimited(left, job.concurrency, async (item) => {
    if (begun.get(item)) return;
    signal.throwIfAborted();
    inTime(world);
    await judge(item, await sample(world, journal, item), (program) => gate(() => world.execute(program)));
  });
}

async function prove(world: World, journal: LogWriter): Promise<void> {
  const { job, ledger } = world;
  if (ledger.provenEpoch >= job.epoch) return;
  const isolation = await world.prove();
  await journal.write({ type: "isolation", isolation });
  const failure = isolationFailure(isolation, job.epoch);
  if (failure) throw failure;
}

/**
 * Before any arm is measured: a task that no program could pass would count against every arm. Throws PodFailure that
 * names them.
 */
async function tryTests(world: World, tasks: readonly HeldOutTask[]): Promise<void> {
  const unusable: { id: string; why: string }[] = [];
  for (const task of tasks) {
    const why = await world.tryTests(task);
    if (why) unusable.push({ id: task.id, why });
  }
  const [first, ...others] = unusable;
  if (!first) return;
  const named = others.slice(0, mostNamed).map(({ id }) => id);
  const rest = others.length > mostNamed ? ` and ${others.length - mostNamed} more` : "";
  const more = others.length > 0 ? `; nor by those of ${named.join(", ")}${rest}` : "";
  throw testsUnusable(`${first.why}${more}`, ` of task ${first.id}`);
}

/** Samples a task's programs and fixes them in the log. */
async function sample(world: World, journal: LogWriter, item: Item): Promise<Sampled> {
  const { job, now } = world;
  const { arm, task } = item;
  const { text, trajectories: told } = world.contextFor(arm, task);
  const question: Question = {
    model: modelFor(arm, task.id),
    messages: inFrontOf(prompt(task), text),
    prefill: prefill(task),
    n: job.samples,
    sampling: { ...defaultSampling, ...job.sampling },
  };
  const n = await announce(world, journal, item, { digest: inputDigest(question), told });
  const asked = now().getTime();
  const answer = await world.ask(arm, { ...question, requestID: `${job.owner.uid}/${n}` }).catch((error: unknown) => {
    if (error instanceof InferenceRefused) error.message = `task ${task.id}: ${error.message}`;
    throw error;
  });
  const { programs, cutOff } = programsOf(task, answer, recordBudget);
  const usage = { ...answer.usage, cutOff, seconds: Math.max(0, now().getTime() - asked) / 1000 };
  await journal.write({ type: "generated", programs, ...usage }, n);
  return { n, programs, usage, told };
}

/** Appends the intent, unless this epoch's is already in the log; what an earlier epoch announced is lost. */
async function announce(
  world: World,
  journal: LogWriter,
  { arm, task }: Item,
  { digest, told }: { digest: string; told: number },
): Promise<number> {
  const { job, ledger } = world;
  const open = ledger.open(arm.name, task.id);
  if (open?.epoch === job.epoch && open.inputDigest === digest) return open.n;
  if (open) await lose(world, journal, open);
  const input = { arm: arm.name, taskId: task.id, ...(told > 0 && { told }) };
  return await journal.write({ type: "intent", effect: "generate", inputDigest: digest, round: 0, input });
}

async function lose({ job }: World, journal: LogWriter, intent: Intent): Promise<void> {
  await journal.write(lost(intent, job.epoch), intent.n);
}

/** Announces an execution and runs it, unless it was lost too often. */
async function executeAnnounced(world: World, journal: LogWriter, { arm, task }: Item, program: ExecuteRequest): Promise<Execution> {
  const { job, ledger } = world;
  const { id: _, epoch: __, ...trial } = program;
  const digest = inputDigest(trial);
  const open = ledger.open(arm.name, task.id);
  if (open && open.epoch < job.epoch) await lose(world, journal, open);
  if (ledger.losses(arm.name, task.id, digest) >= mostLosses) return lostTwice;
  await journal.write({ type: "intent", effect: "execute", inputDigest: digest, round: 0, input: { arm: arm.name, taskId: task.id } });
  return await world.execute(program);
}

/** Executes each distinct program once. */
async function execute(world: World, task: HeldOutTask, sampled: Sampled, run: Run): Promise<Sample[]> {
  const { job } = world;
  const { timeoutSeconds, memoryMiB } = job.sandbox;
  const answers = new Map<string, Execution>();
  for (const [k, program] of sampled.programs.entries()) {
    if (answers.has(program)) continue;
    const id = `${job.owner.uid}/${sampled.n}/${k}`;
    const trial = { id, epoch: job.epoch, entryPoint: task.entryPoint, program, tests: task.tests, timeoutSeconds, memoryMiB };
    const execution = await run(trial);
    if (execution.outcome === "TestsUnusable") throw testsUnusable(execution.error, ` of task ${task.id}`);
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
