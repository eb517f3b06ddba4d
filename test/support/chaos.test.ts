import { describe, expect, test } from "vitest";
import type { LogRecord } from "../../crds/contracts/session-log.ts";
import { type Chaos, complaints, hitWork, type Kill, type Row, told, unproven, witnessViolations } from "./chaos.ts";

const time = "2026-01-01T00:00:00Z";
const row = (session: string, more: Partial<Row> = {}): Row => ({
  session,
  outcome: "Solved",
  epochs: 2,
  lost: 1,
  violations: [],
  ...more,
});
const own = (victim: string, session: string, epoch: number): Kill => ({ victim, time, scope: "Own", work: [{ session, epoch }] });
const shared = (victim: string, ...sessions: string[]): Kill => ({
  victim,
  time,
  scope: "Shared",
  work: sessions.map((session) => ({ session, epoch: 1 })),
});

const sound: Chaos = {
  asked: 2,
  minutes: 3,
  victims: ["agent", "nats"],
  tries: { agent: 3, nats: 1 },
  kills: [own("agent", "a", 1), shared("nats", "a", "b")],
  rows: [row("a"), row("b", { epochs: 1 })],
  witnessed: 12,
  problems: [],
};

describe("a kill", () => {
  test.for<[string, Kill, boolean]>([
    ["of an agent whose session went on in a later epoch hit work", own("agent", "a", 1), true],
    ["of an agent that had told its ending hit nobody", own("agent", "a", 2), false],
    ["of a sandbox whose session is unknown hit nobody", own("sandbox", "x", 1), false],
    ["of what all need hit those that were at work", shared("nats", "b"), true],
    ["of what all need hit nobody while nobody worked", shared("nats"), false],
  ])("%s", ([, kill, expected]) => {
    expect(hitWork(kill, sound.rows)).toBe(expected);
  });
});

describe("a run", () => {
  test("that shows what it says has nothing to complain of", () => {
    expect(complaints(sound)).toEqual([]);
  });

  test.for<[string, Partial<Chaos>, RegExp]>([
    ["in which nobody was killed", { kills: [] }, /^this run shows nothing of agent: .*\nthis run shows nothing of nats/],
    ["in which every kill came too late", { kills: [own("agent", "a", 2), shared("nats", "a")] }, /^this run shows nothing of agent/],
    ["that lost a session", { rows: [row("a")] }, /^1 of 2 sessions don't exist any more$/],
    ["that counted one session twice", { rows: [row("a"), row("a")] }, /^1 of 2 sessions don't exist any more$/],
    ["that gave up waiting", { rows: [row("a"), row("b", { outcome: "" })] }, /^b: it hasn't ended$/],
    ["with a broken session", { rows: [row("a", { violations: ["no seal"] }), row("b")] }, /^a: no seal$/],
    ["that left the cluster broken", { problems: ["rune-nats isn't back"] }, /^rune-nats isn't back$/],
    ["that compared logs with nothing", { witnessed: 0 }, /^no live log was read/],
  ])("%s says so", ([, over, words]) => {
    expect(complaints({ ...sound, ...over }).join("\n")).toMatch(words);
  });

  test("names the kinds that it shows nothing of", () => {
    expect(unproven({ ...sound, victims: ["agent", "engine", "nats"] })).toEqual(["engine"]);
  });

  test("counts kills, hits and the sessions that none hit", () => {
    const kills = [...sound.kills.slice(0, 1), own("agent", "a", 2), shared("nats")];
    const text = told({ ...sound, asked: 3, kills });
    expect(text).toContain("2 of 3 sessions ended in 3.0 minutes: 2 Solved");
    expect(text).toContain("agent: 2 killed in 3 attempts, 1 in the middle of work");
    expect(text).toContain("nats: 1 killed in 1 attempts, 0 in the middle of work");
    expect(text).toContain("1 sessions were hit by a kill while at work, 2 were not");
    expect(text).toContain("3 epochs, 2 steps whose result was lost");
  });
});

describe("what was seen of a live log", () => {
  const record = (n: number, epoch = 1): LogRecord => ({ type: "reflected", n, epoch, time, round: 0, notes: [] });
  const whole = [record(0), record(1), record(2)];

  test("stands at the beginning of the whole", () => {
    expect(witnessViolations(whole.slice(0, 2), whole)).toEqual([]);
    expect(witnessViolations([], whole)).toEqual([]);
  });

  test.for<[string, LogRecord[]]>([
    ["lost", [record(0)]],
    ["changed", [record(0), record(1, 2), record(2)]],
    ["moved", [record(1), record(0), record(2)]],
  ])("and is missed where it was %s", ([, log]) => {
    expect(witnessViolations(whole.slice(0, 2), log).join()).toContain("reflected 1 of epoch 1 was in the live log as record 1");
  });
});
