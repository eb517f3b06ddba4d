import { describe, expect, it } from "vitest";
import { objectionTo } from "./request-rules.ts";

const deep = (levels: number) => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);
const chat = { model: "m", messages: [{ role: "user", content: "write a program" }] };

describe("a request is let through", () => {
  it.each([
    ["as people send it", {}],
    ["with a schema", { response_format: { type: "json_schema", json_schema: { name: "a", schema: { type: "object" } } } }],
    ["with tools", { tools: [{ type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } }] }],
    ["with fields that are null", { structured_outputs: null, vllm_xargs: null, n: null }],
    ["with a regular expression", { structured_outputs: { regex: "((a|b)c)*" } }],
    ["with several answers", { n: 16, prompt: ["a", "b"] }],
    ["with one prompt of many tokens", { n: 2, prompt: Array.from({ length: 5_000 }, () => 1) }],
    ["with fields of tomorrow", { some_field: { a: [1] } }],
    ["nested as deep as may be", { tools: deep(64) }],
    ["with a smile", { user: "😀" }],
  ])("%s", (_what, more) => {
    expect(objectionTo({ ...chat, ...more })).toBeUndefined();
  });
});

describe("a request is refused by the name of its field", () => {
  it.each([
    ["vllm_xargs", { vllm_xargs: { a: 1 } }, "leave it out"],
    ["kv_transfer_params", { kv_transfer_params: { do_remote_decode: true } }, "leave it out"],
    ["ec_transfer_params", { ec_transfer_params: {} }, "leave it out"],
    ["structured_outputs", { structured_outputs: 0.5 }, "must be an object"],
    ["structured_outputs", { structured_outputs: ["json"] }, "must be an object"],
    ["structured_outputs", { structured_outputs: { regex: "(".repeat(65) } }, "nested deeper than 64"],
    ["structured_outputs", { structured_outputs: { json: '{"a":'.repeat(65) } }, "nested deeper than 64"],
    ["response_format", { response_format: "json" }, "must be an object"],
    ["n", { n: 1_025 }, "1024 answers at most"],
    ["n", { n: 600, prompt: ["a", "b"] }, "is 1200"],
    ["tools", { tools: deep(65) }, "deeper than 64"],
    ["request_id", { request_id: "\ud800" }, "half of a surrogate pair"],
    ["messages", { messages: [{ role: "user", content: "a\udfff" }] }, "half of a surrogate pair"],
    ["whatever", { whatever: deep(100_000) }, "deeper than 64"],
  ] as [string, Record<string, unknown>, string][])("%s", (param, more, message) => {
    expect(objectionTo({ ...chat, ...more })).toEqual({ param, message: expect.stringContaining(message) });
  });
});
