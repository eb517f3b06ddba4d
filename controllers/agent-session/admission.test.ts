import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import fc from "fast-check";
import { isTerminal } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { adapterOn, isServed } from "../shared/serving.ts";
import { aCondition } from "../testing/builders.ts";
import { agentSession, modelServer } from "../testing/objects.ts";
import { AdmissionQueue } from "./admission.ts";

const chosen = { reason: "NoneRelevant", message: "" };
const coder = modelServer("coder", { spec: { maxSequences: 6, replicas: 1 } });
const waiting = (name: string, given: { candidates?: number; status?: object; second?: number } = {}) =>
  agentSession(name, {
    spec: { candidates: given.candidates ?? 3 },
    metadata: { creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, given.second ?? 0)).toISOString() },
    status: { adapter: chosen, ...given.status } as AgentSession["status"],
  });
const working = (count: number) => Array.from({ length: count }, (_, i) => waiting(`busy-${i}`, { status: { epoch: 1 } }));

function queueOf(...sessions: readonly AgentSession[]): AdmissionQueue {
  const queue = new AdmissionQueue();
  for (const object of sessions) queue.follow({ type: "added", object, initial: true });
  return queue;
}
const namesOf = (sessions: readonly AgentSession[]) => sessions.map(({ metadata }) => metadata.name);

describe("admission", () => {
  it("comes while the server decodes for fewer sessions than it can", () => {
    const session = waiting("a");
    expect(queueOf(session, ...working(1)).admissionOf(session, coder)).toEqual({ admitted: true });
    expect(queueOf(session, ...working(2)).admissionOf(session, coder)).toEqual({ admitted: false, limit: 2 });
  });

  it("goes by age, so that two that look at once don't both take the last place", () => {
    const [a, b] = [waiting("a"), waiting("b")];
    const queue = queueOf(b, ...working(1), a);
    expect([queue.admissionOf(a, coder).admitted, queue.admissionOf(b, coder).admitted]).toEqual([true, false]);
    expect(namesOf(queue.next(coder))).toEqual(["a"]);
  });

  it("isn't kept from others by one whose adapter isn't loaded, or that is being deleted", () => {
    const stuck = waiting("a", { status: { adapter: { name: "x-1", reason: "PolicyFixed", message: "" } } });
    const loaded = { ...coder, status: { adapters: [{ name: "x-1", state: "Loaded", engines: 1 }] } } as unknown as ModelServer;
    const leaving = waiting("aa");
    leaving.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
    const b = waiting("b");
    const queue = queueOf(...working(1), stuck, leaving, b);
    expect(queue.admissionOf(b, coder).admitted).toBe(true);
    expect(queue.admissionOf(b, loaded).admitted).toBe(false);
    expect([namesOf(queue.next(coder)), namesOf(queue.next(loaded))]).toEqual([["b"], ["a"]]);
  });

  it("isn't kept from others by one whose requirement or library is gone, or that is stalled", () => {
    const held = [
      aCondition("Ready", "False", "LibraryMissing"),
      aCondition("Ready", "False", "RequirementNotMet"),
      aCondition("Stalled"),
    ].map((condition, index) => waiting(`a${index}`, { status: { conditions: [condition] } }));
    const b = waiting("b");
    const queue = queueOf(...working(1), ...held, b);
    expect(queue.admissionOf(b, coder)).toEqual({ admitted: true });
    expect(namesOf(queue.next(coder))).toEqual(["b"]);
  });

  it("isn't taken by smaller sessions before an older one that needs the whole server", () => {
    const large = waiting("a", { candidates: 6 });
    const small = waiting("b", { candidates: 1, second: 1 });
    const queue = queueOf(...working(1), large, small);
    expect([large, small].map((session) => queue.admissionOf(session, coder).admitted)).toEqual([false, false]);
    expect(namesOf(queue.next(coder))).toEqual([]);
    queue.follow({ type: "deleted", object: working(1)[0] as AgentSession });
    expect(namesOf(queue.next(coder))).toEqual(["a", "b"]);
  });

  it("doesn't depend on how many wait at a server of the same name in another namespace", () => {
    const elsewhere = Array.from({ length: 500 }, (_, i) => waiting(`crowd-${i}`));
    for (const { metadata } of elsewhere) metadata.namespace = "crowd";
    const session = waiting("z", { second: 59 });
    const queue = queueOf(...elsewhere, session);
    expect(queue.admissionOf(session, coder)).toEqual({ admitted: true });
    expect(namesOf(queue.next(coder))).toEqual(["z"]);
  });

  it("is never taken back from one that works", () => {
    const [session] = working(1) as [AgentSession];
    expect(queueOf(...working(9)).admissionOf(session, coder)).toEqual({ admitted: true });
  });

  it("is given on when a session ends, is suspended or deleted", () => {
    const [busy, a] = [waiting("busy", { status: { epoch: 1 } }), waiting("a")];
    const one = modelServer("coder", { spec: { maxSequences: 3, replicas: 1 } });
    const ended = { ...busy, status: { ...busy.status, conditions: [aCondition("Succeeded")] } } as AgentSession;
    const suspended = { ...busy, spec: { ...busy.spec, suspend: true } };
    for (const change of [
      { type: "updated", old: busy, object: ended },
      { type: "updated", old: busy, object: suspended },
      { type: "deleted", object: busy },
    ] as const) {
      const queue = queueOf(busy, a);
      expect(namesOf(queue.next(one))).toEqual([]);
      queue.follow(change);
      expect(namesOf(queue.next(one))).toEqual(["a"]);
    }
  });
});

