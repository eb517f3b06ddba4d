import { isDeepStrictEqual } from "node:util";
import type { LogRecord } from "../../crds/contracts/session-log.ts";

/** The counts of sessions under chaos, and their significance. Nothing here accesses a cluster. */

/** A session's epoch that was at work when a component was killed. */
export interface Work {
  readonly session: string;
  readonly epoch: number;
}

export interface Kill {
  readonly victim: string;
  /** RFC 3339. */
  readonly time: string;
  /** One session's own agent or sandbox; else a component that all of them need. */
  readonly scope: "Own" | "Shared";
  /** For kind `Own` that one session; else all that were at work. */
  readonly work: readonly Work[];
}

/** The result of one session. */
export interface Row {
  readonly session: string;
  /** Empty where it hasn't ended. */
  readonly outcome: string;
  readonly epochs: number;
  /** Steps whose result was lost. */
  readonly lost: number;
  readonly violations: readonly string[];
}

export interface Chaos {
  readonly asked: number;
  readonly minutes: number;
  readonly victims: readonly string[];
  /** How often a kill of a kind was attempted, whether there was a victim or not. */
  readonly tries: Readonly<Record<string, number>>;
  readonly kills: readonly Kill[];
  readonly rows: readonly Row[];
  /** Records that were read from the live logs in between. */
  readonly witnessed: number;
  /** What is wrong with the installation, or with the run itself. */
  readonly problems: readonly string[];
}

/**
 * Whether a kill hit work. An agent or sandbox that ended a moment before it was killed affects nothing: only work that
 * had to continue in a later epoch was hit.
 */
export function hitWork(kill: Kill, rows: readonly Row[]): boolean {
  if (kill.scope === "Shared") return kill.work.length > 0;
  return kill.work.some(({ session, epoch }) => rows.some((row) => row.session === session && row.epochs > epoch));
}

/** Kinds about which nothing is proven, because none was killed in the middle of work. */
export const unproven = ({ victims, kills, rows }: Chaos): string[] =>
  victims.filter((victim) => !kills.some((kill) => kill.victim === victim && hitWork(kill, rows)));

/**
 * A log as read while the session ran must be a prefix of the final one: nothing of it is lost, changed or reordered.
 */
export function witnessViolations(witnessed: readonly LogRecord[], records: readonly LogRecord[]): string[] {
  return witnessed.flatMap((record, index) =>
    isDeepStrictEqual(record, records[index])
      ? []
      : [`${record.type} ${record.n} of epoch ${record.epoch} was in the live log as record ${index}, and isn't there any more`],
  );
}

/** Why the run proves nothing, or shows a fault; empty if all is as it must be. */
export function complaints(chaos: Chaos): string[] {
  const { asked, rows, problems } = chaos;
  const names = new Set(rows.map(({ session }) => session));
  return [
    ...problems,
    ...(names.size === asked ? [] : [`${asked - names.size} of ${asked} sessions don't exist any more`]),
    ...rows.filter(({ outcome }) => !outcome).map(({ session }) => `${session}: it hasn't ended`),
    ...rows.flatMap(({ session, violations }) => violations.map((violation) => `${session}: ${violation}`)),
    ...unproven(chaos).map((victim) => `this run shows nothing of ${victim}: none was killed in the middle of work; use more --sessions`),
    ...(chaos.witnessed > 0 ? [] : ["no live log was read in between, so records could have been lost unseen"]),
  ];
}

/** The counts, each with its basis. */
export function told(chaos: Chaos): string {
  const { asked, rows, kills, minutes, victims, tries } = chaos;
  const ended = rows.filter(({ outcome }) => outcome);
  const outcomes = Object.entries(Object.groupBy(ended, ({ outcome }) => outcome)).map(([outcome, some]) => `${some?.length} ${outcome}`);
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
  const struck = new Set(kills.filter((kill) => hitWork(kill, rows)).flatMap(({ work }) => work.map(({ session }) => session)));
  const lines = victims.map((victim) => {
    const mine = kills.filter((kill) => kill.victim === victim);
    const hits = mine.filter((kill) => hitWork(kill, rows)).length;
    return `  ${victim}: ${mine.length} killed in ${tries[victim] ?? 0} attempts, ${hits} in the middle of work`;
  });
  return [
    `${ended.length} of ${asked} sessions ended in ${minutes.toFixed(1)} minutes: ${outcomes.join(", ") || "none"}`,
    ...lines,
    `${struck.size} sessions were hit by a kill while at work, ${asked - struck.size} were not`,
    `${sum(({ epochs }) => epochs)} epochs, ${sum(({ lost }) => lost)} steps whose result was lost`,
    `${chaos.witnessed} records were read from live logs and compared with the complete ones`,
    `${rows.filter(({ violations }) => violations.length > 0).length} sessions with a violation`,
  ].join("\n");
}
