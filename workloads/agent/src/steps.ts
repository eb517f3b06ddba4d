import { testsUnusable } from "@rune/clients/pod/pod";
import { conversation, defaultSampling, prefill, prompt } from "@rune/clients/prompts/prompt";
import { sha256 } from "@rune/clients/registry/digest";
import { isolationFailure } from "@rune/clients/runner/isolation";
import { lostTwice, mostLosses } from "@rune/clients/runner/runner";
import type { AgentJob } from "@rune/crds/contracts/agent";
import { type Intent, inputDigest, lost } from "@rune/workloads-shared/log";
import { programsOf } from "@rune/workloads-shared/programs";
import { distil } from "./notes.ts";
import { BrokenLog, type Outcome, type Session, solved } from "./session.ts";
import { type Question, type World, write } from "./world.ts";

/** Bytes of all programs of one record together: a NATS message holds 1 MiB. */
const recordBudget = 768 * 1024;
const longestError = 4000;

/**
 * First step: without a proof for this epoch's sandbox nothing is executed, and without tests that can judge a program
 * no program is requested. Throws PodFailure.
 */
export async function prove(world: World, before: Session): Promise<Session> {
  const isolation = await world.prove();
  const session = await write(world, before, { type: "isolation", isolation });
  const failure = isolationFailure(isolation, world.job.epoch);
  if (failure) throw failure;
  const why = await world.tryTests();
  if (why) throw testsUnusable(why);
  return session;
}

/** Samples the round's programs. An engine stores no answers: after a lost answer the same intent is sent again. */
export async function generate(world: World, before: Session): Promise<Session> {
  const { job } = world;
  const question = questionOf(job, before);
  const input = {
    candidates: job.candidates,
    model: job.model.name,
    notes: question.messages.length === 2 ? before.notes : [],
    failures: failuresOf(before).length,
  };
  const session = await announce(world, before, { effect: "generate", inputDigest: inputDigest(question), input });
  world.log({ level: "debug", message: "the prompt", n: session.open?.n, messages: question.messages, prefill: question.prefill });
  const answer = await world.ask({ ...question, requestID: `${job.owner.uid}/${session.open?.n}` });
  const programs = programsOf(job.task, answer, recordBudget);
  return await write(world, session, { type: "generated", ...programs, ...answer.usage }, session.open?.n);
}

/**
 * Executes the next waiting program. An intent of this epoch is sent again under the same id: the sandbox stores its
 * results. A program whose run lost the sandbox twice gets its verdict without a third run.
 */
export async function execute(world: World, before: Session): Promise<Session> {
  const { job } = world;
  const program = before.waiting[0];
  if (program === undefined) throw new BrokenLog("no program is waiting to be executed");
  const { timeoutSeconds, memoryMiB } = job.sandbox;
  const trial = { entryPoint: job.task.entryPoint, program, tests: job.task.tests, timeoutSeconds, memoryMiB };
  const input = { program: sha256(program) };
  const session = await announce(world, before, { effect: "execute", inputDigest: inputDigest(trial), input });
  const n = session.open?.n ?? 0;
  const answer = session.losses < mostLosses ? await world.execute({ id: `${job.owner.uid}/${n}`, epoch: job.epoch, ...trial }) : lostTwice;
  const execution = { ...answer, error: answer.error.slice(0, longestError).toWellFormed() };
  return judged(await write(world, session, { type: "executed", program, execution }, n));
}

/** The same session, unless its newest verdict means that no further program can be judged. Throws PodFailure. */
export function judged(session: Session): Session {
  const newest = session.attempts.at(-1)?.execution;
  if (newest?.outcome === "TestsUnusable") throw testsUnusable(newest.error);
  return session;
}

/** Ends the round, and adds what its errors taught. */
export async function reflect(world: World, session: Session): Promise<Session> {
  const ofRound = session.attempts.filter((attempt) => attempt.round === session.round);
  const notes = world.job.reflection === "Notes" ? distil(session.notes, ofRound) : [];
  return await write(world, session, { type: "reflected", round: session.round, notes });
}

/** Ends the session. */
export async function save(world: World, session: Session): Promise<Session> {
  const outcome = outcomeOf(session, world.job);
  return await write(world, session, { type: "ended", outcome, message: sentence(outcome, session) });
}

function questionOf(job: AgentJob, session: Session): Omit<Question, "requestID"> {
  const sampling = { ...defaultSampling, ...job.sampling };
  const messages =
    job.reflection === "History"
      ? conversation(job.task, failuresOf(session), job.model.maxModelLength - sampling.maxTokens)
      : prompt(job.task, session.notes);
  return { messages, prefill: prefill(job.task), n: job.candidates, sampling };
}

function failuresOf(session: Session) {
  return session.attempts
    .filter(({ execution }) => !execution.passed)
    .map(({ program, execution }) => ({ program, error: execution.error }));
}

/**
 * Appends the intent, unless it is already there. What an earlier epoch announced was lost with its sandbox: it is
 * recorded as `lost`, and announced again under another number.
 */
async function announce(world: World, before: Session, effect: Pick<Intent, "effect" | "inputDigest" | "input">): Promise<Session> {
  let session = before;
  if (session.open) {
    if (session.open.epoch === world.job.epoch && session.open.inputDigest === effect.inputDigest) return session;
    session = await write(world, session, lost(session.open, world.job.epoch), session.open.n);
  }
  return await write(world, session, { type: "intent", round: session.round, ...effect });
}

function outcomeOf(session: Session, job: AgentJob): Outcome {
  if (solved(session)) return "Solved";
  return session.round >= job.attempts ? "Exhausted" : "DeadlineExceeded";
}

function sentence(outcome: Outcome, session: Session): string {
  const passed = session.attempts.filter((attempt) => attempt.execution.passed).length;
  return `${outcome}: ${passed} of ${session.attempts.length} programs passed in ${session.round} ${session.round === 1 ? "round" : "rounds"}`;
}