/** The same by looking at every session. */
function slowly(session: AgentSession, server: ModelServer, all: readonly AgentSession[]): boolean {
  if (session.status?.epoch) return true;
  const others = all.filter((other) => other.metadata.uid !== session.metadata.uid && !isTerminal(other) && !other.spec.suspend);
  const loads = ({ status }: AgentSession) => !status?.adapter?.name || isServed(adapterOn(server, status.adapter.name));
  const age = ({ metadata }: AgentSession) => `${metadata.creationTimestamp}/${metadata.name}`;
  const busy = others.filter(({ status }) => status?.epoch).length;
  const ahead = others.filter((other) => !other.status?.epoch && loads(other) && age(other) < age(session));
  const fits = ({ spec }: AgentSession, before: number) => before < Math.max(1, Math.floor(6 / spec.candidates));
  return fits(session, busy + ahead.length) && ahead.every((other) => slowly(other, server, all));
}

it("admits as a look at every session would, and names as next those that it admits, after any changes", () => {
  const state = fc.constantFrom("waiting", "loading", "working", "ended", "suspended", "gone");
  const change = fc.record({ which: fc.nat(7), state });
  const uids = Array.from({ length: 8 }, (_, index) => `s${index}`);
  const build = (index: number, at: string): AgentSession => {
    const status = {
      adapter: at === "loading" ? { name: "x", reason: "PolicyFixed", message: "" } : chosen,
      ...(at === "working" && { epoch: 1 }),
      ...(at === "ended" && { epoch: 1, conditions: [aCondition("Succeeded")] }),
    };
    const session = waiting(uids[index] as string, { candidates: 1 + (index % 3), second: (index * 5) % 4, status });
    session.metadata.uid = uids[index] as string;
    return at === "suspended" ? { ...session, spec: { ...session.spec, suspend: true } } : session;
  };
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const [queue, known] = [new AdmissionQueue(), new Map<number, AgentSession>()];
      for (const { which, state: at } of changes) {
        const old = known.get(which);
        if (at === "gone") {
          if (old) queue.follow({ type: "deleted", object: old });
          known.delete(which);
          continue;
        }
        const object = build(which, at);
        queue.follow(old ? { type: "updated", old, object } : { type: "added", object, initial: false });
        known.set(which, object);
      }
      const all = [...known.values()];
      const open = all.filter((session) => !isTerminal(session) && !session.spec.suspend && !session.status?.epoch);
      for (const session of open) expect(queue.admissionOf(session, coder).admitted).toBe(slowly(session, coder, all));
      const next = open.filter((session) => !session.status?.adapter?.name && slowly(session, coder, all));
      expect(namesOf(queue.next(coder)).toSorted()).toEqual(namesOf(next).toSorted());
    }),
    { numRuns: 500 },
  );
});
