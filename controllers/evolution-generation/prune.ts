import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { type Outcome, progressing, timestamp } from "kopf-ts";
import { rateOf } from "../evidence/interval.ts";
import { measured } from "./ranking.ts";
import { GenerationReason } from "./reasons.ts";
import { isIn } from "./steps.ts";
import type { Decision, Member, World } from "./world.ts";

/** Archives members that were below the base for long enough, worst first, while enough remain; reports the spared. */
export function prune(world: World, now: Date): Outcome {
  const { generation } = world;
  const { status = {}, spec } = generation;
  const { belowBase, patience, minimumPopulation } = spec.pruning;
  const members = (status.members ?? []).map((member) => counted(member, world));
  const due = belowBase ? measured(members).filter(({ belowBase: count = 0 }) => count >= patience) : [];
  const kept = (status.children ?? []).flatMap(({ state, adapter }) => (state === "Kept" && adapter ? [adapter] : []));
  let population = [...members.map(({ name }) => name), ...kept].filter((name) => isThere(name, world)).length;
  const archived: Decision[] = [];
  const spared: { name: string; why: string }[] = [];
  for (const member of due.toSorted((a, b) => rateOf(a.passAt1).upper - rateOf(b.passAt1).upper)) {
    // A decision about weights applies to every Adapter that has them.
    if (archived.some(({ digest }) => digest === member.digest)) continue;
    const twins = members.filter(({ digest }) => digest === member.digest);
    const fewer = twins.filter(({ name }) => isThere(name, world)).length;
    const why =
      twins.map((twin) => whySpared(twin, world)).find((each) => each !== null) ??
      (population - fewer < minimumPopulation ? `fewer than ${minimumPopulation} adapters would be left` : null);
    if (why) spared.push({ name: member.name, why: why.slice(0, 300) });
    else {
      archived.push(archivalOf(member, world, now));
      population -= fewer;
    }
  }
  const message = `${archived.length} of ${members.length} members are archived${spared.length > 0 ? `, ${spared.length} are spared` : ""}`;
  return progressing(GenerationReason.Pruning, message, {
    members,
    decisions: [...(status.decisions ?? []), ...archived],
    ...(spared.length > 0 && { spared }),
    pruned: true,
  }).atOnce();
}

/** Whether the next generation could find it. */
function isThere(name: string, { adapters }: World): boolean {
  const adapter = adapters.get(name);
  return adapter !== undefined && !adapter.metadata.deletionTimestamp && !adapter.status?.archived;
}

/** A member with its count of consecutive generations entirely below the base; unchanged if it wasn't measured. */
function counted(member: Member, { generation }: World): Member {
  const { belowBase: _, ...rest } = member;
  const before = generation.spec.former?.belowBase.find(({ name }) => name === member.name)?.generations ?? 0;
  const base = generation.status?.base;
  if (!member.passAt1 || !base || !isIn(member)) return before > 0 ? { ...rest, belowBase: before } : rest;
  return rateOf(member.passAt1).upper < rateOf(base).estimate ? { ...rest, belowBase: Math.min(100, before + 1) } : rest;
}

const isIncumbent = (name: string, { status }: EvolutionGeneration) =>
  status?.promotion?.incumbent === name || status?.promotion?.alsoChampions?.includes(name);

function whySpared(member: Member, { generation, adapters, users }: World): string | null {
  const status = adapters.get(member.name)?.status;
  if (member.champion || status?.champion || isIncumbent(member.name, generation)) return "it is a champion";
  const user = users.get(member.name);
  if (user) return `${user} uses it`;
  const servers = (status?.holders?.engines ?? 0) > 0 ? status?.holders?.servers.join(", ") : "";
  return servers ? `${servers} has it loaded` : null;
}

function archivalOf({ name, digest, repository, passAt1, belowBase }: Member, { generation }: World, now: Date): Decision {
  const why = `its upper bound ${passAt1?.upper} has been below the base's ${generation.status?.base?.estimate} for ${belowBase} generations`;
  return { kind: "Archival", adapter: name, digest, repository, time: timestamp(now), why, recorded: false };
}
