import { label } from "@rune/crds/words/labels";
import { type Cache, type DynamicObject, failed, progressing, type Resource } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { aSession } from "../testing/builders.ts";
import { type EpochOwner, leftoversOf, lossesWith, paused, untilDeadline } from "./epoch.ts";
import { ownedBy } from "./sandbox.ts";

const now = new Date("2026-11-23T12:00:00Z");
const ownerWith = (count: number, secondsAgo: number, progress = 0): EpochOwner => ({
  kind: "AgentSession",
  metadata: { name: "s", uid: "u" },
  status: { epoch: 3, losses: { count, progress, time: new Date(now.getTime() - secondsAgo * 1000).toISOString() } },
});

describe("lost epochs", () => {
  it("are counted in a row, which ends where a program was executed", () => {
    expect(lossesWith({ kind: "AgentSession", metadata: { name: "s", uid: "u" } }, 0)).toEqual({ count: 1, progress: 0 });
    expect(lossesWith(ownerWith(4, 0, 7), 7)).toEqual({ count: 5, progress: 7 });
    expect(lossesWith(ownerWith(4, 0, 7), 8)).toEqual({ count: 1, progress: 8 });
  });

  it("cost nothing once, and then twice as much each time, up to five minutes", () => {
    expect(paused(ownerWith(1, 0), now)).toBeNull();
    const pauses = [2, 3, 4, 9, 15].map((count) => paused(ownerWith(count, 0), now)?.requeueAfterSeconds);
    expect(pauses).toEqual([2, 4, 8, 256, 300]);
    expect(paused(ownerWith(4, 6), now)).toMatchObject({ kind: "waiting", reason: "EpochLost", requeueAfterSeconds: 2 });
    expect(paused(ownerWith(4, 9), now)).toBeNull();
  });
});

describe("what other epochs left alive", () => {
  const session = aSession({ status: { epoch: 2 } }) as ReturnType<typeof aSession> & { metadata: { uid: string } };
  const child = (kind: string, component: "agent" | "sandbox", epoch: number, more: object = {}): DynamicObject => ({
    apiVersion: "v1",
    kind,
    metadata: { name: `${kind}-${component}-${epoch}`, labels: ownedBy(session, component, epoch) },
    ...more,
  });
  const ended = { status: { conditions: [{ type: "Complete", status: "True" }] } };
  const objects = [
    child("Job", "agent", 1),
    child("Job", "agent", 2),
    child("Job", "agent", 0, ended),
    child("Pod", "sandbox", 1),
    child("Pod", "sandbox", 2),
    child("Pod", "agent", 1),
  ];
  const cache = ((resource: Resource) => ({
    list: ({ labels = {} }: { labels?: Record<string, string> }) =>
      objects.filter(
        ({ kind, metadata }) =>
          kind === resource.kind && Object.entries(labels).every(([name, value]) => metadata.labels?.[name] === value),
      ),
  })) as unknown as Cache;

  it("is every running worker and every sandbox but those of the present epoch; ended Jobs stay, with their logs", () => {
    const names = leftoversOf(session, "agent", cache).map(({ metadata }) => metadata.name);
    expect(names).toEqual(["Job-agent-1", "Pod-sandbox-1"]);
    expect(label.epoch in (objects[0]?.metadata.labels ?? {})).toBe(true);
  });
});

describe("the deadline", () => {
  const owner: EpochOwner = { kind: "AgentSession", metadata: { name: "s", uid: "u" }, status: { startTime: "2026-11-23T11:59:00Z" } };
  const deadline = new Date("2026-11-23T12:10:00Z");

  it("brings a pass of its own to what goes on, unless another comes sooner", () => {
    expect(untilDeadline(progressing("Working", ""), owner, deadline, now).requeueAfterSeconds).toBe(600);
    expect(untilDeadline(progressing("Working", "").again(10), owner, deadline, now).requeueAfterSeconds).toBe(10);
  });

  it("is none of what has ended or not begun", () => {
    expect(untilDeadline(failed("Aborted", ""), owner, deadline, now).requeueAfterSeconds).toBeUndefined();
    expect(untilDeadline(progressing("Waiting", ""), { ...owner, status: {} }, deadline, now).requeueAfterSeconds).toBeUndefined();
  });
});
