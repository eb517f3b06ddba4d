import type { Cache, Context, Resource } from "kopf-ts";
import { expect, it } from "vitest";
import type { Services } from "../shared/services.ts";
import { aCondition, aSession, now } from "../testing/builders.ts";
import { AdmissionQueue } from "./admission.ts";
import { observe } from "./observe.ts";

/** What a pass over one session reads: the kinds of which it lists all objects, and those that it looks up in an index. */
async function readBy(status: object): Promise<{ listed: string[]; lookedUp: string[] }> {
  const [listed, lookedUp]: [string[], string[]] = [[], []];
  const cache = ((resource: Resource) => ({
    get: () => undefined,
    list: ({ labels }: { labels?: object } = {}) => {
      (labels ? lookedUp : listed).push(resource.kind);
      return [];
    },
    byIndex: () => {
      lookedUp.push(resource.kind);
      return [];
    },
  })) as unknown as Cache;
  const context = { cache, clock: { now: () => now } } as unknown as Context;
  const services = { runnerToken: () => "t", logs: { readLog: async () => ({ records: [], lastSequence: 0 }) } } as unknown as Services;
  await observe(aSession({ status }), context, services, new AdmissionQueue());
  return { listed, lookedUp };
}

const chosen = { reason: "NoneRelevant", message: "" };

it("a session that has ended looks at no other session", async () => {
  const ended = { epoch: 1, adapter: chosen, conditions: [aCondition("Succeeded"), aCondition("Learnt")], trainingRun: "fix-parser-1" };
  const { listed, lookedUp } = await readBy(ended);
  expect([...listed, ...lookedUp]).not.toContain("AgentSession");
});

it.each([
  ["waits", { adapter: chosen }],
  ["works", { epoch: 1, adapter: chosen }],
])("a session that %s lists nothing of which there may be thousands", async (_, status) => {
  const { listed, lookedUp } = await readBy(status);
  expect(listed).toEqual([]);
  expect(lookedUp).toContain("AgentSession");
});
