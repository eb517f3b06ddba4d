import { canonicalJSON, sha256 } from "@rune/clients/digest";
import type { AgentSession } from "@rune/crds/agent-session";
import type { ArtifactReference } from "@rune/crds/common";
import { mostTrajectories, type TrainingRun } from "@rune/crds/training-run";
import { isTerminal } from "kopf-ts";
import { sharedScope } from "../scope.ts";
import { RunReason as Reason } from "./reasons.ts";

export type Corpus = NonNullable<NonNullable<TrainingRun["status"]>["corpus"]>;

/** What a corpus is: still growing, not enough to learn from, or frozen. */
export type CorpusState =
  | { state: "Waiting"; reason: string; message: string }
  | { state: "Insufficient"; reason: string; message: string }
  | { state: "Sufficient"; corpus: Corpus };

/** Sessions become a corpus once none of them is still running; then their trajectories are frozen by digest. */
export function corpusOf(run: TrainingRun, sessions: readonly AgentSession[]): CorpusState {
  const wanted = run.spec.corpus.sessionNames?.length ?? run.spec.corpus.minimumSessions;
  const missing = run.spec.corpus.sessionNames?.filter((name) => !sessions.some((session) => session.metadata.name === name)) ?? [];
  if (missing.length > 0)
    return { state: "Waiting", reason: Reason.SessionMissing, message: `waits for the AgentSession ${list(missing)}, which doesn't exist` };
  const running = sessions.filter((session) => !isTerminal(session));
  if (running.length > 0)
    return {
      state: "Waiting",
      reason: Reason.SessionsRunning,
      message: `waits for ${running.length} of ${sessions.length} sessions that still run: ${list(running.map((s) => s.metadata.name))}`,
    };
  if (sessions.length < wanted)
    return {
      state: "Waiting",
      reason: Reason.CorpusTooSmall,
      message: `${sessions.length} sessions match, spec.corpus asks for at least ${wanted}`,
    };
  const sealed = sessions.filter((session) => session.status?.trajectory);
  const solved = sealed.filter((session) => session.status?.outcome === "Solved");
  if (solved.length < run.spec.corpus.minimumSessions) {
    return {
      state: "Insufficient",
      reason: Reason.CorpusTooSmall,
      message: `${solved.length} of ${sessions.length} sessions ended solved, spec.corpus.minimumSessions asks for ${run.spec.corpus.minimumSessions}; run more sessions, or lower it in a new run`,
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
  return {
    state: "Sufficient",
    corpus: { digest: corpusDigest(trajectories), count: sealed.length, solved: solved.length, trajectories, scope },
  };
}

/** SHA-256 over the sorted trajectory digests. */
export function corpusDigest(trajectories: readonly ArtifactReference[]): string {
  return sha256(canonicalJSON(trajectories.map((trajectory) => trajectory.digest).sort()));
}

const byDigest = (a: ArtifactReference, b: ArtifactReference) => (a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0);
const list = (names: readonly string[]) => names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
