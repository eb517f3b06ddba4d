import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { fakeCache } from "kopf-ts/testing";
import { expect, it } from "vitest";
import { agentSessions } from "../shared/resources.ts";
import { aCondition } from "../testing/builders.ts";
import { agentSession, modelServer } from "../testing/objects.ts";
import { AdmissionQueue } from "./admission.ts";
import { enqueuedByServer } from "./enqueue.ts";

const chosen = { reason: "NoneRelevant", message: "" };
const at = (name: string, reason: string, status: object = {}) =>
  agentSession(name, {
    status: {
      adapter: chosen,
      conditions: [aCondition("Ready", "False", reason)],
      ...status,
    } as AgentSession["status"],
  });
const loading = (name: string, adapter: string) => at(name, "AdapterLoading", { adapter: { name: adapter, reason: "Fixed", message: "" } });

function wokenBy(server: ModelServer, ...sessions: readonly AgentSession[]): string[] {
  const queue = new AdmissionQueue();
  for (const object of sessions) queue.follow({ type: "added", object, initial: true });
  return enqueuedByServer(server, fakeCache(sessions)(agentSessions), queue)
    .map(({ metadata }) => metadata.name)
    .toSorted();
}

it("a server's change wakes those that work with it or look for it, and of those in line only as many as it has places for", () => {
  const one = modelServer("coder", { spec: { maxSequences: 3 } });
  const works = at("works", "Working", { epoch: 1 });
  const missing = at("missing", "ServerMissing");
  const line = ["a", "b", "c"].map((name) => at(name, "ServerBusy"));
  const ended = at("ended", "Solved", { epoch: 1, conditions: [aCondition("Succeeded")] });
  expect(wokenBy(one, works, missing, ...line, ended)).toEqual(["missing", "works"]);
  expect(wokenBy(one, ...line, ended)).toEqual(["a"]);
});

it("a server's change wakes those that wait for an adapter that it speaks of, whatever it says of it", () => {
  const adapters = [{ name: "x", state: "Refused", engines: 0 }];
  const server = modelServer("coder", { status: { adapters } as ModelServer["status"] });
  expect(wokenBy(server, loading("waits-for-x", "x"), loading("waits-for-y", "y"))).toEqual(["waits-for-x"]);
});
