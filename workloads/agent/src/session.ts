import type { Execution, LogRecord } from "@rune/crds/contracts/session-log";
import type { Intent } from "@rune/workloads-shared/log";

/** One program that was executed, and the sandbox's result. */
export type Attempt = { round: number; program: string; execution: Execution };
export type Outcome = Extract<LogRecord, { type: "ended" }>["outcome"];

/**
 * The whole state of a session. It is the fold of its log and nothing else, so a restarted agent continues where the
 * log ends.
 */
export type Session = {
  /** number of the next step */
  next: number;
  /** newest epoch that wrote */
  epoch: number;
  /** newest epoch whose sandbox was proven to be isolated; 0 before the first */
  provenEpoch: number;
  /** current round, from 0 */
  round: number;
  /** whether this round's programs were sampled */
  sampled: boolean;
  /** programs of this round that are still to be executed, in order */
  waiting: readonly string[];
  /** how often the first of them was executed and its result lost */
  losses: number;
  /** announced effect without a result */
  open: Intent | undefined;
  attempts: readonly Attempt[];
  notes: readonly string[];
  outcome: Outcome | undefined;
};

/** The log has a sequence of records that no agent could have written. */
export class BrokenLog extends Error {
  override readonly name = "BrokenLog";
}

export const emptySession: Session = {
  next: 0,
  epoch: 0,
  provenEpoch: 0,
  round: 0,
  sampled: false,
  waiting: [],
  losses: 0,
  open: undefined,
  attempts: [],
  notes: [],
  outcome: undefined,
};

/** Throws BrokenLog. */
export function fold(records: readonly LogRecord[]): Session {
  return records.reduce(apply, emptySession);
}

/** The state after one more record. Throws BrokenLog where the record can't follow. */
export function apply(before: Session, record: LogRecord): Session {
  if (before.outcome) throw broken(record, "the session had ended");
  const session: Session = { ...before, next: Math.max(before.next, record.n + 1), epoch: Math.max(before.epoch, record.epoch) };
  switch (record.type) {
    case "isolation":
      return record.isolation.verified ? { ...session, provenEpoch: Math.max(before.provenEpoch, record.epoch) } : session;
    case "intent":
      if (before.open) throw broken(record, `step ${before.open.n} was still open`);
      return { ...session, open: record };
    case "generated":
      expectOpen(before, record, "generate");
      return { ...session, open: undefined, sampled: true, waiting: fresh(record.programs, before.attempts) };
    case "executed":
      expectOpen(before, record, "execute");
      if (before.waiting[0] !== record.program) throw broken(record, "another program was to be executed");
      return {
        ...session,
        open: undefined,
        waiting: before.waiting.slice(1),
        losses: 0,
        attempts: [...before.attempts, { round: before.round, program: record.program, execution: record.execution }],
      };
    case "lost":
      if (before.open?.n !== record.n) throw broken(record, "no such step was open");
      return { ...session, open: undefined, losses: before.losses + (before.open.effect === "execute" ? 1 : 0) };
    case "reflected":
      if (before.open || !before.sampled || before.waiting.length > 0) throw broken(record, `round ${before.round} was not over`);
      return { ...session, round: before.round + 1, sampled: false, notes: record.notes };
    case "ended":
      return { ...session, outcome: record.outcome };
    case "judged":
      throw broken(record, "it belongs to an evaluation");
    default:
      return record satisfies never;
  }
}

export function solved(session: Session): boolean {
  return session.attempts.some((attempt) => attempt.execution.passed);
}

/** Each program once, and none that this session has tried before: the result would be the same. */
function fresh(programs: readonly string[], attempts: readonly Attempt[]): string[] {
  const tried = new Set(attempts.map((attempt) => attempt.program));
  return [...new Set(programs)].filter((program) => !tried.has(program));
}

function expectOpen(session: Session, record: LogRecord, effect: Intent["effect"]): void {
  if (session.open?.n !== record.n || session.open.effect !== effect) throw broken(record, `no ${effect} step of this number was open`);
}

function broken(record: LogRecord, why: string): BrokenLog {
  return new BrokenLog(
    `the log holds \`${record.type}\` as step ${record.n} of epoch ${record.epoch}, but ${why}; it was not written by an agent, abort the session`,
  );
}
