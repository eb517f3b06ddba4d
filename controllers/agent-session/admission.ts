import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { ConditionType } from "@rune/crds/words/conditions";
import { type Change, getCondition, isTerminal, isTrue, type KubeObject } from "kopf-ts";
import { Reason } from "../shared/reasons.ts";
import { isServed } from "../shared/serving.ts";

/** Whether a session may begin; `limit` is how many like it the server decodes for at once. */
export type Admission = { admitted: true } | { admitted: false; limit: number };

interface Line {
  /** UIDs of the sessions that work. */
  readonly working: Set<string>;
  /** Those that haven't begun, oldest first. */
  readonly waiting: AgentSession[];
}

/**
 * Which sessions a server has places for. It decodes so many sequences at once; sessions beyond that would only wait in its queue, each
 * holding a sandbox, and on a full cluster sandboxes would leave no room for the agents that they wait for. Oldest first: a session that
 * needs more of the server than is free isn't overtaken by smaller ones, which would keep it from ever beginning.
 *
 * It follows the cache of sessions, so that a change costs a binary search and a decision as many steps as the server has places.
 */
export class AdmissionQueue {
  readonly #lines = new Map<string, Line>();

  /** Takes in a change of the cache. Register it before anything that asks because of the same change. */
  follow(change: Change<AgentSession>): void {
    if (change.type === "updated") this.#remove(change.old);
    if (change.type === "deleted") this.#remove(change.object);
    else this.#add(change.object);
  }

  admissionOf(session: AgentSession, server: ModelServer | undefined): Admission {
    if (!server || session.status?.epoch) return { admitted: true };
    const limit = limitOf(server, session.spec.candidates);
    const { working, waiting } = this.#lineOf(server);
    let ahead = working.size;
    for (const other of waiting) {
      if (ahead >= limit || byAge(other, session) >= 0) break;
      if (!mayBegin(other, server)) continue;
      if (ahead >= limitOf(server, other.spec.candidates)) return { admitted: false, limit };
      ahead += 1;
    }
    return ahead < limit ? { admitted: true } : { admitted: false, limit };
  }

  /** The waiting sessions that the server has places for now. */
  next(server: ModelServer): AgentSession[] {
    const { working, waiting } = this.#lineOf(server);
    const most = limitOf(server, 1);
    const admitted: AgentSession[] = [];
    for (const session of waiting) {
      const ahead = working.size + admitted.length;
      if (ahead >= most) break;
      if (!mayBegin(session, server)) continue;
      if (ahead >= limitOf(server, session.spec.candidates)) break;
      admitted.push(session);
    }
    return admitted;
  }

  #lineOf({ metadata: { namespace, name } }: KubeObject): Line {
    return this.#lines.get(`${namespace}/${name}`) ?? { working: new Set(), waiting: [] };
  }

  #add(session: AgentSession): void {
    if (isTerminal(session) || session.spec.suspend) return;
    const key = lineKey(session);
    const line = this.#lines.get(key) ?? { working: new Set(), waiting: [] };
    this.#lines.set(key, line);
    if (session.status?.epoch) line.working.add(session.metadata.uid);
    else line.waiting.splice(positionIn(line.waiting, session), 0, session);
  }

  #remove(session: AgentSession): void {
    const key = lineKey(session);
    const line = this.#lines.get(key);
    if (!line) return;
    line.working.delete(session.metadata.uid);
    const position = positionIn(line.waiting, session);
    if (line.waiting[position]?.metadata.uid === session.metadata.uid) line.waiting.splice(position, 1);
    if (line.working.size === 0 && line.waiting.length === 0) this.#lines.delete(key);
  }
}

const lineKey = ({ metadata, spec }: AgentSession) => `${metadata.namespace}/${spec.serverRef.name}`;

const limitOf = ({ spec }: ModelServer, candidates: number) => Math.max(1, Math.floor((spec.maxSequences * spec.replicas) / candidates));

/** A session whose adapter is still loading, that waits for something else, or that is being deleted, doesn't hold up those behind it. */
function mayBegin(session: AgentSession, server: ModelServer): boolean {
  const { metadata, status } = session;
  if (metadata.deletionTimestamp || !status?.adapter || isHeldBack(session)) return false;
  return !status.adapter.name || servedBy(server).has(status.adapter.name);
}

/** What a session may wait for although its adapter was chosen: it was there, and has gone. */
const ownWaits: readonly (string | undefined)[] = [Reason.RequirementNotMet, Reason.LibraryMissing];

const isHeldBack = (session: AgentSession) =>
  isTrue(session, ConditionType.Stalled) || ownWaits.includes(getCondition(session, ConditionType.Ready)?.reason);

/** Each state of a server is asked for once per session in its line. */
const served = new WeakMap<ModelServer, ReadonlySet<string>>();

function servedBy(server: ModelServer): ReadonlySet<string> {
  const known = served.get(server) ?? new Set(server.status?.adapters?.filter(isServed).map(({ name }) => name));
  served.set(server, known);
  return known;
}

const byAge = (a: AgentSession, b: AgentSession) =>
  compare(a.metadata.creationTimestamp, b.metadata.creationTimestamp) || compare(a.metadata.name, b.metadata.name);

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** Index of the first session that isn't older. */
function positionIn(sorted: readonly AgentSession[], session: AgentSession): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byAge(sorted[middle] as AgentSession, session) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
