import { afterEach, expect, it } from "vitest";
import { inTurn, json, reset, status, type TestServer, testClock, testServer } from "../testing/http-server.ts";
import { type Completion, complete, InferenceRefused, InferenceUnavailable } from "./inference.ts";

let server: TestServer;
afterEach(() => server.close());

const answer = (...texts: string[]) =>
  json(200, {
    choices: texts.map((content, index) => ({ index, message: { role: "assistant", content }, finish_reason: "stop" })).reverse(),
    usage: { prompt_tokens: 11, completion_tokens: 7 },
  });
const ask = async (handlers: Parameters<typeof inTurn>, extra: Partial<Completion> = {}) => {
  server = await testServer(inTurn(...handlers));
  const clock = testClock();
  const input: Completion = {
    url: `${server.url}/v1`,
    model: "base",
    messages: [{ role: "user", content: "Add." }],
    n: 1,
    sampling: {},
    deadline: clock.now() + 100_000,
    clock,
    ...extra,
  };
  return { completed: await complete(input), clock };
};

it("gives the texts in order, and what they cost", async () => {
  const { completed } = await ask([answer("one", "two")], { n: 2 });
  expect(completed).toEqual({ texts: ["one", "two"], finishReasons: ["stop", "stop"], usage: { promptTokens: 11, completionTokens: 7 } });
});

it("lets the model go on with a prefilled answer", async () => {
  await ask([answer("return a")], {
    prefill: "```python\ndef f(a):\n",
    sampling: { temperature: "0.8", topP: "0.95", maxTokens: 96, stop: ["```"] },
    requestID: "uid/3",
  });
  expect(server.requests[0]).toMatchObject({ path: "/v1/chat/completions", headers: { "x-request-id": "uid/3" } });
  expect(JSON.parse(server.requests[0]?.body.toString() ?? "")).toEqual({
    model: "base",
    n: 1,
    messages: [
      { role: "user", content: "Add." },
      { role: "assistant", content: "```python\ndef f(a):\n" },
    ],
    temperature: 0.8,
    top_p: 0.95,
    max_tokens: 96,
    stop: ["```"],
    add_generation_prompt: false,
    continue_final_message: true,
  });
});

it("asks for one greedy answer, however many are wanted: they would all be equal", async () => {
  const { completed } = await ask([answer("one")], { n: 3, sampling: { temperature: "0" } });
  expect(completed.texts).toEqual(["one", "one", "one"]);
  expect(completed).toMatchObject({ finishReasons: ["stop", "stop", "stop"], usage: { completionTokens: 7 } });
  expect(JSON.parse(server.requests[0]?.body.toString() ?? "")).toMatchObject({ n: 1, temperature: 0 });
});

it("sends no seed, stop or limit that wasn't asked for", async () => {
  await ask([answer("x")]);
  expect(Object.keys(JSON.parse(server.requests[0]?.body.toString() ?? "")).sort()).toEqual(["messages", "model", "n"]);
});

it("tries again after 503, 429 and a lost connection, as slowly as the server asks", async () => {
  const { completed, clock } = await ask([status(503, { "retry-after": "5" }), status(429), reset, answer("x")]);
  expect(completed.texts).toEqual(["x"]);
  expect(clock.waits[0]).toBe(5125);
});

it("says unavailable when the deadline passes", async () => {
  await expect(ask([status(503, { "retry-after": "30" })])).rejects.toThrow(InferenceUnavailable);
});

it.each([
  ["nested", { error: { message: "The model `x` does not exist.", code: 404 } }],
  ["flat", { object: "error", message: "The model `x` does not exist.", code: 404 }],
])("passes a refusal on at once with the server's %s reason", async (_, body) => {
  await expect(ask([json(404, body)])).rejects.toThrow(/answered 404: The model `x` does not exist/);
  await expect(ask([status(400, {}, "plain text")])).rejects.toThrow(InferenceRefused);
});

it("asks again when fewer answers come than were asked for", async () => {
  const { completed } = await ask([answer("one"), answer("one", "two")], { n: 2 });
  expect(completed.texts).toEqual(["one", "two"]);
});

const refusal = (message: string) => json(400, { error: { message, type: "BadRequestError", code: 400 } });
const conversation: Completion["messages"] = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Add." },
  { role: "assistant", content: "1" },
  { role: "user", content: "Again." },
];
const asked = () => server.requests.map(({ body }) => JSON.parse(body.toString()).messages);

it.each(["System role not supported", "Conversation roles must alternate user/assistant/user/assistant/..."])(
  "puts the system message into the user's turn where the model's template says: %s",
  async (message) => {
    const { completed } = await ask([refusal(message), answer("2")], { messages: conversation, prefill: "```" });
    expect(completed.texts).toEqual(["2"]);
    expect(asked()).toEqual([
      [...conversation, { role: "assistant", content: "```" }],
      [{ role: "user", content: "Be brief.\n\nAdd." }, ...conversation.slice(2), { role: "assistant", content: "```" }],
    ]);
  },
);

it("says what the server said first where it refuses the words in the user's turn, too", async () => {
  const twice = ask([refusal("System role not supported"), refusal("Conversation roles must alternate")], { messages: conversation });
  await expect(twice).rejects.toThrow("System role not supported");
});

it("asks once more about nothing but roles, and only where there is a system message to move", async () => {
  await expect(ask([refusal("maximum context length is 64 tokens")], { messages: conversation })).rejects.toThrow(InferenceRefused);
  await server.close();
  await expect(ask([refusal("System role not supported")])).rejects.toThrow(InferenceRefused);
  expect(server.requests).toHaveLength(1);
});
