import type { IsolationStatus } from "@rune/crds/fields/isolation";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { EnvironmentCheck } from "@rune/crds/kinds/environment-check";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { Seen } from "../shared/objects.ts";
import { isTrue } from "../shared/objects.ts";
import { durationLines } from "../shared/report.ts";

type SessionStatus = NonNullable<AgentSession["status"]>;
type EvaluationStatus = NonNullable<Evaluation["status"]>;

/** The content of `out/quickstart.json`. */
export interface Result {
  environment: { checks: Record<string, string>; word: string; versions: Record<string, string> };
  sessions: { total: number; solved: number; exhausted: number };
  adapter: { name: string; digest: string; servedBy: string };
  evaluation: { base: Arm; adapter: Arm; delta: { pp: number; ci: [number, number] } };
  isolation: { verified: boolean; probes: number };
  laterSessions: { name: string; task: string; solved: boolean; adapter: string | null; reason: string }[];
  minutes: number;
  parts: Record<string, number>;
}
interface Arm {
  passAt1: number;
  ci: [number, number];
}

export function environmentOf({ checks = [], nonce = "", versions = {} }: NonNullable<EnvironmentCheck["status"]>): Result["environment"] {
  return { checks: Object.fromEntries(checks.map(({ name, result }) => [name, result])), word: nonce, versions };
}

export function sessionCounts(sessions: readonly Seen<SessionStatus>[]): Result["sessions"] {
  return {
    total: sessions.length,
    solved: sessions.filter((session) => isTrue(session, "Solved")).length,
    exhausted: sessions.filter((session) => session.status?.outcome === "Exhausted").length,
  };
}

export function evaluationOf(status: EvaluationStatus): Result["evaluation"] {
  const arm = (name: string): Arm => {
    const passAt1 = status.arms?.find((each) => each.name === name)?.passAt1;
    return { passAt1: Number(passAt1?.estimate), ci: [Number(passAt1?.lower), Number(passAt1?.upper)] };
  };
  const { delta } = status;
  return {
    base: arm("base"),
    adapter: arm("adapter"),
    delta: { pp: Number(delta?.estimate), ci: [Number(delta?.lower), Number(delta?.upper)] },
  };
}

export function isolationOf(proofs: readonly (IsolationStatus | undefined)[]): Result["isolation"] {
  const known = proofs.filter((proof) => proof !== undefined);
  return {
    verified: known.length === proofs.length && known.every(({ verified }) => verified),
    probes: known.reduce((sum, { tried = 0 }) => sum + tried, 0),
  };
}

/** The final report for a person. */
export function story(result: Result, namespace: string): string {
  const { environment, sessions, adapter, evaluation, isolation, laterSessions, parts, minutes } = result;
  const number = (value: number) => value.toFixed(3);
  const arm = ({ passAt1, ci }: Arm) => `${number(passAt1)}  [${number(ci[0])}, ${number(ci[1])}]  ${bar(passAt1)}`;
  return `
  What happened
    The environment was checked first: ${Object.entries(environment.checks)
      .map(([name, result]) => `${name} ${result}`)
      .join(", ")}.
    Its adapter made the server say ${environment.word}, a word made up minutes before.
    ${sessions.total} sessions worked on tasks over an in-house library that no public model was trained on.
    ${sessions.solved} solved theirs, ${sessions.exhausted} ran out of attempts. ${isolation.probes} isolation probes ran before them, and ${isolation.verified ? "all passed" : "NOT all passed"}.
    What they wrote became one LoRA adapter, stored once:
      ${adapter.name}
      ${adapter.digest}
      served by ${adapter.servedBy}

  What it is worth, on held-out tasks (Pass@1, 95 % interval over tasks)
    base      ${arm(evaluation.base)}
    adapter   ${arm(evaluation.adapter)}
    gain      ${evaluation.delta.pp.toFixed(1)} points [${evaluation.delta.ci[0].toFixed(1)}, ${evaluation.delta.ci[1].toFixed(1)}]

  Later sessions, which chose their memory themselves
${laterSessions.map(({ name, task, solved, adapter: used, reason }) => `    ${name} (${task}): ${solved ? "solved" : "not solved"} with ${used ?? "the base"} (${reason})`).join("\n")}

${durationLines({ minutes, parts }, 22)}

  Where to look next
    kubectl get rune -n ${namespace}
    kubectl describe evaluation -n ${namespace}
    out/quickstart/ holds every manifest that was applied, out/quickstart.json these figures
`;
}

const bar = (share: number) => "█".repeat(Math.round(share * 30)).padEnd(30, "░");
