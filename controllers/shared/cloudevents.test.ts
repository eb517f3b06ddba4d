import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import { unchanged } from "kopf-ts";
import { expect, it } from "vitest";
import { FakeOutbox } from "../testing/fake-outbox.ts";
import { digestOf } from "../testing/objects.ts";
import { eventAbout, objectOfEvent, publishing } from "./cloudevents.ts";

const adapter = { kind: "Adapter", metadata: { namespace: "team", name: "tessera-1", uid: "u1" } };
const by = { kind: "Person" as const, name: "tessera-1", uid: "p1" };
const archived = (time: string, uid = "p1"): CloudEvent => ({
  ...eventAbout(adapter, `archived/${uid}`, time),
  type: "dev.rune.adapter.archived.v1",
  data: { object: objectOfEvent(adapter), digest: digestOf("1"), by, why: "replaced" },
});
const now = new Date("2026-03-02T12:00:00Z");
const run = async ({ effects }: ReturnType<typeof publishing>) => {
  for (const effect of effects) await effect.run(new AbortController().signal);
};

it("an event is an effect with its id as name, which gives it to the outbox", async () => {
  const outbox = new FakeOutbox();
  const event = archived("2026-03-02T11:00:00Z");
  const outcome = publishing(unchanged(), [event], outbox, now);
  expect(outcome.effects.map(({ name }) => name)).toEqual(["publish u1/archived/p1"]);
  expect(outbox.told).toEqual([]);
  await run(outcome);
  expect(outbox.told).toEqual([event]);
});

it("a later pass has no effect for what is told, and one for what happened since", async () => {
  const outbox = new FakeOutbox();
  const events = [archived("2026-03-02T11:00:00Z"), archived("2026-03-02T11:30:00Z", "p2")];
  await run(publishing(unchanged(), events.slice(0, 1), outbox, now));
  expect(publishing(unchanged(), events, outbox, now).effects.map(({ name }) => name)).toEqual(["publish u1/archived/p2"]);
});

it("what happened a day ago is told no more, so that an operator that starts tells no history", () => {
  const effects = (time: string) => publishing(unchanged(), [archived(time)], new FakeOutbox(), now).effects.length;
  expect([effects("2026-03-01T12:00:01Z"), effects("2026-03-01T12:00:00Z")]).toEqual([1, 0]);
});

it("an installation that tells nothing has no effects", () => {
  expect(publishing(unchanged(), [archived("2026-03-02T11:00:00Z")], undefined, now).effects).toEqual([]);
});

it("the attributes say which object it is about, and what happened to it", () => {
  expect(eventAbout(adapter, "archived/p1", "2026-03-02T11:00:00Z")).toEqual({
    specversion: "1.0",
    id: "u1/archived/p1",
    source: "/apis/rune.dev/v1alpha1/namespaces/team/adapters",
    subject: "tessera-1",
    time: "2026-03-02T11:00:00Z",
    datacontenttype: "application/json",
  });
});
