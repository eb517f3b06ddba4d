import { expect, test } from "vitest";
import { KnownLogs } from "./known-logs.ts";

const log = (bytes: number) => ({ records: [], lastSequence: 1, last: new Uint8Array(), bytes });
const known = (logs: KnownLogs) => ["a", "b", "c"].filter((subject) => logs.get(subject));

test("keeps the logs that were read last, within a number of bytes", () => {
  const logs = new KnownLogs(10);
  logs.set("a", log(4));
  logs.set("b", log(4));
  logs.set("a", log(5));
  expect(known(logs)).toEqual(["a", "b"]);
  logs.set("c", log(3));
  expect(known(logs)).toEqual(["a", "c"]);
});

test("forgets a log that has become larger than all may be", () => {
  const logs = new KnownLogs(10);
  logs.set("a", log(4));
  logs.set("b", log(11));
  expect(known(logs)).toEqual([]);
  logs.set("b", log(9));
  expect(known(logs)).toEqual(["b"]);
});
