import { canonicalJSON, sha256 } from "@rune/clients/registry/digest";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { mostTrajectories, type TrainingRun } from "@rune/crds/kinds/training-run";
import { isTerminal } from "kopf-ts";
import { Reason as Shared } from "../shared/reasons.ts";
import { sharedScope } from "../shared/scope.ts";
import { RunReason as Reason } from "./reasons.ts";
import { shortfallOf } from "./sufficiency.ts";
import type { Corpus, World } from "./world.ts";

/** State of a corpus: still growing, too small to learn from, or frozen. */
export type CorpusState =
  | { state: "Waiting"; reason: string; message: string }
  | { state: "Insufficient"; reason: string; message: string }
  | { state: "Sufficient"; corpus: Corpus };

/** What a run learns from, as far as it can be frozen now. */
export function corpusOf(world: Pick<World, "run" | "sessions" | "corpusArtifact" | "pairs">): CorpusState {
  const { artifact, artifacts } = world.run.spec.corpus ?? {};
  const state = artifacts ? corpusOfArtifacts(artifacts) : artifact ? corpusOfArtifact(world) : corpusOfSessions(world.run, world.sessions);
  if (state.state !== "Sufficient") return state;
  const corpus = world.run.spec.hypernetwork ? withPairs(state.corpus, world.pairs) : state.corpus;
  const shortfall = shortfallOf(world.run, corpus);
  return shortfall ? { state: "Insufficient", ...shortfall } : { state: "Sufficient", corpus };
}

/** Sessions become a corpus once none of them is running; then their trajectories are frozen by digest. */
function corpusOfSessions(run: TrainingRun, sessions: readonly AgentSession[]): CorpusState {
  const waiting = stillGrowing(run, sessions);
  if (waiting) return { state: "Waiting", ...waiting };
  const sealed = sessions.filter((session) => session.status?.trajectory);
  const solved = sealed.filter((session) => session.status?.outcome === "Solved");
  const least = run.spec.corpus?.minimumSessions ?? 1;
  if (solved.length < least) {
    return {
      state: "Insufficient",
      reason: Reason.CorpusTooSmall,
      message: `${solved.length} of ${sessions.length} sessions ended solved, spec.corpus.minimumSessions asks for ${least}; run more sessions, or lower it in a new run`,
    };
  }
  if (sealed.length > mostTrajectories)
    return {
      state: "Insufficient",
      reason: Reason.CorpusTooLarge,
      message: `${sealed.length} sessions match, and one run learns from at most ${mostTrajectories}; select fewer by spec.corpus.sessions in a new run`,
    };
  const scope = sharedScope(sealed.map((session) => session.spec.scope));
  const trajectories = sealed.flatMap((session) => (session.status?.trajectory ? [session.status.trajectory] : [])).sort(byDigest);
  const tasks = new Set(solved.map(identityOfTask)).size;
  return {
    state: "Sufficient",
    corpus: { digest: corpusDigest(trajectories), count: sealed.length, solved: solved.length, tasks, trajectories, scope },
  };
}

/** Why the sessions aren't a corpus yet, or null. */
function stillGrowing({ spec }: TrainingRun, sessions: readonly AgentSession[]): { reason: string; message: string } | null {
  const { sessionNames, minimumSessions = 1 } = spec.corpus ?? {};
  const missing = sessionNames?.filter((name) => !sessions.some((session) => session.metadata.name === name)) ?? [];
  if (missing.length > 0)
    return { reason: Shared.SessionMissing, message: `waits for the AgentSession ${list(missing)}, which doesn't exist` };
  const running = sessions.filter((session) => !isTerminal(session));
  if (running.length > 0)
    return {
      reason: Shared.SessionsRunning,
      message: `waits for ${running.length} of ${sessions.length} sessions that still run: ${list(running.map((s) => s.metadata.name))}`,
    };
  const pairs = spec.hypernetwork?.minimumPairs ?? 0;
  const [field, wanted] =
    pairs > minimumSessions ? ["spec.hypernetwork.minimumPairs", pairs] : ["spec.corpus.minimumSessions", minimumSessions];
  if (sessionNames || sessions.length >= wanted) return null;
  return { reason: Reason.CorpusTooSmall, message: `${sessions.length} sessions match, ${field} asks for at least ${wanted}` };
}

/** A corpus that is already in the registry is frozen by its digest, with the counts that its artifact states. */
function corpusOfArtifact({ run, corpusArtifact: found }: Pick<World, "run" | "corpusArtifact">): CorpusState {
  const artifact = run.spec.corpus?.artifact;
  if (!artifact || !found) return { state: "Waiting", reason: Shared.RegistryUnavailable, message: "the corpus hasn't been read yet" };
  if ("unavailable" in found)
    return { state: "Waiting", reason: Shared.RegistryUnavailable, message: `the corpus can't be read: ${found.unavailable}` };
  if ("missing" in found)
    return {
      state: "Insufficient",
      reason: Shared.ArtifactMissing,
      message: `${found.missing}; push it, or name another one in a new run`,
    };
  if ("wrong" in found)
    return { state: "Insufficient", reason: Reason.NotACorpus, message: `${found.wrong}; name a trajectory or a corpus in a new run` };
  const { solved } = found.counted;
  const least = run.spec.corpus?.minimumSessions ?? 1;
  if (solved !== undefined && solved < least)
    return {
      state: "Insufficient",
      reason: Reason.CorpusTooSmall,
      message: `${solved} sessions of the corpus ended solved, spec.corpus.minimumSessions asks for ${least}; name another artifact in a new run`,
    };
  return { state: "Sufficient", corpus: { digest: artifact.digest, ...found.counted, trajectories: [artifact] } };
}

/** The trainer, which opens the artifacts, counts what several of them contain. */
function corpusOfArtifacts(artifacts: readonly ArtifactReference[]): CorpusState {
  const trajectories = artifacts.toSorted(byDigest);
  return { state: "Sufficient", corpus: { digest: corpusDigest(trajectories), trajectories } };
}

/** Adds to each trajectory the adapter that was fine-tuned from it alone, if there is one. */
function withPairs(corpus: Corpus, pairs: World["pairs"]): Corpus {
  const trajectories = corpus.trajectories.map((trajectory) => {
    const adapter = pairs.get(trajectory.digest);
    return adapter ? { ...trajectory, adapter } : trajectory;
  });
  return { ...corpus, trajectories };
}

/** SHA-256 over the sorted trajectory digests. */
export function corpusDigest(trajectories: readonly ArtifactReference[]): string {
  return sha256(canonicalJSON(trajectories.map((trajectory) => trajectory.digest).sort()));
}

/** Tasks with the same description and tests are one task, whatever their names. */
function identityOfTask({ spec: { task } }: AgentSession): string {
  const plain = (text: string) => text.split(/\s+/).filter(Boolean).join(" ");
  return JSON.stringify([plain(task.description), plain(task.tests)]);
}

const byDigest = (a: ArtifactReference, b: ArtifactReference) => (a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0);
const list = (names: readonly string[]) => names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
