import { expect, it } from "vitest";
import { agentSession, claiming, condition, evaluation } from "../testing/objects.ts";
import { nameOfUser, type User, useChanged, usesOf } from "./adapter-users.ts";

const arms = ["a", "b"].map((adapter) => ({ name: adapter, serverRef: { name: "coder" }, adapter }));

it("an object uses what it has frozen and names until it has ended, an evaluation every arm, suspended or not", () => {
  expect(usesOf(claiming("a"))).toEqual(["a"]);
  expect(usesOf(agentSession("bare"))).toEqual([]);
  const measuring = evaluation("e", { spec: { arms, suspend: true }, status: { activeArms: ["a"], activeAdapters: ["c"] } });
  expect(usesOf(measuring)).toEqual(["a", "b", "c"]);
  expect(usesOf(evaluation("e", { spec: { arms }, status: { conditions: [condition("Succeeded")] } }))).toEqual([]);
  expect(nameOfUser(measuring)).toBe("Evaluation e");
});

it("what an object uses changes with its choice, its arms, its suspension and its end, not with its progress", () => {
  const changes = (old: User, object: User) => useChanged({ type: "updated", old, object });
  const session = claiming("a");
  expect(changes(session, { ...session, status: { ...session.status, epoch: 2 } })).toBe(false);
  expect(changes(agentSession(session.metadata.name), session)).toBe(true);
  expect(changes(session, { ...session, spec: { ...session.spec, suspend: true } })).toBe(true);
  expect(changes(session, { ...session, status: { ...session.status, conditions: [condition("Succeeded")] } })).toBe(true);
  const measuring = evaluation("e", { spec: { arms }, status: { activeArms: ["a"], activeAdapters: ["a"] } });
  expect(changes(measuring, { ...measuring, status: { ...measuring.status, epoch: 2 } })).toBe(false);
  expect(changes(measuring, { ...measuring, status: { ...measuring.status, activeArms: ["a", "b"] } })).toBe(true);
});
