import { expect, it } from "vitest";
import { agentSession, claiming, condition, evaluation } from "../testing/objects.ts";
import { nameOfUser, usesOf } from "./adapter-users.ts";

const arms = ["a", "b"].map((adapter) => ({ name: adapter, serverRef: { name: "coder" }, adapter }));

it("an object uses what it has frozen and names until it has ended, an evaluation every arm, suspended or not", () => {
  expect(usesOf(claiming("a"))).toEqual(["a"]);
  expect(usesOf(agentSession("bare"))).toEqual([]);
  const measuring = evaluation("e", { spec: { arms, suspend: true }, status: { activeArms: ["a"], activeAdapters: ["c"] } });
  expect(usesOf(measuring)).toEqual(["a", "b", "c"]);
  expect(usesOf(evaluation("e", { spec: { arms }, status: { conditions: [condition("Succeeded")] } }))).toEqual([]);
  expect(nameOfUser(measuring)).toBe("Evaluation e");
});
