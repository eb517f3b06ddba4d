import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { EnvironmentCheck } from "@rune/crds/kinds/environment-check";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { type Cache, fieldChanged, type IndexFunction, isTerminal, type KubeObject, type Predicate } from "kopf-ts";
import { agentSessions, environmentChecks, evaluations } from "./resources.ts";

/** An object that has adapters loaded for its own use. */
export type User = AgentSession | Evaluation | EnvironmentCheck;

export const isCheck = (user: User): user is EnvironmentCheck => user.kind === "EnvironmentCheck";
export const isSession = (user: User): user is AgentSession => user.kind === "AgentSession";

/** Such as `AgentSession fix-parser`. */
export const nameOfUser = ({ kind, metadata }: User) => `${kind} ${metadata.name}`;

/**
 * Adapters that an object uses until it ends, which must exist until then: those frozen in its status, and those of all
 * arms of an evaluation, active or not. A server only holds those needed now, which are fewer (`claimsOf` of
 * model-server).
 */
export function usesOf(user: User): readonly string[] {
  if (isTerminal(user)) return [];
  if (isSession(user)) return user.status?.adapter?.name ? [user.status.adapter.name] : [];
  if (isCheck(user)) return user.status?.claim ? [user.status.claim.adapter] : [];
  return [...user.spec.arms.flatMap(({ adapter }) => adapter ?? []), ...(user.status?.activeAdapters ?? [])];
}

const liveByNamespace = (user: User) => (isTerminal(user) ? undefined : user.metadata.namespace);

/** Everything in a namespace that may use adapters and hasn't ended. */
export const usersIn = (namespace: string, cache: Cache): User[] => filedUnder(liveByNamespace, namespace, cache);

const usersByAdapter = (user: User) => usesOf(user).map((adapter) => `${user.metadata.namespace}/${adapter}`);

/** Everything that uses this adapter. */
export const usersOf = ({ metadata: { namespace, name } }: KubeObject, cache: Cache): User[] =>
  filedUnder(usersByAdapter, `${namespace}/${name}`, cache);

const filedUnder = (index: IndexFunction<User>, value: string, cache: Cache): User[] => [
  ...cache(agentSessions).byIndex(index, value),
  ...cache(evaluations).byIndex(index, value),
  ...cache(environmentChecks).byIndex(index, value),
];

/** Changes of what an object uses, and when, and its end: most changes of its status are of its progress. */
export const useChanged: Predicate<User> = fieldChanged((user: User) => [
  isTerminal(user),
  user.metadata.deletionTimestamp,
  user.spec.suspend,
  usesOf(user),
  !isSession(user) && !isCheck(user) && user.status?.activeArms,
]);
