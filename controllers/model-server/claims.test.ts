import { describe, expect, it } from "vitest";
import { aCheck, aCondition } from "../testing/builders.ts";
import { adapter, claiming, condition, evaluation, modelServer } from "../testing/objects.ts";
import { claimsOf, demands, lastUses } from "./claims.ts";

const names = (found: ReturnType<typeof demands>) => found.map(({ name }) => name);
const armed = (activeArms: string[] | undefined, activeAdapters?: string[], conditions?: ReturnType<typeof condition>[]) =>
  evaluation("compare", {
    spec: {
      arms: [
        { name: "base", serverRef: { name: "coder" } },
        { name: "new", serverRef: { name: "coder" }, adapter: "new" },
        { name: "elsewhere", serverRef: { name: "other" }, adapter: "far" },
      ],
    },
    status: { activeArms, activeAdapters, conditions },
  });

describe("demand for adapters", () => {
  it("is nothing when nobody wants anything: without a resident selector no adapter stays", () => {
    expect(demands(modelServer(), [adapter("a")], [])).toEqual([]);
  });

  it("puts residents before claims, older before younger, and names each adapter once", () => {
    const server = modelServer("coder", { spec: { adapters: { slots: 4, maxRank: 16, resident: { matchLabels: { team: "x" } } } } });
    const resident = adapter("resident", { metadata: { labels: { team: "x" } } });
    const users = [
      claiming("young", "s2", { metadata: { creationTimestamp: "2026-02-02T00:00:00Z" } }),
      claiming("old", "s1", { metadata: { creationTimestamp: "2026-02-01T00:00:00Z" } }),
      claiming("resident", "s3"),
    ];
    expect(names(demands(server, [resident, adapter("other")], users))).toEqual(["resident", "old", "young"]);
  });

  it("of several objects for one adapter is as old as the oldest of them", () => {
    const at = (day: string) => ({ metadata: { creationTimestamp: `2026-02-${day}T00:00:00Z` } });
    const users = [claiming("shared", "young", at("03")), claiming("other", "middle", at("02")), claiming("shared", "old", at("01"))];
    expect(demands(modelServer(), [], users)).toEqual([
      { name: "shared", by: "AgentSession old" },
      { name: "other", by: "AgentSession middle" },
    ]);
  });

  it("leaves archived and vanishing adapters out of the residents", () => {
    const server = modelServer("coder", { spec: { adapters: { slots: 4, maxRank: 16, resident: {} } } });
    const archived = adapter("archived", { status: { archived: true, conditions: [condition("Ready")] } });
    const vanishing = adapter("vanishing", { metadata: { deletionTimestamp: "2026-01-02T00:00:00Z" } });
    expect(names(demands(server, [archived, vanishing, adapter("kept")], []))).toEqual(["kept"]);
  });

  it("ends when its object ends, is suspended, or works with another server", () => {
    const suspended = { ...claiming("c") };
    suspended.spec = { ...suspended.spec, suspend: true };
    const users = [claiming("a", "s", { conditions: [condition("Failed")] }), suspended];
    expect(demands(modelServer(), [], users)).toEqual([]);
    expect(demands(modelServer("other"), [], [claiming("a")])).toEqual([]);
  });

  it("of an evaluation is that of its active arms alone", () => {
    expect(claimsOf(armed(["base", "new"], ["new"]), "coder")).toEqual(["new"]);
    expect(names(demands(modelServer(), [], [armed(["base", "new"], ["new"])]))).toEqual(["new"]);
    expect(claimsOf(armed(["base"]), "coder")).toEqual([]);
    expect(claimsOf(armed(undefined), "coder")).toEqual([]);
    expect(claimsOf(armed(["elsewhere"], ["far"]), "coder")).toEqual([]);
    expect(claimsOf(armed(["elsewhere"], ["far"]), "other")).toEqual(["far"]);
  });

  it("of a check is what it claims now, of this server", () => {
    const check = aCheck({ status: { claim: { server: "coder", adapter: "word" } } });
    expect(demands(modelServer("coder"), [], [check])).toEqual([{ name: "word", by: "EnvironmentCheck cluster" }]);
    expect(demands(modelServer("other"), [], [check])).toEqual([]);
    expect(demands(modelServer("coder"), [], [aCheck()])).toEqual([]);
    expect([...lastUses(modelServer(), [aCheck({ status: { ...check.status, conditions: [aCondition("Succeeded")] } })])]).toEqual([]);
  });

  it("remembers when an adapter was used last, by what has ended", () => {
    const users = [
      claiming("a", "s1", { conditions: [condition("Succeeded", "True", "2026-03-01T00:00:00Z")] }),
      claiming("a", "s2", { conditions: [condition("Failed", "True", "2026-03-02T00:00:00Z")] }),
      armed(undefined, undefined, [condition("Succeeded", "True", "2026-03-03T00:00:00Z")]),
      claiming("b"),
    ];
    expect([...lastUses(modelServer(), users)]).toEqual([
      ["a", "2026-03-02T00:00:00Z"],
      ["new", "2026-03-03T00:00:00Z"],
    ]);
  });
});
