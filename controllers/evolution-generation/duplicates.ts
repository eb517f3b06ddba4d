import { type Outcome, progressing, timestamp, waiting } from "kopf-ts";
import { Reason } from "../shared/reasons.ts";
import { intervalText } from "./ranking.ts";
import { GenerationReason } from "./reasons.ts";
import { type Child, type Decision, isUnavailable, type Results, resultsIn, type Status, type World } from "./world.ts";

const retrySeconds = 30;

interface Known {
  readonly name: string;
  readonly digest: string;
}

/** Drops children whose results equal those of a member or an earlier sibling on every task: they bring nothing new. */
export function dropDuplicates(world: World, now: Date): Outcome {
  const { generation, results } = world;
  if (isUnavailable(results))
    return waiting(Reason.RegistryUnavailable, `the reports of the evaluations can't be read: ${results.unavailable}`, retrySeconds);
  const { status = {} } = generation;
  const known: Known[] = [...(status.members ?? [])];
  const children: Child[] = [];
  for (const child of status.children ?? []) {
    const { adapter, digest } = child;
    if (child.state !== "Measured" || !adapter || !digest) {
      children.push(child);
      continue;
    }
    const twin = twinOf({ name: adapter, digest }, known, resultsIn(world));
    children.push({
      ...child,
      state: twin ? "Dropped" : "Kept",
      why: twin ? `answers every task as ${twin} does` : standing(child, status),
    });
    if (!twin) known.push({ name: adapter, digest });
  }
  const dropped = children.filter((child, index) => child.state === "Dropped" && status.children?.[index]?.state === "Measured");
  const message = `${children.filter(({ state }) => state === "Kept").length} children are new, ${dropped.length} are not`;
  return progressing(GenerationReason.Sifting, message, {
    children,
    decisions: [...(status.decisions ?? []), ...dropped.flatMap((child) => archivalOf(child, now))],
  }).atOnce();
}

/** An adapter with the same results on every task. An adapter with unknown results has no twin. */
function twinOf({ digest }: Known, known: readonly Known[], results: Results): string | undefined {
  const own = results.get(digest);
  if (!own) return undefined;
  return known.find((other) => {
    const theirs = results.get(other.digest);
    return theirs?.size === own.size && [...own].every(([task, share]) => theirs.get(task) === share);
  })?.name;
}

function standing({ passAt1, parents }: Child, { members = [], base }: Status): string {
  const best = members.find(({ name }) => name === parents[0])?.passAt1;
  const against = [best && `its best parent ${intervalText(best)}`, base && `the base ${intervalText(base)}`].filter(Boolean).join(", ");
  return `${passAt1 && intervalText(passAt1)}${against ? `; ${against}` : ""}`;
}

function archivalOf({ adapter, digest, repository, why }: Child, now: Date): Decision[] {
  if (!adapter || !digest || !repository) return [];
  return [{ kind: "Archival", adapter, digest, repository, time: timestamp(now), why: `a child that ${why}`, recorded: false }];
}
