import { expect, test } from "vitest";
import { requestsIn, totalOf } from "./audit.ts";

const line = (verb: string, stage: string, username = "operator", subresource?: string) =>
  JSON.stringify({ stage, verb, user: { username }, objectRef: { subresource } });

test("requests are counted once, by verb and subresource, of one user alone", () => {
  const log = [
    line("update", "ResponseComplete", "operator", "status"),
    line("update", "ResponseComplete", "operator", "status"),
    line("watch", "ResponseStarted"),
    line("watch", "ResponseComplete"),
    line("list", "ResponseComplete"),
    line("create", "ResponseComplete", "load"),
  ].join("\n");
  const requests = requestsIn(`${log}\n`, "operator");
  expect(requests).toEqual({ "update status": 2, watch: 1, list: 1 });
  expect(totalOf(requests)).toBe(4);
});
