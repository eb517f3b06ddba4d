import { afterEach, expect, it } from "vitest";
import { inTurn, json, reset, status, type TestServer, testClock, testServer } from "../testing/http-server.ts";
import { Runner, RunnerGone, RunnerRefused } from "./runner.ts";

let server: TestServer;
afterEach(() => server.close());
const against = async (...handlers: Parameters<typeof inTurn>) => {
  server = await testServer(inTurn(...handlers));
  const clock = testClock();
  return { runner: new Runner({ url: server.url, token: "secret", clock }), clock };
};
const program = { id: "uid/3", epoch: 2, entryPoint: "solve", program: "p", tests: "t", timeoutSeconds: 5, memoryMiB: 256 };
const passed = { passed: true, outcome: "Passed", error: "", durationSeconds: 0.2, stdout: "out", stderr: "" };

it("runs a program and tells result and output apart", async () => {
  const { runner } = await against(json(200, passed));
  const { stdout, stderr, ...execution } = passed;
  expect(await runner.execute(program)).toEqual({ execution, stdout, stderr });
  expect(server.requests[0]).toMatchObject({ path: "/execute", headers: { authorization: "Bearer secret" } });
  expect(JSON.parse(server.requests[0]?.body.toString() ?? "")).toEqual(program);
});

it("tries tests without a program, and gives why they can't be used", async () => {
  const { runner } = await against(json(200, { usable: true, error: "" }), json(200, { usable: false, error: "line 1: SyntaxError" }));
  const { entryPoint, tests } = program;
  expect(await runner.tryTests({ entryPoint, tests })).toBe("");
  expect(await runner.tryTests({ entryPoint, tests })).toBe("line 1: SyntaxError");
  expect(server.requests[0]).toMatchObject({ method: "POST", path: "/tests", headers: { authorization: "Bearer secret" } });
  expect(JSON.parse(server.requests[0]?.body.toString() ?? "")).toEqual({ entryPoint, tests });
});

it("asks again, with the same id, when it was busy or the answer was lost", async () => {
  const { runner, clock } = await against(status(429, { "retry-after": "1" }), reset, json(200, passed));
  await runner.execute(program);
  expect(clock.waits[0]).toBe(1125);
  expect(new Set(server.requests.map((request) => request.body.toString())).size).toBe(1);
});

it.each([
  [409, "StaleEpoch", "StaleEpoch"],
  [409, "IdReused", "IdReused"],
  [412, "IsolationNotVerified", "IsolationNotVerified"],
  [401, "Unauthorized", "Denied"],
  [400, "BadRequest", "BadRequest"],
])("names the refusal of %d %s", async (code, reason, expected) => {
  const { runner } = await against(json(code, { reason, message: "no" }));
  const error = await runner.execute(program).catch((caught) => caught);
  expect(error).toBeInstanceOf(RunnerRefused);
  expect(error.reason).toBe(expected);
});

it("says that the sandbox is gone when it doesn't answer", async () => {
  const { runner } = await against(reset);
  await expect(runner.execute(program)).rejects.toThrow(RunnerGone);
  await expect(runner.ping()).rejects.toThrow(RunnerGone);
});

it("gives the proof of isolation", async () => {
  const probe = { name: "canary over the network", layer: 1, expected: "Blocked", observed: "Blocked" };
  const { runner } = await against(json(200, { verified: true, probes: [{ ...probe, detail: "refused" }] }));
  const targets = {
    canary: "10.0.0.1:8099",
    dns: "10.0.0.2:53",
    modelServer: "10.0.0.3:8080",
    apiServer: "10.0.0.4:443",
    node: "10.0.0.5:10250",
  };
  expect(await runner.probe(1, targets)).toEqual({ verified: true, probes: [probe] });
});
