import type { Cache, Context, Resource } from "kopf-ts";
import { expect, it } from "vitest";
import type { Services } from "../shared/services.ts";
import { aCondition, aSession, now } from "../testing/builders.ts";
import { observe } from "./observe.ts";

/** What a pass over one session asks for: the kinds that it lists. */
async function listed(status: object): Promise<string[]> {
  const kinds: string[] = [];
  const cache = ((resource: Resource) => ({
    get: () => undefined,
    list: () => {
      kinds.push(resource.kind);
      return [];
    },
  })) as unknown as Cache;
  const context = { cache, clock: { now: () => now } } as unknown as Context;
  const services = { runnerToken: () => "t", logs: { readLog: async () => ({ records: [], lastSequence: 0 }) } } as unknown as Services;
  await observe(aSession({ status }), context, services);
  return kinds;
}

const chosen = { reason: "NoneRelevant", message: "" };

it("a session that has ended looks at no other session, however many there are; one that works does", async () => {
  const ended = { epoch: 1, adapter: chosen, conditions: [aCondition("Succeeded"), aCondition("Learnt")], trainingRun: "fix-parser-1" };
  expect(await listed(ended)).not.toContain("AgentSession");
  expect(await listed({ epoch: 1, adapter: chosen })).toContain("AgentSession");
});
