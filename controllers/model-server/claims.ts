import type { Adapter } from "@rune/crds/kinds/adapter";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { ConditionType } from "@rune/crds/words/conditions";
import { conditionsOf, isTerminal } from "kopf-ts";
import { isCheck, isSession, nameOfUser, type User } from "../shared/adapter-users.ts";
import { hasLabels } from "../shared/labels.ts";

/** An adapter that is wanted on this server. */
export interface Demand {
  readonly name: string;
  /** What wants it, for messages. */
  readonly by: string;
}

/** Wanted adapters, each once: residents, then the claims of unfinished objects, oldest first. */
export function demands(server: ModelServer, adapters: readonly Adapter[], users: readonly User[]): Demand[] {
  const wanted = new Map<string, Demand>();
  for (const demand of [...residents(server, adapters), ...claims(server, users)])
    if (!wanted.has(demand.name)) wanted.set(demand.name, demand);
  return [...wanted.values()];
}

function residents(server: ModelServer, adapters: readonly Adapter[]): Demand[] {
  const { resident } = server.spec.adapters;
  if (!resident) return [];
  return adapters
    .filter((adapter) => !adapter.metadata.deletionTimestamp && !adapter.status?.archived && hasLabels(adapter, resident.matchLabels ?? {}))
    .toSorted(byAge)
    .map(({ metadata }) => ({ name: metadata.name, by: "spec.adapters.resident" }));
}

/** Each adapter once, by the oldest object that claims it. */
function claims(server: ModelServer, users: readonly User[]): Demand[] {
  const oldest = new Map<string, User>();
  for (const user of users) {
    if (isTerminal(user) || user.spec.suspend || user.metadata.deletionTimestamp) continue;
    for (const name of claimsOf(user, server.metadata.name)) {
      const known = oldest.get(name);
      if (!known || byAge(user, known) < 0) oldest.set(name, user);
    }
  }
  return [...oldest].toSorted(([, one], [, other]) => byAge(one, other)).map(([name, user]) => ({ name, by: nameOfUser(user) }));
}

/**
 * The adapters that an object has frozen in its status and needs from this server now: a session's or a check's one, or
 * those of an evaluation's active arms. Fewer than it uses until its end (`usesOf`): inactive arms occupy no slot.
 */
export function claimsOf(user: User, server: string): readonly string[] {
  if (isSession(user)) return user.spec.serverRef.name === server && user.status?.adapter?.name ? [user.status.adapter.name] : [];
  if (isCheck(user)) return user.status?.claim?.server === server ? [user.status.claim.adapter] : [];
  const { activeArms = [], activeAdapters = [] } = user.status ?? {};
  const answers = user.spec.arms.some(({ name, serverRef }) => activeArms.includes(name) && serverRef.name === server);
  return answers ? activeAdapters : [];
}

/** Time of each adapter's last use here, from the endings of its users: the least recently used is evicted first. */
export function lastUses(server: ModelServer, users: readonly User[]): ReadonlyMap<string, string> {
  const uses = new Map<string, string>();
  for (const user of users.filter(isTerminal)) {
    const ended =
      conditionsOf(user).find(
        ({ type, status }) => (type === ConditionType.Succeeded || type === ConditionType.Failed) && status === "True",
      )?.lastTransitionTime ?? "";
    for (const use of usedBy(user))
      if (use.server === server.metadata.name && ended > (uses.get(use.adapter) ?? "")) uses.set(use.adapter, ended);
  }
  return uses;
}

/** What an object that has ended had loaded, and where. */
function usedBy(user: User): { server: string; adapter: string }[] {
  // What a check has claimed is deleted when it ends, or was loaded for others.
  if (isCheck(user)) return [];
  if (isSession(user)) return user.status?.adapter?.name ? [{ server: user.spec.serverRef.name, adapter: user.status.adapter.name }] : [];
  return user.spec.arms.flatMap(({ serverRef, adapter }) => (adapter ? [{ server: serverRef.name, adapter }] : []));
}

export const useKey = (namespace: string, server: string, adapter: string) => `${namespace}/${server}/${adapter}`;

/** Index of the objects that have ended, by the adapters that they had loaded. */
export const endedByUse = (user: User) =>
  isTerminal(user) ? usedBy(user).map(({ server, adapter }) => useKey(user.metadata.namespace, server, adapter)) : [];

const byAge = (a: Adapter | User, b: Adapter | User) =>
  compare(a.metadata.creationTimestamp, b.metadata.creationTimestamp) || compare(a.metadata.name, b.metadata.name);

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));
