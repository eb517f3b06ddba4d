import { below, type Random, shuffled } from "@rune/clients/statistics/random";
import { byLowerBound, measured } from "./ranking.ts";
import { base } from "./results.ts";
import { isIn } from "./steps.ts";
import type { Member, Results, Status } from "./world.ts";

type Selection = NonNullable<Status["selection"]>;
type Draw = Selection["draws"][number];
type Candidate = Member & { passAt1: NonNullable<Member["passAt1"]> };

interface Rules {
  readonly parents: number;
  readonly tournamentSize: number;
  readonly keepTaskWinners: boolean;
}

/** Measured members that can be parents, the best lower bound first. */
export const candidatesOf = (members: readonly Member[]): Candidate[] => measured(members.filter(isIn)).toSorted(byLowerBound);

/**
 * Number of tasks that each candidate solves more often than the base and every other candidate. Among equals the one
 * with the best lower bound wins the task. Only candidates with known results can win.
 */
export function tasksWon(candidates: readonly Candidate[], results: Results): ReadonlyMap<string, number> {
  const won = new Map<string, number>();
  const known = candidates.flatMap(({ name, digest }) => {
    const tasks = results.get(digest);
    return tasks ? [{ name, tasks }] : [];
  });
  for (const task of new Set(known.flatMap(({ tasks }) => [...tasks.keys()]))) {
    const share = ({ tasks }: { tasks: ReadonlyMap<string, number> }) => tasks.get(task) ?? 0;
    const best = Math.max(...known.map(share));
    const winner = best > (results.get(base)?.get(task) ?? 0) ? known.find((each) => share(each) === best) : undefined;
    if (winner) won.set(winner.name, (won.get(winner.name) ?? 0) + 1);
  }
  return won;
}

/**
 * Draws parents without repetition: by tournament, and, where task winners are kept, half of them among the winners.
 */
export function selectParents(candidates: readonly Candidate[], won: ReadonlyMap<string, number>, rules: Rules, random: Random): Selection {
  const draws: Draw[] = [];
  const wanted = Math.min(rules.parents, candidates.length);
  const byTournament = wanted - (rules.keepTaskWinners ? Math.floor(rules.parents / 2) : 0);
  while (draws.length < wanted) {
    const left = candidates.filter(({ name }) => !draws.some(({ winner }) => winner === name));
    const winners = draws.length >= byTournament ? left.filter(({ name }) => won.has(name)) : [];
    draws.push(winners.length > 0 ? drawWinner(winners, won, random) : tournament(left, rules.tournamentSize, random));
  }
  const parents = candidates.map(({ name }) => name).filter((name) => draws.some(({ winner }) => winner === name));
  return { draws, parents };
}

function tournament(left: readonly Candidate[], size: number, random: Random): Draw {
  const contestants = shuffled(left, random).slice(0, size);
  const [winner, ...others] = contestants.toSorted(byLowerBound) as [Candidate, ...Candidate[]];
  const against = others.length > 0 ? ` against ${others.map(({ passAt1 }) => passAt1.lower).join(", ")}` : ", nobody else being left";
  return {
    kind: "Tournament",
    contestants: contestants.map(({ name }) => name),
    winner: winner.name,
    why: `lower bound ${winner.passAt1.lower}${against}`.slice(0, 300),
  };
}

/** Draws in proportion to the number of tasks won. */
function drawWinner(winners: readonly Candidate[], won: ReadonlyMap<string, number>, random: Random): Draw {
  const lots = winners.flatMap((each) => Array.from({ length: won.get(each.name) ?? 0 }, () => each));
  const winner = lots[below(lots.length, random)] as Candidate;
  return {
    kind: "TaskWinners",
    contestants: winners.map(({ name }) => name),
    winner: winner.name,
    why: `is the best at ${won.get(winner.name)} of the ${lots.length} tasks that ${winners.length} members win; its lower bound is ${winner.passAt1.lower}`,
  };
}
