import { expect, test } from "vitest";
import { KnownLogs } from "./known-logs.ts";

const of = (limit: number) => new KnownLogs<number>(limit, (bytes) => bytes);
const known = (logs: KnownLogs<number>) => ["a", "b", "c"].filter((subject) => logs.get(subject));

test("keeps the logs that were read last, within a number of bytes", () => {
  const logs = of(10);
  logs.set("a", 4);
  logs.set("b", 4);
  logs.set("a", 5);
  expect(known(logs)).toEqual(["a", "b"]);
  logs.set("c", 3);
  expect(known(logs)).toEqual(["a", "c"]);
});

test("forgets a log that has become larger than all may be, and no other", () => {
  const logs = of(10);
  logs.set("a", 4);
  logs.set("b", 5);
  logs.set("b", 11);
  expect(known(logs)).toEqual(["a"]);
  logs.set("b", 6);
  expect(known(logs)).toEqual(["a", "b"]);
});
