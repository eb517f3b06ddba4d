import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { InferenceUnavailable } from "@rune/clients/inference/inference";
import { Fenced } from "@rune/clients/nats/log";
import type { AgentJob } from "@rune/crds/contracts/agent";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import { fold, type Outcome, type Session, solved } from "./session.ts";
import { execute, generate, judged, prove, reflect, save } from "./steps.ts";
import type { World } from "./world.ts";

type Step = (world: World, session: Session) => Promise<Session>;
const steps = { generate, execute, reflect, save } satisfies Record<string, Step>;
type StepName = keyof typeof steps;
const exits: (StepName | typeof END)[] = ["generate", "execute", "reflect", "save", END];

const State = Annotation.Root({
  session: Annotation<Session>,
  /** Whether the model server didn't respond before the deadline. */
  overdue: Annotation<boolean>,
});

/** The session's next step. Because it depends on the folded log alone, a restart is the same as continuing. */
export function route(session: Session, job: Pick<AgentJob, "attempts" | "deadline">, now: Date): StepName | typeof END {
  if (session.outcome) return END;
  const between = !session.sampled;
  if (between && (solved(session) || session.round >= job.attempts)) return "save";
  if (now >= new Date(job.deadline)) return "save";
  if (between) return "generate";
  return session.waiting.length > 0 ? "execute" : "reflect";
}

/** Works on a session from the end of its log until the session's end. */
export async function work(world: World, records: readonly LogRecord[], signal: AbortSignal): Promise<Outcome> {
  const { job } = world;
  let session = judged(fold(records));
  if (session.epoch > job.epoch) throw new Fenced(`epoch ${session.epoch} has written to the log; this agent is of epoch ${job.epoch}`);
  const first = route(session, job, world.now());
  if (first !== END && first !== "save" && session.provenEpoch < job.epoch) session = await prove(world, session);
  const recursionLimit = job.attempts * (job.candidates + 2) + 10;
  const end = await graph(world, signal).invoke({ session, overdue: false }, { recursionLimit });
  if (!end.session.outcome) throw new Error("the graph ended before the session did");
  return end.session.outcome;
}

function graph(world: World, signal: AbortSignal) {
  const node = (name: StepName) => async (state: typeof State.State) => {
    signal.throwIfAborted();
    try {
      return { session: await steps[name](world, state.session) };
    } catch (error) {
      if (error instanceof InferenceUnavailable) return { overdue: true };
      throw error;
    }
  };
  const onward = ({ session, overdue }: typeof State.State) =>
    route(session, world.job, overdue ? new Date(world.job.deadline) : world.now());
  return new StateGraph(State)
    .addNode("generate", node("generate"))
    .addNode("execute", node("execute"))
    .addNode("reflect", node("reflect"))
    .addNode("save", node("save"))
    .addConditionalEdges(START, onward, exits)
    .addConditionalEdges("generate", onward, exits)
    .addConditionalEdges("execute", onward, exits)
    .addConditionalEdges("reflect", onward, exits)
    .addConditionalEdges("save", onward, exits)
    .compile();
}
